"""An interruption that does not reach the end of its block: swallowed, lost, or become another
exception. See test_timeouts.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import os
import time
import warnings
import weakref
from typing import Any

import pytest
from support import DEADLINE, PYPY, nested_handlers, until

import sigcffi as signal
from sigcffi import TimedOut, TimeoutInterrupt, timeout
from sigcffi._time import limits as _limits
from sigcffi._time.schedule import AGAIN, Schedule, schedule

SHORT = 0.01


LONG = 3600


def spin() -> None:
    """For ever, if nothing comes."""
    end = time.monotonic() + DEADLINE
    while True:
        if time.monotonic() > end:
            raise AssertionError("nothing came")


# ---- The timer may expire in whatever the schedule calls while it looks ----


class Due:
    """A block whose time is over."""

    _kill = None
    _entry = None
    _deadline = 1

    def __init__(self, schedule: Schedule, number: int) -> None:
        self._number = number
        self._schedule = schedule
        schedule.add(self)

    def _becomes_due(self) -> None:
        if self._schedule.opened == 0:
            self._schedule.opened = 1
            self._schedule.look(2)


def test_a_look_within_a_look_loses_no_block() -> None:
    schedule = Schedule()
    blocks = [Due(schedule, number) for number in range(3)]
    later = Due(schedule, 3)
    schedule.remove(later)
    later._deadline = 1000
    schedule.add(later)
    schedule.look(2)
    assert list(schedule.due) == blocks
    assert [entry[2] for entry in schedule.heap] == [later]


def test_a_look_within_a_look_takes_away_no_other_request() -> None:
    schedule = Schedule()
    heard = []

    def first() -> None:
        heard.append("first")
        if len(heard) == 1:
            schedule.look(2)
            schedule.asked.append(lambda: heard.append("second"))  # as another thread does

    schedule.asked.append(first)
    schedule.look(2)
    assert heard == ["first", "first", "second"]
    assert not schedule.asked


# ---- Interruptions ----


def test_swallowed_it_comes_again() -> None:
    def swallow() -> int:
        swallowed = 0
        with pytest.raises(TimedOut), timeout(SHORT):
            while swallowed < 3:
                try:
                    spin()
                except TimeoutInterrupt:
                    swallowed += 1
        return swallowed

    until(lambda: swallow() == 3, "three within the try, and none beside it")


@pytest.mark.skipif(PYPY, reason="in what its collector calls PyPy loses one now and then for good")
def test_lost_in_a_finalizer_it_comes_again(monkeypatch: pytest.MonkeyPatch) -> None:
    lost: list[Any] = []
    monkeypatch.setattr("sys.unraisablehook", lambda args: lost.append(args.exc_type))
    limited = True

    class Finalized:
        def __del__(self) -> None:
            if limited:  # it may be over before the collector comes
                spin()

    with pytest.raises(TimedOut), timeout(SHORT):
        cycle = Finalized()
        del cycle
        gc.collect()
        spin()
    limited = False
    assert set(lost) <= {TimeoutInterrupt}


@pytest.mark.skipif(not hasattr(gc, "callbacks"), reason="this collector calls nobody")
def test_beside_what_the_collector_calls_it_comes_and_is_not_lost(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    lost: list[Any] = []
    monkeypatch.setattr("sys.unraisablehook", lambda args: lost.append(args.exc_type))

    def callback(phase: str, info: dict[str, int]) -> None:
        for _ in range(100):
            pass

    gc.callbacks.append(callback)
    try:
        for _ in range(20):
            with pytest.raises(TimedOut) as info, timeout(SHORT / 10):
                while True:
                    gc.collect(0)
            assert isinstance(info.value.__cause__, TimeoutInterrupt)
    finally:
        gc.callbacks.remove(callback)
    assert lost == []


@pytest.mark.skipif(PYPY, reason="objects are finalized by the collector, all at once")
def test_beside_destructors_it_comes_and_is_not_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    lost: list[Any] = []
    monkeypatch.setattr("sys.unraisablehook", lambda args: lost.append(args.exc_type))

    class Slow:
        def __del__(self) -> None:
            time.sleep(SHORT / 10)

    for _ in range(5):
        end = time.monotonic() + DEADLINE
        with pytest.raises(TimedOut) as info, timeout(SHORT):
            while time.monotonic() < end:
                Slow()
        assert isinstance(info.value.__cause__, TimeoutInterrupt)  # and not the block's end
    assert lost == []


@pytest.mark.skipif(PYPY, reason="objects are finalized by the collector, all at once")
def test_what_is_lost_in_a_callback_is_lost_there_once(monkeypatch: pytest.MonkeyPatch) -> None:
    lost: list[Any] = []
    monkeypatch.setattr("sys.unraisablehook", lambda args: lost.append(args.exc_type))

    def slow(reference: object) -> None:
        time.sleep(SHORT / 10)

    class Referenced:
        pass

    end = time.monotonic() + DEADLINE
    with pytest.raises(TimedOut) as info, timeout(SHORT):
        while time.monotonic() < end:
            referenced = Referenced()
            reference = weakref.ref(referenced, slow)
            del referenced, reference
            referenced = Referenced()
            reference = weakref.ref(referenced, slow)
            del referenced
            assert reference() is None
    assert isinstance(info.value.__cause__, TimeoutInterrupt)
    assert len(lost) <= 1


@pytest.mark.skipif(PYPY, reason="PyPy lacks a look for signals between two callbacks")
def test_what_callbacks_of_c_lose_comes_when_c_has_returned(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """However rarely that is: the program is in callbacks nearly all the time."""
    monkeypatch.setattr("sys.unraisablehook", lambda args: None)
    compare = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p)

    @compare
    def slowly(one: object, other: object) -> int:
        end = time.monotonic() + SHORT / 10
        while time.monotonic() < end:
            pass
        return 0

    qsort, numbers = ctypes.CDLL(None).qsort, (ctypes.c_int * 100)()
    end = time.monotonic() + DEADLINE
    with (
        warnings.catch_warnings(action="ignore"),  # of what was swallowed
        pytest.raises(TimedOut) as info,
        timeout(SHORT),
    ):
        while time.monotonic() < end:
            qsort(numbers, len(numbers), ctypes.sizeof(ctypes.c_int), slowly)
    assert isinstance(info.value.__cause__, TimeoutInterrupt)  # and not the block's end


def test_what_is_swallowed_time_and_again_comes_less_often_and_is_told_once() -> None:
    enough = _limits._SWALLOWED + 4

    def swallow() -> list[float]:
        pauses: list[float] = []
        before = time.monotonic()  # the last time was raised
        with pytest.raises(TimedOut), timeout(None) as block:
            while len(pauses) < enough:
                try:
                    if not pauses:
                        block.reschedule(before + SHORT)
                    while (looked := time.monotonic()) < before + DEADLINE:
                        pass
                    raise AssertionError("nothing came")
                except TimeoutInterrupt:
                    pauses.append(time.monotonic() - before)
                    before = looked
        return pauses

    # An interruption may meet the loop where nothing swallows it, and end that.
    while True:
        with warnings.catch_warnings(record=True) as warned:
            warnings.simplefilter("always")
            if len(pauses := swallow()) == enough:
                break
    assert [warning.filename for warning in warned] == [__file__]
    assert warned[0].category is RuntimeWarning
    assert "swallowed" in str(warned[0].message)
    usual = AGAIN / 1e9
    assert pauses[-1] > 4 * usual


@nested_handlers
def test_an_interruption_that_waits_for_other_handlers_is_not_raised_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The dispatcher hands over all that is there before it lets an exception leave."""
    expired, lost, called = [0], list[Any](), list[int]()
    monkeypatch.setattr("sys.unraisablehook", lambda args: lost.append(args.exc_value))
    look = Schedule.look

    def count(self: Schedule, now: int) -> None:
        expired[0] += 1
        look(self, now)

    monkeypatch.setattr(Schedule, "look", count)

    def handler(info: signal.SigInfo, frame: object) -> None:
        called.append(info.si_value or 0)
        if len(called) == 1:
            block.reschedule(time.monotonic() + SHORT)
            spin()
        seen = expired[0]
        until(lambda: expired[0] > seen + 2, "the timer")

    number = signal.SIGRTMIN + 1
    signal.sigaction(number, handler)
    block = timeout(None)
    with pytest.raises(TimedOut) as info, block, signal.blocked(number):
        for value in range(3):
            signal.sigqueue(os.getpid(), number, value)
    assert info.value.timeout is block
    assert called == [0, 1, 2]
    assert lost == []


