"""``pause`` and the waits: they return for what they wait for, and miss nothing."""

from __future__ import annotations

import ctypes
import errno
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from types import FrameType

import pytest
from support import DEADLINE, in_system_call, join, python_says, until

import sigcffi as signal
from sigcffi._sigcffi import lib
from sigcffi._waits import waiting as _waiting


def nothing(signum: int, frame: FrameType | None) -> None:
    pass


Kill = Callable[[str, int], threading.Thread]


@pytest.fixture
def kill_when_in(foreign: ctypes.CDLL) -> Kill:
    """Send the process a signal as soon as the calling thread waits in a given system call."""

    def start(name: str, signum: int) -> threading.Thread:
        tid, number = threading.get_native_id(), ctypes.c_int.in_dll(foreign, f"foreign_{name}")

        def run() -> None:
            until(lambda: in_system_call(tid, number.value), name)
            os.kill(os.getpid(), signum)

        thread = threading.Thread(target=run)
        thread.start()
        return thread

    return start


def test_pause_returns_none_after_the_handler_ran(kill_when_in: Kill) -> None:
    seen: list[int] = []
    signal.signal(signal.SIGUSR1, lambda signum, frame: seen.append(signum))
    thread = kill_when_in("sigsuspend", signal.SIGUSR1)
    assert signal.pause() is None  # type: ignore[func-returns-value]
    assert seen == [signal.SIGUSR1]
    join(thread)


