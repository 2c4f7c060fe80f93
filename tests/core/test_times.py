"""A time is what the standard module takes for one, wherever a time is taken: an int or a float;
from CPython 3.15 on, and on PyPy, any real number.
"""

from __future__ import annotations

import os
import signal as standard
import sys
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from oracle.outcomes import Both, Float, FloatChild, Index, Int, IntChild, Outcome, StrChild, Thing
from support import PYPY, shown, with_room

import sigcffi as signal

U = signal.SIGUSR1


class Saying:
    """A number whose ``__index__`` or ``__float__`` gives, or raises, what is no number."""

    def __init__(self, what: object) -> None:
        self.what = what

    def say(self) -> Any:
        if isinstance(self.what, Exception):
            raise self.what
        return self.what

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.what!r})"


class SaysFloat(Saying):
    __float__ = Saying.say


class SaysIndex(Saying):
    __index__ = Saying.say

    def __float__(self) -> float:
        return 1000.25


class NoFloat:
    __float__ = None


class NoIndex:
    """It has ``__float__``, but is asked for what it says it has not."""

    __index__ = None

    def __float__(self) -> float:
        return 1000.25


def interval_of_setitimer(value: Any) -> float:
    signal.setitimer(signal.ITIMER_VIRTUAL, 2000, value)
    return signal.setitimer(signal.ITIMER_VIRTUAL, 0)[1]


def delay_of_setitimer(value: Any) -> bool:
    """All but exactly, for time goes by."""
    signal.setitimer(signal.ITIMER_VIRTUAL, value)
    return 900 < signal.setitimer(signal.ITIMER_VIRTUAL, 0)[0] <= 1000.26


def sigtimedwait(value: Any) -> int:
    os.kill(os.getpid(), U)
    try:
        info = signal.sigtimedwait([U], value)
    finally:
        signal.sigdrain([U])
    assert info is not None
    return info.si_signo


def interval_of_a_timer(value: Any) -> int:
    with with_room(lambda: signal.Timer(U)) as timer:
        timer.settime(2000, value)
        return timer.gettime_ns()[1]


def delay_of_a_timer(value: Any) -> bool:
    with with_room(lambda: signal.Timer(U)) as timer:
        timer.settime(value)
        return 900 < timer.gettime()[0] <= 1000.25


def timeout(value: Any) -> bool:
    with signal.timeout(value) as block:
        left = block.remaining()
    assert left is not None
    return 900 < left <= 1000.25


def timeout_at(value: Any) -> None:
    signal.timeout_at(value)


def timeout_that_kills(value: Any) -> None:
    signal.timeout(1, kill_after=value)


def reschedule(value: Any) -> None:
    """To a time that may be over."""
    try:
        with signal.timeout(None) as block:
            block.reschedule(value)
    except signal.TimedOut:
        pass


def kill_after(value: Any) -> bool:
    with signal.kill_after(value) as switch:
        left = switch.remaining()
    assert left is not None
    return 900 < left <= 1000.25


def flag(value: Any) -> bool:
    with signal.actions.flag(signal.SIGUSR2) as flag:
        os.kill(os.getpid(), signal.SIGUSR2)
        return flag.wait(value)


def receiver(value: Any) -> int:
    with signal.open_signal_receiver(signal.SIGUSR2) as receiver:
        os.kill(os.getpid(), signal.SIGUSR2)
        info = receiver.wait(value)
    assert info is not None
    return info.si_signo


PLACES = [
    *(delay_of_setitimer, interval_of_setitimer, sigtimedwait),
    *(delay_of_a_timer, interval_of_a_timer, timeout, timeout_at, timeout_that_kills, reschedule),
    *(kill_after, flag, receiver),
]

TAKES_REAL_NUMBERS = PYPY or sys.version_info >= (3, 15)

