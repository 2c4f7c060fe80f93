"""``timeout`` and ``timeout_at``, on the real timer: what ends, where, and as what.

A block may be interrupted at its very beginning. Where something is to be done in it before, its
time begins with ``reschedule``.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import pickle
import threading
import time
import warnings
import weakref
from collections.abc import Iterator
from typing import Any

import pytest
from support import DEADLINE, PYPY, join, nested_handlers, until, with_room

import sigcffi as signal
from sigcffi import TimedOut, TimeoutInterrupt, timeout, timeout_at
from sigcffi._time import limits as _limits
from sigcffi._time.schedule import AGAIN, Schedule, schedule

SHORT = 0.01
LONG = 3600


def enter() -> None:
    with timeout(LONG):
        pass


@pytest.fixture(autouse=True)
def there_is_a_timer() -> None:
    with_room(enter)


def spin() -> None:
    """For ever, if nothing comes."""
    end = time.monotonic() + DEADLINE
    while True:
        if time.monotonic() > end:
            raise AssertionError("nothing came")


def test_a_loop_is_interrupted_by_what_is_no_exception() -> None:
    caught: list[BaseException] = []
    block = timeout(SHORT)
    with pytest.raises(TimedOut) as info, block:
        while True:
            try:
                spin()
            except Exception as error:
                caught.append(error)
    assert caught == []
    assert isinstance(info.value, TimeoutError)
    assert isinstance(info.value.__cause__, TimeoutInterrupt)
    assert info.value.timeout is block
    assert block.expired
    assert block.remaining() == 0.0
    assert "expired" in repr(block)


def test_a_system_call_is_interrupted() -> None:
    with pytest.raises(TimedOut), timeout(SHORT):
        time.sleep(LONG)


@pytest.mark.parametrize("outer", [SHORT, LONG])
def test_the_earliest_wins_and_each_ends_its_own_block(outer: float) -> None:
    first, second = timeout(outer), timeout(LONG - outer)
    earliest = first if outer == SHORT else second
    with pytest.raises(TimedOut) as info, first, second:
        assert time.sleep(LONG) is None
    assert info.value.timeout is earliest
    assert [first.expired, second.expired] == [earliest is first, earliest is second]


def test_of_two_that_are_due_the_outermost_is_interrupted() -> None:
    outer = timeout_at(0)
    with pytest.raises(TimedOut) as info, outer, timeout_at(0):
        spin()
    assert info.value.timeout is outer


@pytest.mark.parametrize("seconds", [0, 0.0, -1, -0.5, -(10**6), False])
def test_without_time_it_is_over_at_once(seconds: float) -> None:
    with pytest.raises(TimedOut), timeout(seconds):
        spin()
    with pytest.raises(TimedOut), timeout(seconds):
        pass


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
        import gc

        gc.collect()
        spin()
    limited = False
    assert set(lost) <= {TimeoutInterrupt}


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


@pytest.mark.skipif(PYPY, reason="PyPy looks too seldom to find the moment between two callbacks")
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
    pauses: list[float] = []
    block = timeout(None)

    def swallow() -> None:
        before = time.monotonic()  # the last time was raised
        with block:
            while len(pauses) < _limits._SWALLOWED + 4:
                try:
                    if not pauses:
                        block.reschedule(before + SHORT)
                    while (looked := time.monotonic()) < before + DEADLINE:
                        pass
                    raise AssertionError("nothing came")
                except TimeoutInterrupt:
                    pauses.append(time.monotonic() - before)
                    before = looked

    with pytest.warns(RuntimeWarning, match="swallowed") as warned, pytest.raises(TimedOut):
        swallow()
    assert [warning.filename for warning in warned] == [__file__]
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


def test_a_generator_may_take_long_to_begin_and_to_end() -> None:
    @contextlib.contextmanager
    def limited(beginning: bool) -> Iterator[None]:
        with timeout(SHORT):
            if beginning:
                spin()
            yield
            spin()

    for beginning in (True, False):
        with pytest.raises(TimedOut), limited(beginning):
            assert not beginning


def test_a_shield_keeps_it_off_until_its_end() -> None:
    done = []
    with pytest.raises(TimedOut), timeout(None) as block:
        with block.shield():
            block.reschedule(time.monotonic() + SHORT)
            while block.remaining():
                pass
            for _ in range(1000):
                done.append(1)
        done.append(2)
    assert done == [1] * 1000


def test_deferred_keeps_it_off_until_its_end() -> None:
    done = False
    with pytest.raises(TimedOut), timeout(LONG) as block:
        with signal.deferred():
            block.reschedule(time.monotonic() + SHORT)
            while block.remaining():
                pass
            done = True
        spin()
    assert done


@pytest.mark.skipif(PYPY, reason="PyPy runs no handler inside another one")
def test_in_another_signals_handler() -> None:
    signal.signal(signal.SIGUSR1, lambda signum, frame: spin())
    with pytest.raises(TimedOut), timeout(SHORT):
        signal.raise_signal(signal.SIGUSR1)
    signal.sigaction(signal.SIGUSR2, lambda info, frame: spin())
    with pytest.raises(TimedOut), timeout(SHORT):
        signal.raise_signal(signal.SIGUSR2)
    seen = signal.subscribe(signal.SIGUSR2, lambda info, frame: spin())
    signal.sigaction(signal.SIGUSR2, signal.SIG_IGN)
    with pytest.raises(TimedOut), timeout(SHORT):
        signal.raise_signal(signal.SIGUSR2)
    seen.close()


def test_rescheduling() -> None:
    with timeout(None) as block:
        with block.shield():
            end = time.monotonic() + SHORT
            block.reschedule(end)
            block.reschedule(None)
        assert block.remaining() is None
        assert block.deadline is None
        while time.monotonic() < end + SHORT:
            pass
    assert not block.expired
    block = timeout(None)
    with pytest.raises(TimedOut), block:
        block.reschedule(time.monotonic() + SHORT)
        spin()
    with pytest.raises(RuntimeError, match="not open"):
        block.reschedule(1)


def test_it_is_entered_once_in_the_main_thread() -> None:
    with timeout(LONG) as block:
        pass
    with pytest.raises(RuntimeError, match="once"):
        block.__enter__()
    errors: list[BaseException] = []

    def elsewhere() -> None:
        try:
            timeout(1).__enter__()
        except ValueError as error:
            errors.append(error)

    thread = threading.Thread(target=elsewhere)
    thread.start()
    join(thread)
    assert "main thread" in str(errors[0])


def test_coroutines_are_refused() -> None:
    async def coroutine() -> None:
        with timeout(LONG):
            pass

    async def asynchronous() -> Any:
        with timeout(LONG):
            yield 1

    with pytest.raises(RuntimeError, match=r"asyncio\.timeout"):
        coroutine().send(None)
    with pytest.raises(RuntimeError, match=r"trio\.fail_after"):
        asynchronous().__anext__().send(None)
    for function in (coroutine, asynchronous):
        with pytest.raises(TypeError):
            timeout(LONG)(function)


@pytest.mark.parametrize(
    ("seconds", "error"),
    [
        (float("nan"), ValueError),
        (float("inf"), OverflowError),
        (-float("inf"), OverflowError),
        (1e10, OverflowError),
        (10**10, OverflowError),
        ("1", TypeError),
        ([], TypeError),
        (1j, TypeError),
    ],
)
def test_what_is_no_time_is_refused(seconds: Any, error: type[Exception]) -> None:
    with pytest.raises(error):
        timeout(seconds)
    with pytest.raises(error):
        timeout_at(seconds)
    with pytest.raises(error):
        timeout(1, kill_after=seconds)


@pytest.mark.parametrize("seconds", [0, -1, 0.0])
def test_kill_after_is_positive(seconds: float) -> None:
    with pytest.raises(ValueError, match="positive"):
        timeout(1, kill_after=seconds)


def test_many_do_not_grow_the_heap() -> None:
    for _ in range(1000):
        with timeout(LONG), timeout(LONG + 1):
            pass
    assert len(schedule.heap) <= 200


def test_the_inner_block_ends_alone() -> None:
    inner = timeout(SHORT)
    with timeout(LONG) as outer:
        with pytest.raises(TimedOut), inner:
            spin()
        assert inner.expired
    assert not outer.expired


def test_the_outer_block_ends_both() -> None:
    after = False
    with pytest.raises(TimedOut) as caught, timeout(None) as outer:
        with timeout(LONG) as inner:
            outer.reschedule(time.monotonic() + SHORT)
            spin()
        after = True
    assert caught.value.timeout is outer
    assert not inner.expired
    assert not after


def test_timed_out_is_caught_in_the_same_function() -> None:
    """CPython 3.13 forgets the handlers for the jump of a ``while`` loop with a condition."""
    for _ in range(100):
        try:
            with timeout(0.001):
                end, count = time.monotonic() + LONG, 0
                while time.monotonic() < end:
                    count += 1
        except TimedOut:
            continue
        pytest.fail("the block ended")


def test_a_generator_is_interrupted_while_it_runs_and_its_consumer_is_not() -> None:
    def generator() -> Iterator[timeout]:
        with timeout(None) as block:
            yield block
            spin()

    values = generator()
    next(values).reschedule(time.monotonic() + SHORT)
    end = time.monotonic() + 3 * SHORT
    while time.monotonic() < end:
        pass
    with pytest.raises(TimedOut):
        next(values)


def test_a_context_manager_of_contextlib_is_a_block_of_who_enters_it() -> None:
    @contextlib.contextmanager
    def limit() -> Iterator[None]:
        with timeout(SHORT):
            yield

    with pytest.raises(TimedOut), limit():
        spin()
    with pytest.raises(TimedOut), contextlib.ExitStack() as stack:
        stack.enter_context(timeout(SHORT))
        spin()


def test_as_a_decorator_each_call_is_a_block() -> None:
    @timeout(SHORT)
    def function() -> None:
        spin()

    for _ in range(2):
        with pytest.raises(TimedOut):
            function()


def test_the_programs_alarm_and_handler_are_left_alone() -> None:
    seen = []
    signal.signal(signal.SIGALRM, lambda signum, frame: seen.append(signum))
    signal.setitimer(signal.ITIMER_REAL, LONG)
    with pytest.raises(TimedOut), timeout(SHORT):
        spin()
    assert signal.setitimer(signal.ITIMER_REAL, 0)[0] > 0
    assert callable(signal.getsignal(signal.SIGALRM))
    assert seen == []


def test_timed_out_can_be_sent_to_another_process() -> None:
    with pytest.raises(TimedOut) as caught, timeout(0):
        pass
    copy = pickle.loads(pickle.dumps(caught.value))
    assert type(copy) is TimedOut
    assert copy.args == caught.value.args


def test_what_ends_in_time_is_left_alone() -> None:
    with timeout(LONG) as block:
        assert 0 < (block.remaining() or 0) <= LONG
    assert not block.expired


def test_a_block_that_begins_meanwhile_puts_nothing_off() -> None:
    outer = timeout(SHORT)
    with pytest.raises(TimedOut) as info, outer:
        with contextlib.suppress(BaseException):
            spin()
        with timeout(LONG):
            pass
        spin()
    assert info.value.timeout is outer


def test_a_shield_is_the_main_threads() -> None:
    errors: list[BaseException] = []
    with timeout(LONG) as block:

        def elsewhere() -> None:
            try:
                block.shield().__enter__()
            except ValueError as error:
                errors.append(error)

        thread = threading.Thread(target=elsewhere)
        thread.start()
        join(thread)
    assert "main thread" in str(errors[0])


def test_while_one_is_open_the_signal_stays() -> None:
    with timeout(None), pytest.raises(RuntimeError, match="open"):
        signal.set_timeout_signal(signal.SIGRTMIN)
