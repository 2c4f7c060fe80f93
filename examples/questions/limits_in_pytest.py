"""Time limits in pytest: a mark, a fixture, and what pytest says of a test that is too slow."""

import sys
import time

import pytest

import sigcffi


@pytest.mark.time_limit(0.3)
def test_with_a_mark():
    time.sleep(60)


@pytest.fixture
def limit():
    with sigcffi.timeout(0.3):
        yield


def test_with_a_fixture(limit):
    time.sleep(60)


@pytest.fixture
def cleaned():
    yield
    print("the fixture's end has its turn")


@pytest.mark.time_limit(0.3)
def test_with_a_fixture_that_cleans_up(cleaned):
    while True:
        try:
            time.sleep(60)
        except Exception:
            print("never printed: the interruption is no Exception")


class Says:
    """Prints the result of each test, in a line."""

    def pytest_runtest_logreport(self, report):
        if report.failed:
            kind = report.longrepr.reprcrash.message.partition(":")[0].rpartition(".")[2]
            print(f"{report.nodeid.rpartition('::')[2]}, {report.when}: {kind}")


if __name__ == "__main__":
    quiet = ["-p", "no:terminal", "-p", "no:cacheprovider", "-s", "-o", "addopts="]
    sys.exit(pytest.main([*quiet, __file__], plugins=[Says()]) != pytest.ExitCode.TESTS_FAILED)
