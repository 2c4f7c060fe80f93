"""``timeout`` and ``timeout_at``, on the real timer: what ends, where, and as what.

A block may be interrupted at its very beginning. Where something is to be done in it before, its
time begins with ``reschedule``.
"""

from __future__ import annotations

import contextlib
import pickle
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from support import DEADLINE, PYPY, join, with_room

import sigcffi as signal
from sigcffi import TimedOut, TimeoutInterrupt, timeout, timeout_at
from sigcffi._time.schedule import schedule

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


def test_a_block_that_has_been_interrupted_is_not_put_off() -> None:
    with pytest.raises(TimedOut) as raised, timeout(LONG) as block:
        block.reschedule(time.monotonic() + SHORT)
        try:
            spin()
        except TimeoutInterrupt:
            with pytest.raises(RuntimeError, match="interrupted already"):
                block.reschedule(None)
            raise
    assert raised.value.timeout is block


def test_its_repr_says_how_it_stands() -> None:
    block = timeout(LONG)
    assert repr(block) == "<timeout of 3600 s, new>"
    with block:
        assert repr(block).startswith("<timeout of 3600 s, open, 3")
        assert repr(block).endswith(" s left>")
    assert repr(block) == "<timeout of 3600 s, ended>"
    with timeout(None) as endless:
        assert repr(endless) == "<timeout of None s, open>"


def test_many_do_not_grow_the_heap() -> None:
    for _ in range(1000):
        with timeout(LONG), timeout(LONG + 1):
            pass
    assert len(schedule.heap) <= 200


def test_what_is_put_off_time_and_again_does_not_grow_the_heap() -> None:
    """In turns: what is last in the heap is taken out at once."""
    with timeout(LONG), timeout(LONG + 1) as first, timeout(LONG + 1) as second:
        for _ in range(1000):
            for block in (first, second):
                block.reschedule(time.monotonic() + LONG + 1)
        assert len(schedule.heap) <= 200
        assert all(LONG < block.remaining() <= LONG + 1 for block in (first, second))


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
    with pytest.warns(RuntimeWarning, match="yields within"):
        block = next(values)
    block.reschedule(time.monotonic() + SHORT)
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
