"""``signal`` and ``getsignal``: what the reference promises of a handler."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import signal as standard
import subprocess
import sys
import threading
from types import FrameType
from typing import Any

import pytest
from support import disposition, flags_of, join, until

import sigcffi as signal
from sigcffi._sigcffi import lib


def nothing(signum: int, frame: FrameType | None) -> None:
    pass


def test_a_handler_gets_the_number_and_the_frame_that_was_interrupted() -> None:
    seen: list[tuple[int, Any]] = []
    signal.signal(signal.SIGUSR1, lambda *arguments: seen.append(arguments))
    os.kill(os.getpid(), signal.SIGUSR1)
    [(signum, frame)] = seen
    assert signum == signal.SIGUSR1
    # No frame of the library stands between.
    assert frame.f_code is sys._getframe().f_code


def test_raise_signal_adds_no_frame_between_the_caller_and_the_handler() -> None:
    seen: list[Any] = []
    signal.signal(signal.SIGUSR1, lambda signum, frame: seen.append(frame.f_code))
    signal.raise_signal(signal.SIGUSR1)
    assert seen == [sys._getframe().f_code]


@pytest.mark.parametrize("signum", [signal.SIGUSR1, signal.SIGCHLD, signal.SIGRTMIN])
def test_a_handler_stays_installed(signum: int) -> None:
    seen: list[int] = []
    signal.signal(signum, lambda signum, frame: seen.append(signum))
    for _ in range(3):
        os.kill(os.getpid(), signum)
    assert seen == [signum] * 3
    assert callable(signal.getsignal(signum))


def test_sigchld_arrives_for_a_child_and_the_child_can_be_waited_for() -> None:
    seen: list[int] = []
    signal.signal(signal.SIGCHLD, lambda signum, frame: seen.append(signum))
    child = subprocess.Popen([sys.executable, "-S", "-c", ""])
    until(lambda: seen, "SIGCHLD")
    assert child.wait() == 0


def test_signal_returns_the_handler_before() -> None:
    def other(signum: int, frame: FrameType | None) -> None:
        pass

    assert signal.signal(signal.SIGUSR1, nothing) is signal.SIG_DFL
    assert signal.signal(signal.SIGUSR1, other) is nothing
    assert signal.signal(signal.SIGUSR1, signal.SIG_IGN) is other
    assert signal.signal(signal.SIGUSR1, signal.SIG_DFL) is signal.SIG_IGN


def test_bound_methods_classes_and_partial_objects_are_handlers() -> None:
    class Callable:
        def __init__(self) -> None:
            self.seen: list[int] = []

        def method(self, signum: int, frame: FrameType | None) -> None:
            self.seen.append(signum)

        __call__ = method

    handler = Callable()
    for callable_ in (handler, handler.method):
        signal.signal(signal.SIGUSR1, callable_)
        assert signal.getsignal(signal.SIGUSR1) == callable_
        os.kill(os.getpid(), signal.SIGUSR1)
    assert handler.seen == [signal.SIGUSR1] * 2


def test_a_handlers_repr_and_hash_are_never_asked_for() -> None:
    class Touchy:
        __hash__ = None  # type: ignore[assignment]

        def __repr__(self) -> str:
            raise AssertionError("repr() of a handler")

        def __call__(self, signum: int, frame: FrameType | None) -> None:
            pass

    handler = Touchy()
    signal.signal(signal.SIGUSR1, handler)
    assert (signal.getsignal(signal.SIGUSR1) is handler) is True
    assert (signal.signal(signal.SIGUSR1, signal.SIG_DFL) is handler) is True


def test_system_calls_are_interruptible_again_after_signal() -> None:
    signal.signal(signal.SIGUSR1, nothing)
    signal.siginterrupt(signal.SIGUSR1, False)
    signal.signal(signal.SIGUSR1, nothing)
    assert not flags_of(signal.SIGUSR1) & lib.SA_RESTART


@pytest.mark.parametrize("module", [signal, standard])
def test_siginterrupt_reaches_the_kernel_through_the_trampoline(module: Any) -> None:
    """Asyncio calls the standard module's: the C library reads the disposition and writes it."""
    calls = []

    def handler(signum: int, frame: FrameType | None) -> None:
        calls.append(signum)

    signal.signal(signal.SIGUSR1, handler)
    restart = lib.SA_RESTART
    module.siginterrupt(signal.SIGUSR1, False)
    assert flags_of(signal.SIGUSR1) & restart
    assert signal.getsignal(signal.SIGUSR1) is handler
    module.siginterrupt(signal.SIGUSR1, True)
    assert not flags_of(signal.SIGUSR1) & restart
    before = signal.deliveries(signal.SIGUSR1)
    os.kill(os.getpid(), signal.SIGUSR1)
    assert calls == [signal.SIGUSR1]
    assert signal.deliveries(signal.SIGUSR1) == before + 1


