"""``sigaction``: what a handler is told, what flags and masks do, and that restoring is exact."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from types import FrameType
from typing import Any

import pytest
from oracle.outcomes import Index
from support import (
    Recorder,
    disposition,
    flags_of,
    join,
    needs_pthread_sigqueue,
    nested_handlers,
    queue,
    run_python,
)

import sigcffi as signal
from sigcffi import Action, SigInfo, handling, sigaction
from sigcffi._sigcffi import lib

S, T, R = signal.SIGUSR1, signal.SIGUSR2, signal.SIGRTMIN


HERE = os.getpid()


def nothing(info: SigInfo, frame: FrameType | None) -> None:
    pass


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


def test_a_resethand_handler_that_a_subscriber_has_replaced_resets_nothing() -> None:
    """It has its delivery all the same, which came while it was installed."""
    seen: list[tuple[str, int | None]] = []

    def named(name: str) -> Any:
        return lambda info, frame: seen.append((name, info.si_value))

    signal.sigaction(R, named("once"), flags=signal.SA_RESETHAND)
    with signal.subscribe(R, lambda info, frame: signal.sigaction(R, named("for ever"))):
        for value in (1, 2, 3):
            queue(R, value)
            look()
    assert seen == [("once", 1), ("for ever", 2), ("for ever", 3)]


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
