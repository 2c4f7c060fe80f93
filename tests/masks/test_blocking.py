"""``blocked``: held back within, let through behind, and the mask as it was."""

from __future__ import annotations

import asyncio
import os
import pickle
import signal as standard
import threading
from contextlib import ExitStack
from types import FrameType
from typing import Any

import pytest
from support import join, python_says

import sigcffi as signal
from sigcffi._masks import blocking as _blocking
from sigcffi._masks import masks as _masks

A, B, C = signal.SIGUSR1, signal.SIGUSR2, signal.SIGWINCH
ALL = signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}


def mask() -> set[int]:
    """As the standard module sees it."""
    return set(standard.pthread_sigmask(standard.SIG_BLOCK, ()))


class HandlerError(Exception):
    pass


def fail(signum: int, frame: FrameType | None) -> None:
    raise HandlerError


def test_what_arrives_within_is_handled_when_the_block_has_ended() -> None:
    seen: list[int] = []
    signal.signal(A, lambda signum, frame: seen.append(signum))
    with signal.blocked(A, B):
        assert mask() == {A, B}
        os.kill(os.getpid(), A)
        assert seen == []
        assert signal.sigpending() == {A}
    after = list(seen)  # at once: before any other call that might look for due handlers
    assert after == [A]
    assert mask() == set()


def test_a_handlers_exception_leaves_the_statement_when_the_mask_is_back() -> None:
    signal.signal(A, fail)
    with pytest.raises(HandlerError), signal.blocked(A):
        os.kill(os.getpid(), A)
    assert mask() == set()


def test_an_exception_ends_the_block() -> None:
    with pytest.raises(ZeroDivisionError), signal.blocked(A):
        raise ZeroDivisionError
    assert mask() == set()


def test_what_was_blocked_before_stays_so() -> None:
    signal.pthread_sigmask(signal.SIG_BLOCK, {A})
    with signal.blocked(A, B):
        pass
    assert mask() == {A}


def test_what_is_done_to_the_mask_within_is_left_alone() -> None:
    signal.pthread_sigmask(signal.SIG_BLOCK, {C})
    with signal.blocked(A, B):
        signal.pthread_sigmask(signal.SIG_SETMASK, {A, signal.SIGHUP})
    assert mask() == {signal.SIGHUP}


def test_an_inner_block_gives_back_what_an_outer_one_has_had_taken_away() -> None:
    with signal.blocked(A):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {A})
        with signal.blocked(A):
            assert mask() == {A}
        assert mask() == set()
    assert mask() == set()


def test_blocks_nest_deeper_than_is_remembered_of_each() -> None:
    block = signal.blocked(A)
    with block:
        for _ in range(200):
            block.__enter__()
        for _ in range(200):
            block.__exit__(None, None, None)
            assert mask() == {A}
    assert mask() == set()


def test_of_blocks_that_overlap_the_last_decides() -> None:
    first, second = signal.blocked(A, B), signal.blocked(B, C)
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    assert mask() == {B, C}
    second.__exit__(None, None, None)
    assert mask() == set()


def test_a_block_that_another_thread_ends_changes_nothing_there() -> None:
    block = signal.blocked(A)
    masks: list[set[int]] = []
    block.__enter__()

    def run() -> None:
        signal.pthread_sigmask(signal.SIG_SETMASK, {A, B})
        block.__exit__(None, None, None)
        masks.append(mask())
        signal.pthread_sigmask(signal.SIG_SETMASK, ())
        with block:
            masks.append(mask())
        masks.append(mask())

    thread = threading.Thread(target=run)
    thread.start()
    join(thread)
    assert masks == [{A, B}, {A}, set()]
    assert mask() == {A}
    block.__exit__(None, None, None)
    assert mask() == set()


def test_one_object_serves_several_threads_at_once() -> None:
    block = signal.blocked(A)
    entered, leave = threading.Event(), threading.Event()
    masks: list[set[int]] = []

    def run() -> None:
        with block:
            entered.set()
            leave.wait()
            masks.append(mask())
        masks.append(mask())

    thread = threading.Thread(target=run)
    thread.start()
    entered.wait()
    with block:
        leave.set()
        join(thread)
        assert mask() == {A}
    assert mask() == set()
    assert masks == [{A}, set()]


def test_a_thread_inherits_the_mask_but_not_the_block() -> None:
    masks: list[set[int]] = []

    def run() -> None:
        with signal.blocked(A):
            pass
        masks.append(mask())

    with signal.blocked(A):
        thread = threading.Thread(target=run)
        thread.start()
        join(thread)
    assert masks == [{A}]


def test_a_forked_child_ends_the_block_that_it_was_forked_in() -> None:
    code = """
        import os, sigcffi as signal
        with signal.blocked(signal.SIGUSR1):
            child = os.fork()
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, ())
        if child == 0:
            os._exit(len(mask))
        print(len(mask), os.waitpid(child, 0)[1])
    """
    assert python_says(code) == "0 0\n"