def test_pause_lets_a_handlers_exception_out(kill_when_in: Kill) -> None:
    thread = kill_when_in("sigsuspend", signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        signal.pause()
    join(thread)


def test_pause_does_not_sleep_through_a_signal_that_came_before_it_slept(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The signal lands at the worst moment: after the call, before the kernel is asked to sleep."""
    seen: list[int] = []
    signal.signal(signal.SIGUSR1, lambda signum, frame: seen.append(signum))
    signal.alarm(int(DEADLINE))  # whose default action ends a stall
    monkeypatch.setattr(
        _waiting, "cover_all", lambda: os.kill(os.getpid(), signal.SIGUSR1), raising=True
    )
    signal.pause()
    assert seen == [signal.SIGUSR1]


@pytest.mark.parametrize("wait", [signal.pause, lambda: signal.sigsuspend(())])
def test_a_signal_that_was_handled_before_does_not_end_a_wait(wait: Callable[[], None]) -> None:
    """Without a GIL the interpreter is told again of a signal that comes while it runs. What ends
    the wait is the alarm; it comes again, since the machine may be slow.
    """
    seen: list[int] = []
    signal.signal(signal.SIGUSR1, nothing)
    signal.signal(signal.SIGALRM, lambda signum, frame: seen.append(signum))
    for _ in range(5):
        os.kill(os.getpid(), signal.SIGUSR1)
        seen.clear()
        signal.setitimer(signal.ITIMER_REAL, 0.05, 0.05)
        wait()
        signal.setitimer(signal.ITIMER_REAL, 0)
        assert seen


def test_pause_in_another_thread_returns_when_that_thread_is_interrupted(
    foreign: ctypes.CDLL,
) -> None:
    signal.signal(signal.SIGUSR1, nothing)
    thread = threading.Thread(target=signal.pause)
    thread.start()
    suspend = ctypes.c_int.in_dll(foreign, "foreign_sigsuspend").value
    until(lambda: in_system_call(thread.native_id or 0, suspend), "the pause")
    signal.pthread_kill(thread.ident or 0, signal.SIGUSR1)
    thread.join(DEADLINE)
    assert not thread.is_alive()


def test_pause_leaves_the_mask_as_it_was(kill_when_in: Kill) -> None:
    signal.signal(signal.SIGUSR1, nothing)
    signal.pthread_sigmask(signal.SIG_SETMASK, {signal.SIGWINCH})
    thread = kill_when_in("sigsuspend", signal.SIGUSR1)
    signal.pause()
    join(thread)
    assert signal.pthread_sigmask(signal.SIG_BLOCK, ()) == {signal.SIGWINCH}


def test_sigwait_accepts_a_pending_signal_without_its_handler() -> None:
    signal.signal(signal.SIGUSR1, lambda signum, frame: pytest.fail("the handler ran"))
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1})
    os.kill(os.getpid(), signal.SIGUSR1)
    assert signal.sigpending() == {signal.SIGUSR1}
    assert signal.sigwait([signal.SIGUSR1]) is signal.SIGUSR1
    assert signal.sigpending() == set()


def test_sigwaitinfo_says_who_sent_it() -> None:
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1})
    child = subprocess.Popen(
        [sys.executable, "-S", "-c", f"import os; os.kill({os.getpid()}, {signal.SIGUSR1:d})"]
    )
    info = signal.sigwaitinfo({signal.SIGUSR1})
    assert type(info) is signal.SigInfo
    assert info.si_signo == signal.SIGUSR1
    assert info.si_pid == child.pid
    assert info.si_uid == os.getuid()
    assert len(info) == 7
    assert child.wait() == 0


@pytest.mark.parametrize(
    "wait",
    [lambda signums: signal.sigtimedwait(signums, DEADLINE).si_signo, signal.sigwait],
    ids=["for a time", "for ever"],
)
def test_a_wait_goes_on_after_a_handler_and_returns_what_it_waited_for(
    wait: Callable[[set[int]], int], kill_when_in: Kill
) -> None:
    threads: list[threading.Thread] = []

    def handler(signum: int, frame: FrameType | None) -> None:
        threads.append(kill_when_in("sigtimedwait", signal.SIGUSR2))

    signal.signal(signal.SIGUSR1, handler)
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR2})
    threads.append(kill_when_in("sigtimedwait", signal.SIGUSR1))
    assert wait({signal.SIGUSR2}) == signal.SIGUSR2
    assert len(threads) == 2
    for thread in threads:
        join(thread)


def test_an_exception_from_a_handler_ends_the_wait(kill_when_in: Kill) -> None:
    thread = kill_when_in("sigtimedwait", signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        signal.sigwaitinfo({signal.SIGUSR1})
    join(thread)


def test_sigtimedwait_returns_none_when_the_time_is_over() -> None:
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1})
    assert signal.sigtimedwait({signal.SIGUSR1}, 0) is None
    assert signal.sigtimedwait({signal.SIGUSR1}, 0.001) is None


def test_unblocking_runs_the_handler_before_pthread_sigmask_returns() -> None:
    seen: list[int] = []
    signal.signal(signal.SIGUSR1, lambda signum, frame: seen.append(signum))
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1})
    os.kill(os.getpid(), signal.SIGUSR1)
    assert seen == []
    assert (signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGUSR1}), list(seen)) == (
        {signal.SIGUSR1},
        [signal.SIGUSR1],
    )


def test_pthread_kill_interrupts_a_thread_and_checks_with_zero() -> None:
    signal.signal(signal.SIGUSR1, nothing)
    signal.pthread_kill(threading.get_ident(), 0)
    with pytest.raises(OSError, match="Invalid argument") as refusal:
        signal.pthread_kill(threading.get_ident(), signal.NSIG + 100)
    assert refusal.value.errno == errno.EINVAL


def test_pthread_kill_raises_the_auditing_event() -> None:
    """In a process of its own: nothing takes a hook away again."""
    code = """
        import sys, threading
        import sigcffi as signal

        def hook(event, arguments):
            if event.startswith("signal."):
                print(event, arguments == (here, 0))

        here = threading.get_ident()
        sys.addaudithook(hook)
        signal.pthread_kill(here, 0)
    """
    assert python_says(code) == "signal.pthread_kill True\n"


@pytest.mark.skipif(not lib.SIGCFFI_HAS_PIDFD, reason="the kernel interface has no pidfd")
def test_pidfd_send_signal_reaches_the_process_behind_the_descriptor() -> None:
    if not hasattr(os, "pidfd_open"):
        pytest.skip("this interpreter cannot open a pidfd")
    child = subprocess.Popen([sys.executable, "-c", "import sys; sys.stdin.read()"], stdin=-1)
    pidfd = os.pidfd_open(child.pid)
    signal.pidfd_send_signal(pidfd, signal.SIGKILL)
    assert child.wait(DEADLINE) == -signal.SIGKILL
    with pytest.raises(ProcessLookupError):
        signal.pidfd_send_signal(pidfd, signal.SIGKILL)
    os.close(pidfd)
    assert child.stdin is not None
    child.stdin.close()
