"""``sigaction``: what a handler is told, what flags and masks do, and that restoring is exact."""

from __future__ import annotations

import asyncio
import ctypes
import os
import signal as standard
import subprocess
import sys
import threading
from types import FrameType
from typing import Any

import pytest
from oracle import Index
from support import (
    disposition,
    flags_of,
    join,
    needs_pthread_sigqueue,
    nested_handlers,
    python_says,
    queue,
    run_python,
)

import sigcffi as signal
from sigcffi import Action, SigInfo, handling, ignoring, sigaction
from sigcffi._sigcffi import lib

S, T, R = signal.SIGUSR1, signal.SIGUSR2, signal.SIGRTMIN
HERE = os.getpid()


def nothing(info: SigInfo, frame: FrameType | None) -> None:
    pass


class Recorder:
    """A handler that keeps what it was given."""

    def __init__(self) -> None:
        self.infos: list[SigInfo] = []
        self.frames: list[FrameType | None] = []

    def __call__(self, info: SigInfo, frame: FrameType | None) -> None:
        self.infos.append(info)
        self.frames.append(frame)

    @property
    def values(self) -> list[int | None]:
        return [info.si_value for info in self.infos]


def look() -> None:
    """PyPy looks for due handlers when asked."""
    signal.pthread_sigmask(signal.SIG_BLOCK, ())


# ---- What a handler is told ----


def test_a_handler_learns_who_sent_the_signal_and_how() -> None:
    seen = Recorder()
    sigaction(S, seen)
    os.kill(HERE, S)
    look()
    [info] = seen.infos
    assert (info.si_signo, info.si_code, info.si_pid) == (S, signal.SI_USER, HERE)
    assert info.si_uid == os.getuid()
    assert info.si_value is None
    assert seen.frames[0] is not None


def test_every_queued_value_is_a_call_of_its_own_in_order() -> None:
    seen = Recorder()
    sigaction(R, seen)
    signal.pthread_sigmask(signal.SIG_BLOCK, [R])
    queue(R, *range(50))
    signal.pthread_sigmask(signal.SIG_UNBLOCK, [R])
    assert seen.values == list(range(50))


def test_a_child_is_told_of_with_its_status() -> None:
    seen = Recorder()
    sigaction(signal.SIGCHLD, seen)
    child = subprocess.Popen([sys.executable, "-S", "-c", "raise SystemExit(3)"])
    child.wait()
    look()
    assert seen.infos[0][:2] == (signal.SIGCHLD, signal.CLD_EXITED)
    assert (seen.infos[0].si_pid, seen.infos[0].si_status) == (child.pid, 3)


@needs_pthread_sigqueue
def test_a_signal_that_another_thread_takes_is_handled_in_the_main_thread() -> None:
    where = []
    sigaction(R, lambda info, frame: where.append((threading.current_thread(), info.si_value)))
    thread = threading.Thread(
        target=lambda: [signal.pthread_sigqueue(threading.get_ident(), R, n) for n in range(20)]
    )
    thread.start()
    join(thread)
    look()
    assert where == [(threading.main_thread(), number) for number in range(20)]


# ---- Asking ----


def test_asking_changes_nothing_and_is_possible_in_any_thread() -> None:
    before = disposition(S), disposition(signal.SIGINT)
    answers = [sigaction(S), sigaction(signal.SIGINT)]
    thread = threading.Thread(target=lambda: answers.append(sigaction(S)))
    thread.start()
    join(thread)
    assert answers[0].handler is signal.SIG_DFL
    assert answers[1].handler is signal.default_int_handler
    assert answers[0] == answers[2]
    assert (disposition(S), disposition(signal.SIGINT)) == before


def test_the_answer_is_the_handler_with_its_mask_and_flags() -> None:
    sigaction(S, nothing, mask=[T, R], flags=signal.SA_RESTART)
    action = sigaction(S)
    assert action.handler is nothing
    assert action.mask == {T, R}
    assert action.flags == signal.SA_RESTART | signal.SA_ONSTACK | signal.SA_SIGINFO
    assert action == Action(nothing, (T, R), signal.SA_RESTART)


def test_an_action_is_a_value() -> None:
    one, other = Action(nothing, [S]), Action(nothing, [S])
    assert one == other
    assert hash(one) == hash(other)
    assert one != Action(nothing)
    assert one != 1
    assert "nothing" in repr(one)
    assert "SA_SIGINFO" in repr(one)
    for name in ("handler", "mask", "flags"):
        with pytest.raises(AttributeError):
            setattr(one, name, None)


# ---- Flags and masks ----