def test_a_restartable_base_stays_restartable_under_the_trampoline() -> None:
    standard.signal(signal.SIGUSR1, nothing)
    standard.siginterrupt(signal.SIGUSR1, False)
    assert lib.sigcffi_interpose_interpreter(signal.SIGUSR1) == 0
    assert flags_of(signal.SIGUSR1) & lib.SA_RESTART
    signal.siginterrupt(signal.SIGUSR1, True)
    assert lib.sigcffi_interpose_withdraw(signal.SIGUSR1) == 0
    assert not flags_of(signal.SIGUSR1) & lib.SA_RESTART


def test_handlers_run_on_the_alternate_stack_if_there_is_one() -> None:
    signal.signal(signal.SIGUSR1, nothing)
    assert flags_of(signal.SIGUSR1) & lib.SA_ONSTACK


@pytest.mark.parametrize("handler", [signal.SIG_DFL, signal.SIG_IGN])
def test_default_and_ignore_are_the_kernels_own(handler: int) -> None:
    signal.signal(signal.SIGUSR1, nothing)
    signal.signal(signal.SIGUSR1, handler)
    assert disposition(signal.SIGUSR1) == (handler, 0, 0)
    assert signal.getsignal(signal.SIGUSR1) is handler


def test_getsignal_sees_what_the_standard_module_installs_behind_our_back() -> None:
    signal.signal(signal.SIGUSR1, nothing)
    standard.signal(signal.SIGUSR1, print)
    assert signal.getsignal(signal.SIGUSR1) is print
    standard.signal(signal.SIGUSR1, standard.SIG_IGN)
    assert signal.getsignal(signal.SIGUSR1) is signal.SIG_IGN


def test_the_standard_module_sees_what_we_install() -> None:
    signal.signal(signal.SIGUSR1, nothing)
    assert standard.getsignal(signal.SIGUSR1) is nothing
    signal.signal(signal.SIGUSR1, signal.SIG_IGN)
    assert standard.getsignal(signal.SIGUSR1) is signal.SIG_IGN


def test_a_foreign_handler_is_none(foreign: ctypes.CDLL) -> None:
    signal.signal(signal.SIGUSR1, nothing)
    assert foreign.foreign_install(signal.SIGUSR1, 0) == 0
    assert signal.getsignal(signal.SIGUSR1) is None
    assert signal.signal(signal.SIGUSR1, nothing) is None
    assert signal.getsignal(signal.SIGUSR1) is nothing


@pytest.mark.parametrize("beside", [False, True])
def test_none_puts_back_the_foreign_handler_that_it_stood_for(
    foreign: ctypes.CDLL, beside: bool
) -> None:
    signum = signal.SIGUSR1
    assert foreign.foreign_install(signum, signal.SA_RESTART | signal.SA_NODEFER) == 0
    before = disposition(signum)
    with signal.subscribe(signum, nothing) if beside else contextlib.nullcontext():
        former = signal.signal(signum, nothing)
        assert former is None
        assert signal.signal(signum, former) is nothing
        assert signal.getsignal(signum) is None
        calls = foreign.foreign_calls()
        os.kill(os.getpid(), signum)
        assert foreign.foreign_calls() == calls + 1
        assert beside or disposition(signum) == before
    assert signal.getsignal(signum) is None


def test_none_that_stands_for_nothing_is_no_handler() -> None:
    former = signal.getsignal(signal.SIGUSR2)
    with pytest.raises(TypeError):
        signal.signal(signal.SIGUSR2, None)
    with signal.subscribe(signal.SIGUSR2, nothing), pytest.raises(TypeError):
        signal.signal(signal.SIGUSR2, None)
    assert signal.getsignal(signal.SIGUSR2) is former


@pytest.mark.parametrize(("ignore", "expected"), [(0, signal.SIG_DFL), (1, signal.SIG_IGN)])
def test_what_a_c_library_sets_is_told_from_the_kernel(
    foreign: ctypes.CDLL, ignore: int, expected: Any
) -> None:
    signal.signal(signal.SIGUSR1, nothing)
    assert foreign.foreign_set(signal.SIGUSR1, ignore) == 0
    assert signal.getsignal(signal.SIGUSR1) is expected


