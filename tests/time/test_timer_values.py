"""Timer values: hypothesis against a model in exact arithmetic and against the standard module."""

from __future__ import annotations

import math
import signal as standard
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from oracle.outcomes import (
    Both,
    Float,
    FloatChild,
    Index,
    Int,
    IntChild,
    Outcome,
    Thing,
    is_pypys_mistake,
    nanoseconds_of,
)
from support import PYPY

import sigcffi as signal
from sigcffi._sigcffi import ffi

# A timer of the processor's time, armed for no longer than a test takes to look at it, and its
# signal ignored: whatever the value is, nothing happens.
WHICH = signal.ITIMER_VIRTUAL
NS = 10**9
TIME_T = 256 ** ffi.sizeof("time_t")

floats = st.floats() | st.floats(-1, 1) | st.floats(0, 1e-5) | st.floats(9.2e9, 9.3e9)
integers = (
    st.integers()
    | st.integers(-10, 10**6)
    | st.integers(9223372030, 9223372040)
    | st.integers(-(2**70), 2**70)
)
numbers = floats | integers
anything = (
    numbers
    | st.booleans()
    | st.decimals(-(10**6), 10**6)
    | st.fractions(-(10**6), 10**6)
    | st.builds(FloatChild, floats)
    | st.builds(IntChild, st.integers(0, 1000))
    | st.builds(Index, integers)
    | st.builds(Int, st.integers(0, 1000))
    | st.builds(Float, floats)
    | st.builds(Both, integers, floats)
    | st.sampled_from([None, "1", b"1", [], 1j, Thing(), Decimal("NaN"), Decimal("Infinity")])
)


@pytest.fixture(autouse=True, scope="module")
def _harmless() -> Any:
    former = standard.signal(signal.SIGVTALRM, signal.SIG_IGN)
    yield
    standard.setitimer(WHICH, 0)
    standard.signal(signal.SIGVTALRM, former)


def model(seconds: float | int) -> Fraction | type[BaseException]:
    """The time that the kernel gets, in seconds, or the exception."""
    nanoseconds = nanoseconds_of(seconds)
    if not isinstance(nanoseconds, int):
        return nanoseconds
    microseconds = math.ceil(Fraction(nanoseconds, 1000))
    if not -TIME_T // 2 <= int(Fraction(microseconds, 10**6)) < TIME_T // 2:
        return OverflowError
    return Fraction(microseconds, 10**6) if microseconds >= 0 else signal.ItimerError


@given(interval=numbers)
@example(5e-324)
@example(-1e-10)
@example(-1e-7)
@example(9223372036)
@example(9223372037)
@example(0.1)
def test_the_kernel_gets_the_time_of_the_model(interval: float | int) -> None:
    """Told by the interval, which the kernel gives back as it is while the timer runs."""
    expected = model(interval)
    outcome = Outcome(signal.setitimer, WHICH, 1000, interval)
    try:
        if isinstance(expected, Fraction):
            assert outcome.error is None
            read = signal.getitimer(WHICH)[1]
            if expected < 10**9:
                assert round(Fraction(read) * 10**6) == expected * 10**6
            assert expected == 0 or read > 0
        else:
            assert outcome.error is expected
            assert signal.getitimer(WHICH) == (0.0, 0.0)
    finally:
        signal.setitimer(WHICH, 0)


@given(seconds=numbers)
@example(5e-324)
@example(1e-7)
@example(-1e-10)
@example(9223372036)
def test_a_positive_time_arms_and_zero_disarms(seconds: float | int) -> None:
    expected = model(seconds)
    signal.setitimer(WHICH, 500, 3)
    outcome = Outcome(signal.setitimer, WHICH, seconds, 1000)
    delay, interval = signal.setitimer(WHICH, 0)
    if expected == 0:
        assert delay == 0.0
    elif isinstance(expected, Fraction):
        assert outcome.error is None
        assert interval == 1000
        # It counts down, and fires, and starts again with the interval. (Of centuries the kernel
        # says that they are over, or less.)
        assert delay <= max(float(expected) + 0.02, 1000)
        assert delay > 0 or expected > 10**9
    else:
        assert outcome.error is expected
        assert 400 < delay <= 500.02
        assert interval == 3