def test_restart_is_a_matter_of_the_kernel() -> None:
    sigaction(S, nothing)
    assert not flags_of(S) & signal.SA_RESTART
    sigaction(S, nothing, flags=signal.SA_RESTART | signal.SA_NOCLDSTOP | signal.SA_NOCLDWAIT)
    assert flags_of(S) & signal.SA_RESTART
    assert flags_of(S) & signal.SA_NOCLDSTOP
    assert flags_of(S) & signal.SA_NOCLDWAIT
    assert flags_of(S) & signal.SA_ONSTACK


def test_the_signal_itself_and_those_in_the_mask_wait_while_the_handler_runs() -> None:
    order: list[str] = []

    def slow(info: SigInfo, frame: FrameType | None) -> None:
        order.append("in")
        os.kill(HERE, S) if len(order) < 3 else None
        os.kill(HERE, T)
        os.kill(HERE, signal.SIGHUP)
        look()
        order.append("out")

    sigaction(S, slow, mask=[T, signal.SIGHUP])
    signal.signal(T, lambda signum, frame: order.append("plain"))
    sigaction(signal.SIGHUP, lambda info, frame: order.append("info"))
    os.kill(HERE, S)
    look()
    assert order[:2] == ["in", "out"]
    assert order.count("in") == order.count("out") == 2
    assert "plain" in order
    assert order.count("info") == 2
    assert [word for word in order if word in ("in", "out")] == ["in", "out"] * 2


@nested_handlers
def test_another_signal_interrupts_a_handler() -> None:
    order: list[str] = []

    def slow(info: SigInfo, frame: FrameType | None) -> None:
        order.append("in")
        os.kill(HERE, T)
        look()
        order.append("out")

    sigaction(S, slow)
    sigaction(T, lambda info, frame: order.append("other"))
    os.kill(HERE, S)
    look()
    assert order == ["in", "other", "out"]


@nested_handlers
def test_nodefer_lets_the_signal_interrupt_its_own_handler() -> None:
    order: list[str] = []

    def handler(info: SigInfo, frame: FrameType | None) -> None:
        order.append("in")
        if len(order) < 3:
            os.kill(HERE, S)
            look()
        order.append("out")

    sigaction(S, handler, flags=signal.SA_NODEFER)
    os.kill(HERE, S)
    look()
    assert order == ["in", "in", "in", "out", "out", "out"]


def test_resethand_gives_the_signal_back_before_the_handler_runs() -> None:
    code = """
        import os
        import sigcffi as signal

        def handler(info, frame):
            print("once", signal.getsignal(signal.SIGUSR1) is signal.SIG_DFL, flush=True)

        signal.sigaction(signal.SIGUSR1, handler, flags=signal.SA_RESETHAND)
        signal.raise_signal(signal.SIGUSR1)
        signal.pthread_sigmask(signal.SIG_BLOCK, ())
        signal.raise_signal(signal.SIGUSR1)
        print("not reached")
    """
    done = run_python(code)
    assert (done.returncode, done.stdout) == (-S, "once True\n"), done


def test_what_comes_behind_a_resethand_handler_takes_the_default_action() -> None:
    code = """
        import os
        import sigcffi as signal

        signal.sigaction(signal.SIGRTMIN, lambda info, frame: print(info.si_value, flush=True),
                         flags=signal.SA_RESETHAND)
        with signal.deferred():
            for value in (1, 2):
                signal.sigqueue(os.getpid(), signal.SIGRTMIN, value)
        print("not reached")
    """
    done = run_python(code)
    assert (done.returncode, done.stdout) == (-R, "1\n"), done


# ---- Restoring ----


def test_a_default_and_an_ignored_signal_come_back() -> None:
    for former in (signal.SIG_DFL, signal.SIG_IGN):
        signal.signal(S, former)
        before = disposition(S)
        action = sigaction(S, nothing)
        assert action.handler == former
        installed = sigaction(S, action)
        assert installed.handler is nothing
        assert disposition(S) == before
        assert signal.getsignal(S) == standard.getsignal(S) == former


def test_a_handler_of_signal_comes_back_with_its_flag() -> None:
    seen: list[int] = []

    def plain(signum: int, frame: FrameType | None) -> None:
        seen.append(signum)

    signal.signal(S, plain)
    signal.siginterrupt(S, False)
    before = disposition(S)
    action = sigaction(S, nothing)
    assert action.handler is plain
    assert not action.flags & signal.SA_SIGINFO
    assert action.flags & signal.SA_RESTART
    assert not flags_of(S) & signal.SA_RESTART
    sigaction(S, action)
    assert disposition(S) == before
    assert signal.getsignal(S) is standard.getsignal(S) is plain
    os.kill(HERE, S)
    look()
    assert seen == [S]