def test_a_foreign_base_is_called_with_siginfo_and_context_and_put_back_whole(
    foreign: ctypes.CDLL,
) -> None:
    assert foreign.foreign_install(signal.SIGUSR1, 0) == 0
    installed, calls = disposition(signal.SIGUSR1), foreign.foreign_calls()
    before = signal.deliveries(signal.SIGUSR1)
    assert lib.sigcffi_interpose(signal.SIGUSR1) == 0
    assert disposition(signal.SIGUSR1) != installed
    os.kill(os.getpid(), signal.SIGUSR1)
    assert foreign.foreign_calls() == calls + 1
    assert foreign.foreign_last_pid() == os.getpid()
    assert foreign.foreign_had_context()
    assert signal.deliveries(signal.SIGUSR1) == before + 1
    assert signal.getsignal(signal.SIGUSR1) is None
    assert lib.sigcffi_interpose_withdraw(signal.SIGUSR1) == 0
    assert disposition(signal.SIGUSR1) == installed


def test_withdrawing_leaves_alone_what_somebody_else_installed(foreign: ctypes.CDLL) -> None:
    signal.signal(signal.SIGUSR1, nothing)
    assert foreign.foreign_install(signal.SIGUSR1, 0) == 0
    installed = disposition(signal.SIGUSR1)
    assert lib.sigcffi_interpose_withdraw(signal.SIGUSR1) == 0
    assert disposition(signal.SIGUSR1) == installed


@pytest.mark.parametrize("call", [signal.signal, standard.signal])
def test_only_the_main_thread_sets_a_handler(call: Any) -> None:
    caught: list[ValueError] = []

    def attempt() -> None:
        try:
            call(signal.SIGUSR1, nothing)
        except ValueError as error:
            caught.append(error)

    thread = threading.Thread(target=attempt)
    thread.start()
    join(thread)
    assert "main thread" in str(caught[0])
    assert signal.getsignal(signal.SIGUSR1) is signal.SIG_DFL


def test_any_thread_may_ask() -> None:
    signal.signal(signal.SIGUSR1, nothing)
    answers: list[Any] = []
    thread = threading.Thread(
        target=lambda: answers.extend(
            [
                signal.getsignal(signal.SIGUSR1),
                signal.getitimer(signal.ITIMER_REAL),
                signal.alarm(0),
            ]
        )
    )
    thread.start()
    join(thread)
    assert answers == [nothing, (0.0, 0.0), 0]


@pytest.mark.parametrize("signum", [signal.SIGKILL, signal.SIGSTOP])
def test_what_cannot_be_handled_is_refused_with_einval(signum: int) -> None:
    with pytest.raises(OSError, match="Invalid argument") as refusal:
        signal.signal(signum, nothing)
    assert refusal.value.errno == errno.EINVAL
    assert signal.getsignal(signum) is signal.SIG_DFL


def test_a_handler_that_is_due_and_raises_leaves_the_trampoline_in_place() -> None:
    """The new handler is either installed and covered, or not installed at all."""

    class DueError(Exception):
        pass

    def due(signum: int, frame: FrameType | None) -> None:
        raise DueError

    signal.signal(signal.SIGUSR2, due)
    trampoline = disposition(signal.SIGUSR2)
    assert trampoline is not None
    for _ in range(50):
        signal.signal(signal.SIGUSR1, signal.SIG_DFL)
        try:
            os.kill(os.getpid(), signal.SIGUSR2)
            signal.signal(signal.SIGUSR1, nothing)
        except DueError:
            pass
        if signal.getsignal(signal.SIGUSR1) is nothing:
            now = disposition(signal.SIGUSR1)
            assert now is not None
            assert now[0] == trampoline[0]


def test_deliveries_counts_each_arrival() -> None:
    before = signal.deliveries(signal.SIGRTMIN)
    signal.signal(signal.SIGRTMIN, nothing)
    for _ in range(5):
        os.kill(os.getpid(), signal.SIGRTMIN)
    assert signal.deliveries(signal.SIGRTMIN) == before + 5


@pytest.mark.parametrize("signum", [0, -1, signal.NSIG, 2**31 - 1])
def test_deliveries_of_no_signal_is_an_error(signum: int) -> None:
    with pytest.raises(ValueError, match="signal number out of range"):
        signal.deliveries(signum)