@given(interval=anything)
@example(True)
@example(Decimal("1.5"))
@example(Fraction(1, 2))
@example(Fraction(3))
@example(Index(2**70))
def test_any_value_does_what_it_does_in_the_standard_module(interval: Any) -> None:
    outcomes = []
    for module in (signal, standard):
        outcome = Outcome(module.setitimer, WHICH, 1000, interval)
        outcomes.append((outcome, standard.getitimer(WHICH)[1]))
        standard.setitimer(WHICH, 0)
    (ours, read), (theirs, expected) = outcomes
    if (ours, read) == (theirs, expected):
        return
    assert PYPY, (ours, theirs, read, expected)
    if not isinstance(interval, (int, float)):
        return  # PyPy's module takes Index(0) for a second: it is no oracle for other numbers
    # PyPy's module computes in floating point, and truncates; elsewhere it is simply wrong.
    if ours.error is None and theirs.error is None and abs(expected) < 1e6:
        assert abs(read - expected) <= 1.5e-6 + 1e-9 * abs(expected)
    else:
        assert is_pypys_mistake("setitimer", (WHICH, 1000, interval))


@given(which=anything, seconds=st.sampled_from([0, 1000, -1]))
def test_any_timer_is_known_or_refused_as_in_the_standard_module(which: Any, seconds: int) -> None:
    outcomes = []
    for module in (signal, standard):
        former = standard.signal(signal.SIGALRM, signal.SIG_IGN)
        outcomes.append(Outcome(module.setitimer, which, seconds))
        for timer in (signal.ITIMER_REAL, signal.ITIMER_VIRTUAL, signal.ITIMER_PROF):
            standard.setitimer(timer, 0)
        standard.signal(signal.SIGALRM, former)
    if outcomes[0] != outcomes[1]:
        assert is_pypys_mistake("setitimer", (which, seconds)), outcomes


@given(seconds=anything)
@example(2**31 - 1)
@example(-(2**31))
@example(2**31)
def test_any_alarm_is_set_or_refused_as_in_the_standard_module(seconds: Any) -> None:
    former = standard.signal(signal.SIGALRM, signal.SIG_IGN)
    outcomes = []
    for module in (signal, standard):
        # A long may show what is more than 2**31 as below zero; ours does not.
        outcomes.append((Outcome(module.alarm, seconds), module.alarm(0) % 2**32))
    standard.signal(signal.SIGALRM, former)
    if outcomes[0] != outcomes[1]:
        assert is_pypys_mistake("alarm", (seconds,)), outcomes


@pytest.mark.skipif(PYPY, reason="PyPy's standard module has no sigtimedwait")
@given(timeout=floats.filter(lambda value: not 0.001 < value < 9.3e9) | st.integers(-(2**70), 0))
def test_any_timeout_of_sigtimedwait_is_taken_as_by_the_standard_module(timeout: Any) -> None:
    assert Outcome(signal.sigtimedwait, (), timeout) == Outcome(standard.sigtimedwait, (), timeout)


@given(
    st.sampled_from([signal.ITIMER_REAL, signal.ITIMER_VIRTUAL, signal.ITIMER_PROF]),
    st.lists(st.tuples(st.integers(500, 1000), st.integers(0, 50)), min_size=1, max_size=5),
)
def test_each_setting_returns_the_one_before(which: int, times: list[tuple[int, int]]) -> None:
    before = (0.0, 0.0)
    for seconds, interval in times:
        delay, repeat = signal.setitimer(which, seconds, interval)
        assert before[0] - 10 <= delay <= before[0] + 0.02
        assert repeat == before[1]
        before = (seconds, interval)
    signal.setitimer(which, 0)