def test_the_handler_that_the_interpreter_installed_comes_back_as_it_was() -> None:
    code = """
        import sigcffi as signal
        from sigcffi._sigcffi import ffi, lib

        def raw():
            action = ffi.new("struct sigaction *")
            lib.sigaction(signal.SIGINT, ffi.NULL, action)
            whole, mask = bytes(ffi.buffer(action)), ffi.addressof(action, "sa_mask")
            # Behind the kernel's 64 signals a mask holds what was in memory before.
            start = ffi.cast("char *", mask) - ffi.cast("char *", action)
            return whole[: start + 8] + whole[start + ffi.sizeof(mask[0]) :]

        before = raw()
        former = signal.sigaction(signal.SIGINT, lambda info, frame: None)
        assert raw() != before
        signal.sigaction(signal.SIGINT, former)
        assert raw() == before
        with signal.subscribe(signal.SIGINT, lambda info, frame: None):
            assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
        assert raw() == before
        try:
            signal.raise_signal(signal.SIGINT)
            signal.pthread_sigmask(signal.SIG_BLOCK, ())
        except KeyboardInterrupt:
            print("interrupted")
    """
    assert python_says(code) == "interrupted\n"


def test_a_sigaction_handler_comes_back_with_mask_and_flags() -> None:
    seen = Recorder()
    sigaction(S, seen, mask=[T], flags=signal.SA_RESTART)
    before = disposition(S)
    former = sigaction(S, nothing)
    sigaction(S, former)
    assert sigaction(S) == former == Action(seen, [T], signal.SA_RESTART)
    assert disposition(S) == before
    os.kill(HERE, S)
    look()
    assert len(seen.infos) == 1


def test_a_c_librarys_handler_comes_back_byte_for_byte(foreign: ctypes.CDLL) -> None:
    assert foreign.foreign_install(S, signal.SA_RESTART | signal.SA_NODEFER) == 0
    before = disposition(S)
    action = sigaction(S, nothing)
    assert action.handler is None
    assert action.mask == {signal.SIGUSR2, signal.SIGWINCH}
    assert action.flags & (signal.SA_RESTART | signal.SA_NODEFER | signal.SA_SIGINFO)
    assert signal.getsignal(S) is not None
    sigaction(S, action)
    assert disposition(S) == before
    assert signal.getsignal(S) is None
    calls = foreign.foreign_calls()
    os.kill(HERE, S)
    assert foreign.foreign_calls() == calls + 1


def test_a_restorer_of_its_own_comes_back_with_a_foreign_handler(foreign: ctypes.CDLL) -> None:
    if not hasattr(foreign, "foreign_install_raw"):
        pytest.skip("how a handler returns on this processor is not known here")
    assert foreign.foreign_install_raw(S) == 0
    restorer = foreign.foreign_restorer
    restorer.restype = ctypes.c_void_p
    before = restorer(S)
    former = sigaction(S, nothing)
    assert restorer(S) != before
    sigaction(S, former)
    assert restorer(S) == before


def test_getsignal_hands_out_what_signal_takes_back() -> None:
    seen = Recorder()
    sigaction(S, seen, mask=[T])
    former = signal.signal(S, signal.SIG_IGN)
    assert callable(former)
    assert signal.signal(S, former) is signal.SIG_IGN
    assert sigaction(S) == Action(seen, [T])
    signal.signal(S, signal.getsignal(S))
    os.kill(HERE, S)
    look()
    assert [info.si_pid for info in seen.infos] == [HERE]


def test_an_action_can_be_called_like_the_handler_it_stands_for() -> None:
    seen = Recorder()
    action: Any = Action(seen)
    action(S, None)
    assert (seen.infos[0].si_signo, seen.infos[0].si_code) == (S, None)
    standard.signal(S, action)
    standard.raise_signal(S)
    look()
    assert len(seen.infos) == 2
    with pytest.raises(TypeError):
        Action(signal.SIG_IGN)(S, None)


# ---- Bad input ----


@pytest.mark.parametrize(
    ("arguments", "keywords", "error"),
    [
        ((0, nothing), {}, ValueError),
        ((65, nothing), {}, ValueError),
        ((-1, nothing), {}, ValueError),
        ((2**40, nothing), {}, OverflowError),
        (("10", nothing), {}, TypeError),
        ((1.0, nothing), {}, TypeError),
        ((S, 7), {}, TypeError),
        ((S, "handler"), {}, TypeError),
        ((S, nothing), {"flags": 1 << 30 | 1 << 20}, OSError),
        ((S, nothing), {"flags": -1}, OSError),
        ((S, nothing), {"flags": "1"}, TypeError),
        ((S, nothing), {"mask": [0]}, ValueError),
        ((S, nothing), {"mask": [65]}, ValueError),
        ((S, nothing), {"mask": ["x"]}, TypeError),
        ((S, nothing), {"mask": 5}, TypeError),
        ((S,), {"mask": [T]}, TypeError),
        ((S, Action(nothing)), {"flags": signal.SA_RESTART}, TypeError),
    ],
)
def test_bad_arguments_are_refused_before_anything_has_changed(
    arguments: Any, keywords: Any, error: type[Exception]
) -> None:
    before = disposition(S)
    with pytest.raises(error):
        sigaction(*arguments, **keywords)
    assert disposition(S) == before
    assert signal.getsignal(S) is signal.SIG_DFL


