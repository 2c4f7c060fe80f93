"""The plugin for pytest: leaks of signals are named and put back, and a test ends in time."""

from __future__ import annotations

import pytest
from support import DEADLINE, PLAIN_PYTEST, in_time

pytest_plugins = ["pytester"]

SHORT = 0.05
LEAKING = """
import signal
import sigcffi

def handler(*arguments): pass

def test_leaks():
    signal.signal(signal.SIGUSR1, handler)
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR2])

def test_finds_nothing_of_that():
    assert signal.getsignal(signal.SIGUSR1) == signal.SIG_DFL
    assert signal.pthread_sigmask(signal.SIG_BLOCK, []) == set()
"""
TOLD = [
    "*test_*.py::test_leaks leaks signals:",
    "*SIGUSR1: the handler was SIG_DFL, is <function handler at 0x*>",
    "*SIGUSR2 is blocked",
]
SPIN = f"""
import time
import pytest
import sigcffi

def spin():
    end = time.monotonic() + {DEADLINE}
    while time.monotonic() < end:
        pass
    raise BaseException("nobody interrupts it")
"""


def run(pytester: pytest.Pytester, tests: str, *options: str, ini: str = "") -> pytest.RunResult:
    pytester.makeini(f"[pytest]\n{ini}\n")
    pytester.makepyfile(tests)
    done = pytester.runpytest_subprocess(*PLAIN_PYTEST, "--strict-markers", *options)
    assert "nobody interrupts it" not in done.stdout.str()
    return done


# ---- Leaks ----


def test_a_leak_is_an_error_of_the_test_that_has_left_it(pytester: pytest.Pytester) -> None:
    done = run(pytester, LEAKING, ini="signal_leaks = error")
    done.assert_outcomes(passed=2, errors=1)
    done.stdout.fnmatch_lines(["*ERROR at teardown of test_leaks*", *TOLD])
    assert "Traceback" not in done.stdout.str()


def test_a_leak_is_a_warning(pytester: pytest.Pytester) -> None:
    done = run(pytester, LEAKING, ini="signal_leaks = warn")
    done.assert_outcomes(passed=2, warnings=1)
    done.stdout.fnmatch_lines(["*SignalLeakWarning: *test_leaks leaks signals:", *TOLD[1:]])


def test_a_project_that_asks_for_nothing_is_left_alone(pytester: pytest.Pytester) -> None:
    """Nothing is loaded but what imports nothing, and nothing is installed."""
    test = """
import signal
import sys

def handler(*arguments): pass

def test_leaks():
    for signum in signal.valid_signals() - {signal.SIGINT, signal.SIGPIPE, signal.SIGXFSZ}:
        assert signal.getsignal(signum) == signal.SIG_DFL
    signal.signal(signal.SIGUSR1, handler)

def test_finds_it():
    assert signal.getsignal(signal.SIGUSR1) is handler
    rooms = ["testing", "_testing", "_dispatch", "_handlers", "_time", "_attached"]
    assert [room for room in rooms if f"sigcffi.{room}" in sys.modules] == []
    assert "sigcffi.pytest_plugin" in sys.modules
"""
    run(pytester, test, "-W", "error").assert_outcomes(passed=2)
    run(pytester, LEAKING, ini="signal_leaks = off").assert_outcomes(passed=1, failed=1)


def test_a_setting_that_there_is_not_is_refused(pytester: pytest.Pytester) -> None:
    done = run(pytester, LEAKING, ini="signal_leaks = sometimes")
    assert done.ret == pytest.ExitCode.USAGE_ERROR
    done.stderr.fnmatch_lines(["*signal_leaks is one of error, warn, off, not 'sometimes'*"])


def test_fixtures_of_many_tests_change_signals_as_long_as_they_last(
    pytester: pytest.Pytester,
) -> None:
    test = """
import signal
import pytest
import sigcffi

def handler(info, frame): pass

@pytest.fixture(scope="module")
def handled():
    with sigcffi.handling(signal.SIGUSR1, handler):
        yield

@pytest.fixture
def blocked():
    with sigcffi.blocked(signal.SIGUSR2):
        yield

class TestFirst:
    @classmethod
    def setup_class(cls):
        cls.receiver = sigcffi.open_signal_receiver(signal.SIGHUP)

    @classmethod
    def teardown_class(cls):
        cls.receiver.close()

    def test_one(self, handled, blocked):
        assert sigcffi.sigaction(signal.SIGUSR1).handler is handler

    def test_another(self):
        assert sigcffi.sigaction(signal.SIGUSR1).handler is handler
        assert not self.receiver.closed

def test_later():
    assert sigcffi.sigaction(signal.SIGUSR1).handler is handler
    assert sigcffi.sigaction(signal.SIGHUP).handler is sigcffi.SIG_DFL

@pytest.fixture(scope="module")
def leaves_it():
    yield
    signal.signal(signal.SIGALRM, signal.SIG_IGN)

def test_last(leaves_it):
    pass
"""
    done = run(pytester, test, ini="signal_leaks = error")
    done.assert_outcomes(passed=4, errors=1)
    done.stdout.fnmatch_lines(
        ["*::test_last leaks signals:", "*SIGALRM: the handler was SIG_DFL, is SIG_IGN"]
    )


