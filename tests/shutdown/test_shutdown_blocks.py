"""``shutdown``: where a block begins, and what there is behind its end."""

from __future__ import annotations

import contextlib
import math
import os
import select
import signal as standard
import threading
from collections.abc import Callable

import pytest
from support import DEADLINE, asleep, disposition, in_thread, join, run_python, until

import sigcffi as signal
from sigcffi import SigInfo, shutdown
from sigcffi._handlers.sigaction import Replacing
from sigcffi._shutdown.stages import Stages

S, T, R = signal.SIGUSR1, signal.SIGUSR2, signal.SIGRTMIN
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
        (lambda: shutdown(S, force=2**31), OverflowError),
        (lambda: shutdown(S, force=10**30), OverflowError),
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


@pytest.mark.parametrize("between", [False, True])
def test_of_blocks_that_overlap_the_last_puts_back_what_was_there_before_the_first(
    between: bool,
) -> None:
    """As those of two tasks do."""
    calls: list[int] = []
    signal.signal(S, lambda signum, frame: calls.append(signum))
    before = disposition(S)
    blocks = [shutdown(S, grace=0) for _ in range(3)]
    for block in blocks:
        block.__enter__()
    blocks[1 if between else 0].__exit__(None, None, None)
    blocks[0 if between else 1].__exit__(None, None, None)
    with contextlib.suppress(signal.ShutdownInterrupt):  # its block is no with statement's
        send()
        for_ever()
    assert [block.stage for block in blocks] == ["running", "running", "interrupted"]
    blocks[2].__exit__(None, None, None)
    assert not calls
    assert disposition(S) == before
    send()
    assert calls == [S]


def test_a_handler_that_came_between_two_blocks_is_nobodys_to_take_away() -> None:
    outer, inner = shutdown(S), shutdown(S)
    calls: list[int] = []
    before = disposition(S)
    outer.__enter__()
    with signal.handling(S, lambda info, frame: calls.append(info.si_signo)):
        inner.__enter__()
        outer.__exit__(None, None, None)
        send()
        assert (inner.stage, calls) == ("draining", [])
        inner.__exit__(None, None, None)
        send()
        assert calls == [S]
    signal.sigaction(S, signal.SIG_DFL)
    assert disposition(S) == before


def test_what_the_block_has_counted_is_not_the_former_handlers() -> None:
    """Two come at once: the first call of the handler sees that the block is to be interrupted."""
    calls: list[int] = []
    signal.signal(R, lambda signum, frame: calls.append(signum))
    for _ in range(300):
        with shutdown(R) as stop:
            with signal.blocked(R):
                os.kill(HERE, R)
                os.kill(HERE, R)
            for_ever()
        signal.pthread_sigmask(signal.SIG_BLOCK, ())
        assert (stop.stage, calls) == ("interrupted", [])


def test_code_that_saves_and_restores_the_handler_does_not_take_the_signal() -> None:
    """Through the standard module, as servers do."""
    with shutdown(S, grace=3600) as stop:
        former = standard.signal(S, standard.SIG_DFL)
        standard.signal(S, former)
        assert not stop
        send()
        assert stop.wait(DEADLINE)
        assert select.select([stop], [], [], 0)[0]
        assert isinstance(stop.reason, SigInfo)
        assert (stop.stage, stop.reason.si_signo) == ("draining", S)
        send()
        for_ever()
    assert stop.stage == "interrupted"


def test_what_comes_before_there_is_a_handler_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    enter = Replacing.__enter__

    def late(self: Replacing) -> None:
        send()
        enter(self)

    monkeypatch.setattr(Replacing, "__enter__", late)
    with shutdown(S, grace=0) as stop:
        for_ever()
    assert stop.stage == "interrupted"


def test_a_thread_that_is_just_asking_is_waited_for_by_the_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    order: list[str] = []
    within, main = threading.Event(), threading.get_native_id()
    reach = Stages.reach

    def slow(self: Stages, stage: int) -> bool:
        within.set()
        until(lambda: asleep(main), "the block's end waits")
        order.append("asked" if self._number >= 0 else "asked what has ended")
        return reach(self, stage)

    monkeypatch.setattr(Stages, "reach", slow)
    with shutdown(S, kill_after=3600) as stop:
        thread = in_thread(lambda: stop.request("a thread"))
        within.wait(DEADLINE)
    order.append("ended")
    join(thread)
    assert order == ["asked", "ended"]


FOREIGN = """
    import os, signal, sigcffi
    from sigcffi._shutdown import stages
    check = stages.check

    def late(result):
        os.kill(os.getpid(), signal.SIGINT)
        return check(result)

    for _ in range({times}):
        stages.check = late
        try:
            with sigcffi.shutdown(signal.SIGTERM):
                print("not struck")
        except KeyboardInterrupt:
            stages.check = check
    with sigcffi.shutdown(signal.SIGTERM), sigcffi.shutdown(signal.SIGTERM):
        print("good")
"""


def test_ctrl_c_within_the_beginning_leaves_nothing() -> None:
    assert run_python(FOREIGN.format(times=20)).stdout == "good\n"


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


def test_a_child_of_another_thread_is_in_no_block() -> None:
    code = """
        import os, threading, sigcffi as signal

        def fork():
            pid = os.fork()
            if pid == 0:
                os.kill(os.getpid(), signal.SIGUSR1)
                os._exit(0)
            print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))

        with signal.shutdown(signal.SIGUSR1, inherit=True, grace=0):
            thread = threading.Thread(target=fork)
            thread.start()
            thread.join()
    """
    done = run_python(code, flags=["-W", "ignore::DeprecationWarning"])
    assert done.stdout == f"{-S}\n", done