@pytest.mark.parametrize("signum", [signal.SIGKILL, signal.SIGSTOP, 32])
def test_what_cannot_be_handled_is_refused(signum: int) -> None:
    with pytest.raises(OSError, match="Invalid argument"):
        sigaction(signum, nothing)
    with pytest.raises(OSError, match="Invalid argument"):
        signal.subscribe(signum, nothing)
    assert lib.sigcffi_main_thread_is_current()


def test_odd_integers_count_as_elsewhere() -> None:
    seen = Recorder()
    sigaction(Index(int(S)), seen, flags=Index(signal.SA_RESTART))  # type: ignore[arg-type]
    os.kill(HERE, S)
    look()
    assert len(seen.infos) == 1
    assert sigaction(True).handler is signal.SIG_DFL


def test_only_the_main_thread_changes_handlers() -> None:
    errors: list[BaseException] = []

    def change() -> None:
        for call in (
            lambda: sigaction(S, nothing),
            lambda: sigaction(S, signal.SIG_IGN),
            lambda: signal.subscribe(S, nothing),
            lambda: handling(S, nothing).__enter__(),
        ):
            try:
                call()
            except ValueError as error:
                errors.append(error)

    thread = threading.Thread(target=change)
    thread.start()
    join(thread)
    assert ["main thread" in str(error) for error in errors] == [True] * 4
    assert signal.getsignal(S) is signal.SIG_DFL


# ---- handling, ignoring ----


def test_a_block_restores_what_was_there_also_when_nested_and_after_an_exception() -> None:
    before = disposition(S)
    seen, inner = Recorder(), Recorder()
    block = handling(S, seen)
    with block:
        os.kill(HERE, S)
        with handling(S, inner, mask=[T]):
            os.kill(HERE, S)
        with pytest.raises(KeyError), block, ignoring(S):
            os.kill(HERE, S)
            raise KeyError
        assert sigaction(S).handler is seen
        os.kill(HERE, S)
        look()
    assert (len(seen.infos), len(inner.infos)) == (2, 1)
    assert disposition(S) == before


def test_blocks_decorate_functions_and_coroutine_functions() -> None:
    seen = Recorder()

    @handling(S, seen)
    def send(count: int) -> int:
        if count:
            os.kill(HERE, S)
            look()
            send(count - 1)
        return count

    @ignoring(S, T)
    async def send_to_nobody() -> int:
        os.kill(HERE, S)
        await asyncio.sleep(0)
        os.kill(HERE, T)
        return 5

    assert send(3) == 3
    assert len(seen.infos) == 3
    loop = asyncio.new_event_loop()
    try:
        assert loop.run_until_complete(send_to_nobody()) == 5
    finally:
        loop.close()
    assert signal.getsignal(S) is signal.getsignal(T) is signal.SIG_DFL
    with pytest.raises(TypeError, match="generator"):

        @ignoring(S)
        def generate() -> Any:
            yield


def test_a_handler_that_somebody_else_put_there_stays_with_a_warning() -> None:
    with pytest.warns(RuntimeWarning, match="replaced within the block"), handling(S, nothing):
        signal.signal(S, signal.SIG_IGN)
    assert signal.getsignal(S) is signal.SIG_IGN
    with pytest.warns(RuntimeWarning), ignoring(S):
        standard.signal(S, print)  # type: ignore[arg-type]
    assert signal.getsignal(S) is print


def test_a_block_around_a_one_shot_handler_restores_silently() -> None:
    seen = Recorder()
    with handling(S, seen, flags=signal.SA_RESETHAND):
        os.kill(HERE, S)
        look()
        assert signal.getsignal(S) is signal.SIG_DFL
    assert len(seen.infos) == 1
    assert signal.getsignal(S) is signal.SIG_DFL


def test_a_block_that_cannot_be_entered_changes_nothing() -> None:
    with pytest.raises(OSError, match="Invalid"), ignoring(S, signal.SIGKILL):
        pass
    assert signal.getsignal(S) is signal.SIG_DFL