def test_an_interruption_that_becomes_another_exception_is_its_cause() -> None:
    """As sqlite3 makes an OperationalError of what a function of the program raises."""

    def converted() -> None:
        try:
            block.reschedule(time.monotonic() + SHORT)
            spin()
        except TimeoutInterrupt:
            raise LookupError from None

    block = timeout(None)
    with pytest.raises(TimedOut) as info, block:
        converted()
    assert info.value.timeout is block
    assert isinstance(info.value.__cause__, LookupError)


def test_an_exit_of_the_program_is_none_of_its_exceptions() -> None:
    def converted() -> None:
        try:
            block.reschedule(time.monotonic() + SHORT)
            spin()
        except TimeoutInterrupt:
            raise SystemExit(3) from None

    with pytest.raises(SystemExit), timeout(None) as block:
        converted()


def test_in_an_exit_stack_a_loop_that_calls_nothing_is_interrupted() -> None:
    def loop() -> None:
        x = 1
        with contextlib.ExitStack() as stack:
            stack.enter_context(timeout(SHORT))
            while x:
                x += 1

    with pytest.raises(TimedOut):
        loop()


no_star = pytest.mark.skipif(
    PYPY, reason="PyPy raises AssertionError if what is no Exception leaves an except*"
)


@no_star
def test_what_leaves_an_except_star_becomes_timed_out() -> None:
    """CPython 3.11.2 makes a group of it, later ones not."""
    with pytest.raises(TimedOut) as info, timeout(None) as block:
        try:
            raise ExceptionGroup("", [ValueError()])
        except* ValueError:
            block.reschedule(time.monotonic() + SHORT)
            spin()
    assert info.value.timeout is block


