"""``alarm``, ``setitimer``, ``getitimer``: what the reference promises of timers."""

from __future__ import annotations

import errno
import time

import pytest
from support import DEADLINE, until

import sigcffi as signal
from sigcffi._sigcffi import ffi


@pytest.mark.parametrize(
    ("which", "signum"),
    [
        (signal.ITIMER_REAL, signal.SIGALRM),
        (signal.ITIMER_VIRTUAL, signal.SIGVTALRM),
        (signal.ITIMER_PROF, signal.SIGPROF),
    ],
)
def test_each_timer_sends_its_signal(which: int, signum: int) -> None:
    seen: list[int] = []
    signal.signal(signum, lambda signum, frame: seen.append(signum))
    signal.setitimer(which, 0.001)
    deadline = time.monotonic() + DEADLINE
    while not seen and time.monotonic() < deadline:
        pass  # two of the timers count the processor's time, so it has to be used
    assert seen == [signum]
    assert signal.getitimer(which) == (0.0, 0.0)


def test_an_interval_makes_it_fire_again_until_it_is_cleared() -> None:
    seen: list[int] = []
    signal.signal(signal.SIGALRM, lambda signum, frame: seen.append(signum))
    signal.setitimer(signal.ITIMER_REAL, 0.001, 0.002)
    until(lambda: len(seen) >= 3, "three times")
    delay, interval = signal.setitimer(signal.ITIMER_REAL, 0)
    assert interval == 0.002
    assert delay <= 0.002
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)


def test_setitimer_and_getitimer_return_delay_and_interval() -> None:
    assert signal.setitimer(signal.ITIMER_REAL, 1000, 7.25) == (0.0, 0.0)
    delay, interval = signal.getitimer(signal.ITIMER_REAL)
    assert 990 < delay <= 1000
    assert interval == 7.25
    delay, interval = signal.setitimer(signal.ITIMER_REAL, 0)
    assert 990 < delay <= 1000
    assert interval == 7.25


@pytest.mark.parametrize("tiny", [1e-9, 1e-300, 5e-324])
def test_a_tiny_positive_time_never_disarms(tiny: float) -> None:
    seen: list[int] = []
    signal.signal(signal.SIGALRM, lambda signum, frame: seen.append(signum))
    signal.setitimer(signal.ITIMER_REAL, tiny)
    until(lambda: seen, "the timer")


def test_alarm_returns_the_seconds_left_and_zero_cancels() -> None:
    assert signal.alarm(1000) == 0
    assert 990 < signal.alarm(500) <= 1000
    assert 490 < signal.alarm(0) <= 500
    assert signal.alarm(0) == 0
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)


def test_alarm_is_the_real_interval_timer() -> None:
    signal.alarm(1000)
    assert 990 < signal.getitimer(signal.ITIMER_REAL)[0] <= 1000


def test_alarm_interrupts_a_sleep() -> None:
    class HandledError(Exception):
        pass

    def handler(signum: int, frame: object) -> None:
        raise HandledError

    signal.signal(signal.SIGALRM, handler)
    with pytest.raises(HandledError):
        signal.alarm(1)
        time.sleep(60)  # the call to be interrupted


@pytest.mark.parametrize("which", [-1, 3, 99, 2**31 - 1])
def test_an_unknown_timer_is_an_itimer_error(which: int) -> None:
    for call in (lambda: signal.setitimer(which, 1), lambda: signal.getitimer(which)):
        with pytest.raises(signal.ItimerError) as refusal:
            call()
        assert refusal.value.errno == errno.EINVAL
        assert isinstance(refusal.value, OSError)


@pytest.mark.skipif(ffi.sizeof("time_t") > 4, reason="its time_t holds all that can be asked for")
@pytest.mark.parametrize("times", [(2**32 + 1,), (-(2**33),), (1, 2**31), (2**31,)])
def test_a_time_that_no_time_t_holds_overflows_and_changes_nothing(times: tuple[int, ...]) -> None:
    signal.setitimer(signal.ITIMER_REAL, 1000, 5)
    with pytest.raises(OverflowError, match="time_t"):
        signal.setitimer(signal.ITIMER_REAL, *times)
    delay, interval = signal.getitimer(signal.ITIMER_REAL)
    assert 990 < delay <= 1000
    assert interval == 5


@pytest.mark.parametrize("times", [(-1,), (-1e-5,), (1, -1), (0, -0.5), (-(2**31),)])
def test_a_negative_time_is_an_itimer_error_and_changes_nothing(times: tuple[float, ...]) -> None:
    signal.setitimer(signal.ITIMER_REAL, 1000, 5)
    with pytest.raises(signal.ItimerError) as refusal:
        signal.setitimer(signal.ITIMER_REAL, *times)
    assert refusal.value.errno == errno.EINVAL
    delay, interval = signal.getitimer(signal.ITIMER_REAL)
    assert 990 < delay <= 1000
    assert interval == 5