def test_it_decorates_functions_and_coroutine_functions_but_not_generators() -> None:
    @signal.blocked(A)
    def function(x: int, *, y: int) -> tuple[int, set[int]]:
        """Doc."""
        return x + y, mask()

    @signal.blocked(B)
    async def coroutine() -> set[int]:
        await asyncio.sleep(0)
        return mask()

    assert function(1, y=2) == (3, {A})
    assert function.__doc__ == "Doc."
    assert asyncio.run(coroutine()) == {B}
    assert mask() == set()

    with pytest.raises(TypeError):

        @signal.blocked(A)
        def generator() -> Any:
            yield


def test_a_decorated_function_may_call_itself() -> None:
    @signal.blocked(A)
    def down(n: int) -> set[int]:
        return down(n - 1) if n else mask()

    assert down(100) == {A}
    assert mask() == set()


@pytest.mark.parametrize("when", ["before", "after", "late"])
def test_a_handler_that_raises_while_the_block_begins_leaves_the_mask_as_it_was(
    monkeypatch: pytest.MonkeyPatch, when: str
) -> None:
    """Its exception comes instead of the block: nobody would leave that."""
    real = _blocking._block

    def block(word: int) -> int:
        if when == "before":
            raise HandlerError
        former = real(word)
        if when == "after":
            raise HandlerError
        return former

    def late(word: int) -> Any:
        raise HandlerError

    with signal.blocked(B):
        monkeypatch.setattr(_blocking, "_block", block)
        if when == "late":
            monkeypatch.setattr(_blocking, "Mask", late)
        with pytest.raises(HandlerError), signal.blocked(A, B):
            pytest.fail("it has begun")
        assert mask() == {B}
        monkeypatch.undo()
    assert mask() == set()


def test_sigkill_and_sigstop_stay_as_they_are() -> None:
    with signal.blocked(signal.SIGKILL, signal.SIGSTOP, A):
        assert mask() == {A}
    assert mask() == set()


def test_without_signals_nothing_is_blocked() -> None:
    with signal.blocked() as former:
        assert mask() == former == set()


def test_all_signals_can_be_blocked() -> None:
    with signal.blocked(*signal.valid_signals()):
        assert mask() == ALL
    assert mask() == set()


@pytest.mark.parametrize(
    ("signum", "error"),
    [(0, ValueError), (-1, ValueError), (signal.NSIG, ValueError), ("x", TypeError)],
)
def test_what_is_no_signal_is_refused_before_the_block(signum: Any, error: type[Exception]) -> None:
    with pytest.raises(error):
        signal.blocked(A, signum)
    assert mask() == set()


# ---- The former mask ----


def test_the_former_mask_is_a_set() -> None:
    signal.pthread_sigmask(signal.SIG_BLOCK, {A, B})
    with signal.blocked(C) as former:
        pass
    assert former == {A, B}
    assert {A, B} == former
    assert former != {A}
    assert hash(former) == hash(frozenset({A, B}))
    assert len(former) == 2
    assert sorted(former) == [A, B]
    assert {type(signum) for signum in former} == {standard.Signals}
    assert A in former
    assert int(B) in former
    assert C not in former
    assert "x" not in former
    assert former | {C} == {A, B, C}
    assert former & {A} == {A}
    assert {A, B, C} - former == {C}
    assert former ^ {A, C} == {B, C}
    assert former <= {A, B, C}
    assert former > {A}
    assert former.isdisjoint({C})
    assert type(former | {C}) is set
    assert repr(former).startswith("Mask({<Signals.SIGUSR")
    assert pickle.loads(pickle.dumps(former)) == former


def test_the_former_mask_can_be_given_back() -> None:
    signal.pthread_sigmask(signal.SIG_BLOCK, {A})
    with signal.blocked(B) as former:
        assert signal.pthread_sigmask(signal.SIG_SETMASK, former) == {A, B}
        assert mask() == {A}


def test_an_empty_mask_is_false_and_says_so() -> None:
    with signal.blocked(A) as former:
        assert not former
        assert repr(former) == "Mask()"
    with signal.blocked(A), signal.blocked(A) as former:
        assert former


def test_however_many_sets_a_program_has_few_are_kept() -> None:
    for number in range(300):
        some = {signal.SIGRTMIN + bit for bit in range(9) if number >> bit & 1}
        with signal.blocked(*some):
            assert signal.pthread_sigmask(signal.SIG_BLOCK, ()) == mask() == some
    assert len(_masks._sets) <= 256
    assert len(_blocking._known) <= 256


def test_a_block_that_cannot_be_kept_is_not_entered(monkeypatch: pytest.MonkeyPatch) -> None:
    """C has had no memory for what this thread has blocked, and has blocked nothing."""
    monkeypatch.setattr(_blocking, "_block", lambda word: 2**64 - 1)
    with pytest.raises(MemoryError, match="nowhere to keep"), signal.blocked(A):
        pytest.fail("it was entered")
    assert mask() == set()


@pytest.mark.parametrize("block", [signal.blocked(A), signal.deferred(A)])
def test_an_exit_stack_takes_any_block(block: Any) -> None:
    seen: list[int] = []
    signal.signal(A, lambda signum, frame: seen.append(signum))
    with ExitStack() as stack:
        stack.enter_context(block)
        os.kill(os.getpid(), A)
        assert seen == []
    signal.pthread_sigmask(signal.SIG_BLOCK, ())
    assert seen == [A]