@no_star
def test_in_a_group_with_others_it_becomes_timed_out() -> None:
    with pytest.raises(ExceptionGroup) as info, timeout(None) as block:
        try:
            raise ExceptionGroup("", [ValueError(), KeyError()])
        except* ValueError:
            block.reschedule(time.monotonic() + SHORT)
            spin()
    timed_out, others = info.value.exceptions
    assert isinstance(timed_out, TimedOut)
    assert timed_out.timeout is block
    assert isinstance(others, ExceptionGroup)
    assert [type(each) for each in others.exceptions] == [KeyError]


@no_star
def test_on_its_way_in_a_group_it_does_not_come_again() -> None:
    cleaned = False
    with pytest.raises(ExceptionGroup), timeout(None) as block:
        try:
            try:
                raise ExceptionGroup("", [ValueError(), KeyError()])
            except* ValueError:
                block.reschedule(time.monotonic() + SHORT)
                spin()
        finally:
            end = time.monotonic() + 10 * SHORT
            while time.monotonic() < end:
                pass
            cleaned = True
    assert cleaned


def test_a_group_of_others_is_left_alone() -> None:
    quiet = signal.blocked(schedule.signum)
    with pytest.raises(ExceptionGroup, match="of others"), quiet, timeout(0):
        raise ExceptionGroup("of others", [ValueError()])


def test_another_exception_is_left_alone() -> None:
    with pytest.raises(KeyError), signal.blocked(schedule.signum), timeout(0):
        raise KeyError
    with pytest.raises(TimeoutInterrupt) as info, timeout(LONG):
        raise TimeoutInterrupt
    assert info.value.timeout is None