def test_what_a_failing_test_leaks_is_put_back_too(pytester: pytest.Pytester) -> None:
    test = """
import signal
import pytest

@pytest.fixture
def fails_at_its_end():
    yield
    raise KeyError("its own")

def test_leaks(fails_at_its_end):
    signal.signal(signal.SIGUSR1, signal.SIG_IGN)

def test_finds_nothing():
    assert signal.getsignal(signal.SIGUSR1) == signal.SIG_DFL
"""
    done = run(pytester, test, ini="signal_leaks = error")
    done.assert_outcomes(passed=2, errors=1)
    done.stdout.fnmatch_lines(
        ["*KeyError: 'its own'", "*leaks signals:", "*SIGUSR1: the handler was SIG_DFL, is SIG_IGN"]
    )


# ---- time_limit ----


def test_a_limit_is_around_a_test_and_no_except_exception_stops_it(
    pytester: pytest.Pytester,
) -> None:
    def attempt(seconds: float) -> pytest.RunResult | None:
        test = f"""
@pytest.mark.time_limit({seconds})
def test_it():
    try:
        spin()
    except Exception:
        pass

@pytest.mark.time_limit(seconds={DEADLINE})
def test_in_time():
    pass

def test_without():
    from sigcffi._time.schedule import schedule
    assert schedule.is_empty()
"""
        done = run(pytester, SPIN + test, ini="signal_leaks = error")
        return None if "ERROR at setup of test_it" in done.stdout.str() else done

    done = in_time(attempt)
    done.assert_outcomes(failed=1, passed=2)
    done.stdout.fnmatch_lines(["E * sigcffi.TimedOut: * seconds are over"])


def test_a_limit_holds_for_fixtures_before_and_behind(pytester: pytest.Pytester) -> None:
    def attempt(seconds: float) -> pytest.RunResult | None:
        test = f"""
pytestmark = pytest.mark.time_limit({seconds})

@pytest.fixture
def slow():
    spin()

def test_begins(slow):
    pass

@pytest.fixture
def slow_to_end():
    yield
    spin()

def test_ends(slow_to_end):
    pass

done = []

@pytest.fixture
def has_an_end():
    yield
    done.append("ended")

def test_spins(has_an_end):
    spin()

def test_the_end_had_time_of_its_own():
    assert done == ["ended"]
"""
        done = run(pytester, SPIN + test, ini="signal_leaks = error")
        slow = (
            "setup of test_ends" in done.stdout.str() or "setup of test_spins" in done.stdout.str()
        )
        return None if slow else done

    done = in_time(attempt)
    done.assert_outcomes(passed=2, failed=1, errors=2)
    done.stdout.fnmatch_lines(["*ERROR at setup of test_begins*", "E * sigcffi.TimedOut: *"])
    done.stdout.fnmatch_lines(["*ERROR at teardown of test_ends*", "E * sigcffi.TimedOut: *"])


def test_the_nearest_limit_counts(pytester: pytest.Pytester) -> None:
    test = f"""
pytestmark = pytest.mark.time_limit({SHORT})

@pytest.mark.time_limit({DEADLINE})
def test_it():
    end = time.monotonic() + {2 * SHORT}
    while time.monotonic() < end:
        pass
"""
    run(pytester, SPIN + test).assert_outcomes(passed=1)


@pytest.mark.parametrize("arguments", ["", "'soon'", "-1", "1, 2", "minutes=1"])
def test_a_limit_that_is_no_time_is_refused_before_any_test(
    pytester: pytest.Pytester, arguments: str
) -> None:
    test = f"""
def test_another():
    pass

@pytest.mark.time_limit({arguments})
def test_it():
    pass
"""
    done = run(pytester, SPIN + test)
    assert done.ret == pytest.ExitCode.USAGE_ERROR
    done.stderr.fnmatch_lines(["ERROR: *::test_it: time_limit(seconds): *"])
    done.assert_outcomes()
