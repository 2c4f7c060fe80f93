"""Timeouts: blocks that nest, each interrupted within itself and nowhere else."""

from __future__ import annotations

import contextlib
import pickle
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

import sigcffi as signal
from sigcffi import TimedOut, TimeoutInterrupt, timeout, timeout_at

SHORT, LONG = 0.02, 600


def spin() -> None:
    while True:
        time.monotonic()


def test_what_takes_too_long_is_interrupted() -> None:
    with pytest.raises(TimedOut) as caught, timeout(SHORT) as block:
        spin()
    assert caught.value.timeout is block
    assert block.expired
    assert isinstance(caught.value.__cause__, TimeoutInterrupt)
    with pytest.raises(TimeoutError), timeout(SHORT):
        time.sleep(LONG)


def test_what_ends_in_time_is_left_alone() -> None:
    with timeout(LONG) as block:
        assert 0 < (block.remaining() or 0) <= LONG
    assert not block.expired


@pytest.mark.parametrize("seconds", [0, -1, 0.0, -1e-9, False])
def test_without_time_a_block_is_over_at_once(seconds: float) -> None:
    with pytest.raises(TimedOut), timeout(seconds):
        pass


def test_the_inner_block_ends_alone() -> None:
    with timeout(LONG) as outer:
        with pytest.raises(TimedOut), timeout(SHORT) as inner:
            spin()
        assert inner.expired
    assert not outer.expired


def test_the_outer_block_ends_both() -> None:
    after = False
    with pytest.raises(TimedOut) as caught, timeout(SHORT) as outer:
        with timeout(LONG) as inner:
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


def test_an_interruption_that_is_swallowed_is_raised_anew() -> None:
    with pytest.raises(TimedOut), timeout(SHORT), contextlib.suppress(Exception):
        spin()
    with pytest.raises(TimedOut), timeout(SHORT):
        with contextlib.suppress(BaseException):
            spin()
        spin()


def test_a_generator_is_interrupted_while_it_runs_and_its_consumer_is_not() -> None:
    def generator() -> Iterator[int]:
        with timeout(SHORT):
            yield 1
            spin()

    values = generator()
    next(values)
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
    with pytest.raises(TypeError):
        timeout(1)(coroutine)


async def coroutine() -> None:
    with timeout(1):
        pass


def test_where_it_cannot_work_it_says_so() -> None:
    with pytest.raises(RuntimeError, match="coroutine"):
        coroutine().send(None)
    errors: list[BaseException] = []

    def enter() -> None:
        try:
            with timeout(1):
                pass
        except ValueError as error:
            errors.append(error)

    thread = threading.Thread(target=enter)
    thread.start()
    thread.join()
    assert "main thread" in str(errors[0])
    with timeout(LONG) as block, pytest.raises(RuntimeError, match="once"):
        block.__enter__()


@pytest.mark.parametrize(
    ("seconds", "error"),
    [
        (float("nan"), ValueError),
        (float("inf"), OverflowError),
        (2**63, OverflowError),
        ("1", TypeError),
        (1j, TypeError),
    ],
)
def test_what_is_no_time_is_refused(seconds: Any, error: type[Exception]) -> None:
    with pytest.raises(error):
        timeout(seconds)
    with pytest.raises(error):
        timeout_at(seconds)
    with pytest.raises(ValueError, match="positive"):
        timeout(1, kill_after=0)


def test_it_can_be_rescheduled() -> None:
    with timeout(SHORT) as block:
        block.reschedule(None)
        assert block.remaining() is None
    with pytest.raises(TimedOut), timeout(None) as block:
        block.reschedule(time.monotonic() + SHORT)
        spin()
    with pytest.raises(TimedOut), timeout_at(time.monotonic() + SHORT):
        spin()


def test_many_blocks_leave_nothing_behind() -> None:
    from sigcffi import _limits

    with timeout(LONG):
        for number in range(1000):
            with timeout(LONG + number % 7):
                pass
        assert len(_limits.heap) < 200


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
