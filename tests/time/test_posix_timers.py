"""``Timer``: hypothesis against a model in exact arithmetic."""

from __future__ import annotations

import signal as standard
import time
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from oracle.outcomes import Outcome, nanoseconds_of
from support import with_room

import sigcffi as signal
from sigcffi._sigcffi import lib

pytestmark = pytest.mark.skipif(not lib.SIGCFFI_HAS_POSIX_TIMERS, reason="no timer_create(2)")

NS = 10**9
LARGEST = 2**63 - 1  # nanoseconds
# The kernel takes what has so many whole seconds for the largest time there is.
CENTURIES = LARGEST // NS * NS

floats = st.floats() | st.floats(-1, 1) | st.floats(0, 1e-8) | st.floats(9.2e9, 9.3e9)
integers = st.integers() | st.integers(-10, 10**6) | st.integers(9223372030, 9223372040)
times = st.integers(0, LARGEST) | st.integers(0, 10**9) | st.integers(CENTURIES, LARGEST)


@pytest.fixture(scope="module")
def timer() -> Iterator[Any]:
    """Whatever it is set to, nothing happens: its signal is ignored."""
    former = standard.signal(signal.SIGVTALRM, signal.SIG_IGN)
    with with_room(lambda: signal.Timer(signal.SIGVTALRM)) as made:
        yield made
    standard.signal(signal.SIGVTALRM, former)


def as_kept(nanoseconds: int) -> int:
    return nanoseconds if nanoseconds < CENTURIES else LARGEST


def model(seconds: float | int) -> int | type[BaseException]:
    """The nanoseconds that the kernel keeps, or the exception."""
    nanoseconds = nanoseconds_of(seconds)
    if not isinstance(nanoseconds, int):
        return nanoseconds
    return as_kept(nanoseconds) if nanoseconds >= 0 else signal.ItimerError


@given(interval=floats | integers)
@example(5e-324)
@example(-1e-10)
@example(0.1)
@example(9223372036)
@example(9223372037)
def test_the_kernel_gets_the_time_rounded_up(timer: Any, interval: float | int) -> None:
    """Told by the interval, which the kernel gives back as it is while the timer runs."""
    timer.settime(0)
    expected = model(interval)
    outcome = Outcome(timer.settime, 1000, interval)
    if isinstance(expected, int):
        assert outcome.error is None
        assert timer.gettime_ns()[1] == expected
    else:
        assert outcome.error is expected
        assert timer.gettime() == (0.0, 0.0)


@given(st.lists(st.tuples(times, times), min_size=1, max_size=5))
def test_each_setting_returns_the_one_before(timer: Any, chosen: list[tuple[int, int]]) -> None:
    timer.settime(0)
    before = (0, 0)
    for value, interval in [*chosen, (0, 0)]:
        left, repeat = timer.settime_ns(value, interval)
        assert repeat == before[1]
        if before[0] == 0:
            assert left == 0
        elif repeat:
            assert 0 < left <= max(before)
        else:
            assert 0 <= left <= before[0]
        # Without a first time there is no interval either.
        before = (as_kept(value), as_kept(interval)) if value else (0, 0)


@given(times)
def test_an_absolute_time_of_the_monotonic_clock(timer: Any, when: int) -> None:
    """What is left is that much less than the clock shows, and nothing if it is over."""
    before = time.monotonic_ns()
    timer.settime_ns(when, absolute=True)
    left, _ = timer.gettime_ns()
    after = time.monotonic_ns()
    if left > 0:
        assert as_kept(when) - after <= left <= as_kept(when) - before
    else:
        assert when <= after