# What a number stands for: an int exactly, or a float. None is just above the places' bounds, where
# a moment would make the difference.
INTEGERS_AND_FLOATS = [
    (Index(1000), 1000),
    (Both(1000, 7.5), 1000),
    (FloatChild(1000.25), 1000.25),
    (IntChild(1000), 1000),
    (True, 1),
]
OTHER_REAL_NUMBERS = [
    (Decimal("1000.25"), 1000.25),
    (Decimal("1E+3"), 1000.0),
    (Fraction(4001, 4), 1000.25),
    (Fraction(7001, 7), 7001 / 7),
    (Fraction(1000), 1000.0),
    (Float(1000.25), 1000.25),
]
NO_TIMES = [
    *((word, TypeError) for word in ("1", b"1", bytearray(b"1"), StrChild("1"))),
    *((value, TypeError) for value in ([], 1j, Thing(), Int(1), NoFloat(), NoIndex())),
    *((SaysIndex(value), TypeError) for value in (1.5, "1", None, TypeError())),
    (SaysIndex(ZeroDivisionError()), ZeroDivisionError),
    *((FloatChild(value), OverflowError) for value in (1e300, 1e11)),
    *((kind(2**70), OverflowError) for kind in (Index, IntChild)),
    (FloatChild("nan"), ValueError),
]
NO_TIMES_OF_OTHER_REAL_NUMBERS = [
    *((SaysFloat(value), TypeError) for value in (1, True, "1", None, TypeError())),
    (SaysFloat(ZeroDivisionError()), ZeroDivisionError),
    *((Decimal(word), ValueError) for word in ("NaN", "-NaN", "sNaN")),
    *((Decimal(word), OverflowError) for word in ("Infinity", "-Infinity", "1E+400", "1E+11")),
    *((Fraction(10**exponent), OverflowError) for exponent in (400, 11)),
    *((Float(value), OverflowError) for value in (1e300, 1e11)),
    (Float(float("nan")), ValueError),
]
if TAKES_REAL_NUMBERS:
    STANDS_FOR = [*INTEGERS_AND_FLOATS, *OTHER_REAL_NUMBERS]
    REFUSED = [*NO_TIMES, *NO_TIMES_OF_OTHER_REAL_NUMBERS]
else:
    others = (*OTHER_REAL_NUMBERS, *NO_TIMES_OF_OTHER_REAL_NUMBERS)
    STANDS_FOR = INTEGERS_AND_FLOATS
    REFUSED = [*NO_TIMES, *((value, TypeError) for value, _ in others)]


@pytest.mark.parametrize("place", PLACES)
def test_a_number_is_the_time_that_it_stands_for(place: Callable[[Any], object]) -> None:
    signal.pthread_sigmask(signal.SIG_BLOCK, [U])
    for value, number in STANDS_FOR:
        expected = Outcome(place, number)
        assert expected.error is None
        assert Outcome(place, value) == expected, value


@pytest.mark.parametrize("place", PLACES)
def test_what_is_no_time_is_refused(place: Callable[[Any], object]) -> None:
    signal.pthread_sigmask(signal.SIG_BLOCK, [U])
    for value, error in REFUSED:
        assert Outcome(place, value).error is error, value


@pytest.mark.parametrize(("value", "error"), REFUSED, ids=shown)
def test_who_refuses_a_time_has_changed_nothing(value: Any, error: type[Exception]) -> None:
    signal.setitimer(signal.ITIMER_VIRTUAL, 2000, 3000)
    for times in ((value, 1000), (1000, value)):
        assert Outcome(signal.setitimer, signal.ITIMER_VIRTUAL, *times).error is error
    delay, interval = signal.setitimer(signal.ITIMER_VIRTUAL, 0)
    assert (delay > 1000, interval) == (True, 3000)


@pytest.mark.skipif(PYPY, reason="what PyPy's own module takes it takes wrongly")
def test_so_does_the_standard_module() -> None:
    for value, _ in (*STANDS_FOR, *REFUSED):
        ours = Outcome(interval_of_setitimer, value)
        theirs = Outcome(standard.setitimer, standard.ITIMER_VIRTUAL, 2000, value)
        read = standard.setitimer(standard.ITIMER_VIRTUAL, 0)[1]
        assert (ours.error, ours.warned) == (theirs.error, theirs.warned), value
        assert theirs.error is not None or ours.value == read, value


@pytest.mark.skipif(not TAKES_REAL_NUMBERS, reason="it takes ints and floats only")
def test_a_float_that_is_a_child_of_float_is_taken_with_the_interpreters_warning() -> None:
    """``__float__`` should return an exact float; whether that is an error is the interpreter's."""
    value = SaysFloat(FloatChild(1000.25))
    outcome, expected = Outcome(interval_of_setitimer, value), Outcome(float, value)
    assert (outcome.value, outcome.error) == (expected.value, expected.error)
    assert outcome.warned == expected.warned
