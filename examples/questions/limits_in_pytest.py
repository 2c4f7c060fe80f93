"""Time limits in pytest: a mark, a fixture, and what pytest says of a test that is too slow."""

import signal
import sys

import pytest

import sigcffi


@pytest.mark.time_limit(0.3)
def test_with_a_mark():
    signal.pause()


@pytest.fixture
def limit():
    with sigcffi.timeout(0.3):
        yield


def test_with_a_fixture(limit):
    signal.pause()


@pytest.fixture
def cleaned():
    yield
    print("the fixture's end has its turn")


@pytest.mark.time_limit(0.3)
def test_with_a_fixture_that_cleans_up(cleaned):
    while True:
        try:
            signal.pause()
        except Exception:
            print("never printed: the interruption is no Exception")


class Says:
    """What each test comes to, in a line."""

    def pytest_runtest_logreport(self, report):
        if report.failed:
            kind = report.longrepr.reprcrash.message.partition(":")[0].rpartition(".")[2]
            print(f"{report.nodeid.rpartition('::')[2]}, {report.when}: {kind}")


if __name__ == "__main__":
    quiet = ["-p", "no:terminal", "-p", "no:cacheprovider", "-s", "-o", "addopts="]
    sys.exit(pytest.main([*quiet, __file__], plugins=[Says()]) != pytest.ExitCode.TESTS_FAILED)
