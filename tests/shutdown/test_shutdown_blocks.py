"""``shutdown``: where a block begins, and what there is behind its end."""

from __future__ import annotations

import contextlib
import math
import os
from collections.abc import Callable

import pytest
from support import disposition, in_thread, join, run_python, until

import sigcffi as signal
from sigcffi import shutdown

S, T = signal.SIGUSR1, signal.SIGUSR2
HERE = os.getpid()


def send(signum: int = S) -> None:
    os.kill(HERE, signum)
    signal.pthread_sigmask(signal.SIG_BLOCK, ())  # its handler runs now


def for_ever() -> None:
    until(lambda: False, "the interruption")


def test_at_the_end_all_is_as_before() -> None:
    signal.signal(T, signal.SIG_IGN)
    calls: list[int] = []
    signal.signal(S, lambda signum, frame: calls.append(signum))
    before = disposition(S), disposition(T)
    descriptors = len(os.listdir("/proc/self/fd"))
    with shutdown(S, T):
        send()
        assert not calls
    assert (disposition(S), disposition(T)) == before
    assert len(os.listdir("/proc/self/fd")) == descriptors
    send()
    assert calls == [S]


def test_blocks_nest_and_all_go_through_their_stages() -> None:
    with shutdown(S) as outer:
        with shutdown(S, T) as inner:
            send()
            assert (outer.stage, inner.stage) == ("draining", "draining")
        with shutdown(T) as other:
            send(T)
            assert (outer.stage, other.stage) == ("draining", "draining")
            send(T)
            for_ever()
        assert outer.stage == "draining"
        with shutdown(S):
            send()
            for_ever()
        pytest.fail("the outer block went on")
    assert outer.stage == "interrupted"


def test_one_object_is_one_block() -> None:
    stop = shutdown(S)
    for ask in (stop.wait, stop.fileno, stop.request, lambda: stop.address):
        with pytest.raises(ValueError, match="not begun"):
            ask()
    assert (bool(stop), stop.stage, stop.reason) == (False, "running", None)
    with stop:
        pass
    with pytest.raises(RuntimeError, match="once"), stop:
        pass


@pytest.mark.parametrize(
    ("make", "error"),
    [
        (lambda: shutdown(0), ValueError),
        (lambda: shutdown("SIGTERM"), TypeError),  # type: ignore[arg-type]
        (lambda: shutdown(signal.SIGKILL), OSError),
        (lambda: shutdown(S, grace=-1), ValueError),
        (lambda: shutdown(S, grace=math.nan), ValueError),
        (lambda: shutdown(S, grace=math.inf), OverflowError),
        (lambda: shutdown(S, grace="1"), TypeError),  # type: ignore[arg-type]
        (lambda: shutdown(S, grace=2**70), OverflowError),
        (lambda: shutdown(S, kill_after=0), ValueError),
        (lambda: shutdown(S, kill_after=-1.5), ValueError),
        (lambda: shutdown(S, kill_after=math.nan), ValueError),
        (lambda: shutdown(S, force=0), ValueError),
        (lambda: shutdown(S, force=2**31), ValueError),
        (lambda: shutdown(S, force=1.0), TypeError),  # type: ignore[arg-type]
    ],
)
def test_bad_arguments_are_refused_when_it_is_made(
    make: Callable[[], object], error: type[Exception]
) -> None:
    with pytest.raises(error):
        make()


def test_in_another_thread_or_a_coroutine_it_cannot_begin() -> None:
    before = disposition(S)
    errors: list[BaseException] = []

    def enter() -> None:
        try:
            with shutdown(S):
                pass
        except ValueError as error:
            errors.append(error)

    async def enter_in_a_coroutine() -> None:
        with shutdown(S):
            pass

    join(in_thread(enter))
    assert "main thread" in str(errors[0])
    with pytest.raises(RuntimeError, match="async with"):
        enter_in_a_coroutine().send(None)
    assert disposition(S) == before


def test_what_cannot_be_attached_leaves_nothing() -> None:
    before = disposition(S), disposition(T)
    with contextlib.ExitStack() as stack:
        for _ in range(8):
            stack.enter_context(signal.actions.counter(T))
        with pytest.raises(OSError, match="8 actions"), shutdown(S, T):
            pass
    assert (disposition(S), disposition(T)) == before
    with contextlib.ExitStack() as stack:
        for number in range(16):
            stack.enter_context(shutdown(signal.SIGRTMIN + number))
        with pytest.raises(OSError, match="No space"), shutdown(S):
            pass
    assert (disposition(S), disposition(T)) == before


# ---- Forked children ----

CHILD = """
    import os, sigcffi as signal
    S = signal.SIGUSR1
    calls = []
    signal.signal(S, lambda signum, frame: calls.append(signum))
    with signal.shutdown(S, inherit={inherit}) as stop:
        os.kill(os.getpid(), S)
        pid = os.fork()
        if pid == 0:
            assert not stop
            os.kill(os.getpid(), S)
            signal.pthread_sigmask(signal.SIG_BLOCK, ())
            os._exit(10 * len(calls) + bool(stop))
        print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), stop.stage)
"""


@pytest.mark.parametrize(("inherit", "status"), [(False, 10), (True, 1)])
def test_a_forked_child_has_it_only_if_it_inherits(inherit: bool, status: int) -> None:
    assert run_python(CHILD.format(inherit=inherit)).stdout == f"{status} draining\n"
