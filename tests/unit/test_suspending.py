"""``sigsuspend``: it returns when a handler has run, and not before, and the mask is as it was."""

from __future__ import annotations

import ctypes
import os
import signal as standard
import threading
from types import FrameType
from typing import Any

import pytest
from support import DEADLINE, in_system_call, join, until

import sigcffi as signal
from sigcffi._waits import waiting as _waiting

A, B = signal.SIGUSR1, signal.SIGUSR2


def mask() -> set[int]:
    return set(standard.pthread_sigmask(standard.SIG_BLOCK, ()))


@pytest.fixture
def seen() -> list[Any]:
    """The mask in which the handler of A found itself, once for each call."""
    masks: list[Any] = []
    signal.signal(A, lambda signum, frame: masks.append(mask()))
    return masks


@pytest.fixture
def suspended(foreign: ctypes.CDLL) -> Any:
    number = ctypes.c_int.in_dll(foreign, "foreign_sigsuspend").value
    return lambda tid: in_system_call(tid, number)


def test_a_pending_signal_is_let_in_and_handled(seen: list[Any]) -> None:
    with signal.blocked(A) as former:
        os.kill(os.getpid(), A)
        assert seen == []
        assert signal.sigsuspend(former) is None  # type: ignore[func-returns-value]
        assert seen == [{A}]
        assert mask() == {A}
    assert seen == [{A}]


def test_a_signal_that_comes_later_ends_it(seen: list[Any], suspended: Any) -> None:
    tid = threading.get_native_id()

    def send() -> None:
        until(lambda: suspended(tid), "sigsuspend")
        os.kill(os.getpid(), B)  # blocked there, and ignored: no handler runs
        until(lambda: suspended(tid), "sigsuspend")
        signal.pthread_kill(threading.main_thread().ident or 0, A)

    signal.signal(B, lambda signum, frame: pytest.fail("it was blocked"))
    with signal.blocked(A, B):
        thread = threading.Thread(target=send)
        thread.start()
        signal.sigsuspend({B})
        assert seen == [{A, B}]
        join(thread)
        assert signal.sigpending() == {B}
        signal.sigwait({B})


def test_a_handlers_exception_leaves_it(suspended: Any) -> None:
    tid = threading.get_native_id()

    def send() -> None:
        until(lambda: suspended(tid), "sigsuspend")
        os.kill(os.getpid(), signal.SIGINT)

    with signal.blocked(signal.SIGINT, A):
        thread = threading.Thread(target=send)
        thread.start()
        with pytest.raises(KeyboardInterrupt):
            signal.sigsuspend(())
        join(thread)
        assert mask() == {signal.SIGINT, A}


def test_it_does_not_sleep_through_a_signal_that_came_after_it_was_called(
    seen: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that is not blocked, at the worst moment: before the kernel is asked to sleep."""
    signal.alarm(int(DEADLINE))  # whose default action ends a stall
    monkeypatch.setattr(_waiting, "cover_all", lambda: os.kill(os.getpid(), A))
    signal.sigsuspend(())
    assert seen == [set()]


def test_it_ends_for_a_handler_that_was_installed_without_the_library(suspended: Any) -> None:
    seen: list[int] = []
    standard.signal(A, lambda signum, frame: seen.append(signum))
    with signal.blocked(A) as former:
        os.kill(os.getpid(), A)
        signal.sigsuspend(former)
        assert seen == [A]


def test_another_thread_waits_for_what_is_sent_to_it(seen: list[Any], suspended: Any) -> None:
    masks: list[set[int]] = []

    def wait() -> None:
        with signal.blocked(A, B):
            signal.sigsuspend({B})
            masks.append(mask())

    thread = threading.Thread(target=wait)
    thread.start()
    until(lambda: suspended(thread.native_id or 0), "sigsuspend")
    signal.pthread_kill(thread.ident or 0, A)
    join(thread)
    assert masks == [{A, B}]
    until(lambda: seen, "the handler, in the main thread")


def test_other_threads_run_on_meanwhile(seen: list[Any]) -> None:
    with signal.blocked(A) as former:
        thread = threading.Thread(target=lambda: (sum(range(10**5)), os.kill(os.getpid(), A)))
        thread.start()
        while not seen:
            signal.sigsuspend(former)
        join(thread)


@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        ([0], ValueError),
        ([signal.NSIG], ValueError),
        (["x"], TypeError),
        (None, TypeError),
        (5, TypeError),
    ],
)
def test_what_is_no_mask_is_refused(wrong: Any, error: type[Exception]) -> None:
    signal.pthread_sigmask(signal.SIG_BLOCK, {A})
    with pytest.raises(error):
        signal.sigsuspend(wrong)
    assert mask() == {A}


def test_the_frame_of_a_handler_is_the_calls(suspended: Any) -> None:
    names: list[str] = []

    def handler(signum: int, frame: FrameType | None) -> None:
        while frame is not None:
            names.append(frame.f_code.co_name)
            frame = frame.f_back

    signal.signal(A, handler)
    with signal.blocked(A) as former:
        os.kill(os.getpid(), A)
        signal.sigsuspend(former)
    assert "sigsuspend" in names
