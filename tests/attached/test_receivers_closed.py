"""The end of receivers: whoever closes them, and whoever waits."""

from __future__ import annotations

import ctypes
import gc
import os
import warnings
from types import FrameType
from typing import Any

import pytest
from support import asleep, disposition, in_thread, join, queue, until

import sigcffi as signal
from sigcffi import Receiver, SigInfo, open_signal_receiver

S, T, R = signal.SIGUSR1, signal.SIGUSR2, signal.SIGRTMIN


HERE = os.getpid()


def send(*values: int) -> None:
    queue(R, *values)


def values(infos: list[SigInfo]) -> list[int | None]:
    return [info.si_value for info in infos]


def test_close_ends_loops_and_waits_in_every_thread() -> None:
    for _ in range(20):
        ended: list[object] = []
        receiver = open_signal_receiver(R)

        def loop(receiver: Receiver = receiver, ended: list[object] = ended) -> None:
            ended.append(list(receiver))

        def wait(receiver: Receiver = receiver, ended: list[object] = ended) -> None:
            with pytest.raises(ValueError, match="is closed"):
                receiver.wait()
            ended.append([])

        threads = [in_thread(loop), in_thread(loop), in_thread(wait), in_thread(wait)]
        for thread in threads:
            until(lambda thread=thread: asleep(thread.native_id or 0), "its wait")  # type: ignore[misc]
        receiver.close()
        for thread in threads:
            join(thread)
        assert ended == [[]] * 4


def test_what_nobody_has_read_is_unread() -> None:
    with open_signal_receiver(R) as receiver:
        assert receiver.unread == []
        send(1, 2, 3)
        assert values([next(receiver)]) == [1]
    assert values(receiver.unread) == [2, 3]
    receiver.close()
    assert values(receiver.unread) == [2, 3]


def test_threads_that_close_it_at_once_agree() -> None:
    for _ in range(50):
        receiver = open_signal_receiver(R, overflow="drop", capacity=16)
        send(*range(20))
        failed: list[BaseException] = []

        def close(receiver: Receiver = receiver, failed: list[BaseException] = failed) -> None:
            try:
                receiver.close()
                assert receiver.closed
            except BaseException as error:
                failed.append(error)

        threads = [in_thread(close) for _ in range(4)]
        for thread in threads:
            join(thread)
        assert not failed
        assert values(receiver.unread) == list(range(16))
        assert receiver.dropped == 4


def test_a_closed_one_refuses_everything_and_touches_nothing() -> None:
    before = disposition(T)
    receiver = open_signal_receiver(T)
    assert not receiver.closed
    assert disposition(T) != before
    receiver.close()
    assert receiver.closed
    for use in (receiver.read, receiver.fileno, receiver.wait, lambda: receiver.wait(0)):
        with pytest.raises(ValueError, match="is closed"):
            use()  # type: ignore[operator]
    assert list(receiver) == []
    assert receiver.dropped == 0
    assert receiver.describe() == "SIGUSR2: closed, 0 unread, 0 dropped"
    assert disposition(T) == before


def test_closing_the_last_one_leaves_what_was_there(foreign: ctypes.CDLL) -> None:
    def handler(signum: int, frame: FrameType | None) -> None:
        pass

    for install in (
        lambda: signal.signal(S, signal.SIG_DFL),
        lambda: signal.signal(S, signal.SIG_IGN),
        lambda: signal.signal(S, handler),
        lambda: foreign.foreign_install(S, signal.SA_RESTART),
    ):
        install()
        before, said = disposition(S), signal.getsignal(S)
        one, other = open_signal_receiver(S), open_signal_receiver(S, T)
        assert signal.getsignal(S) is said
        one.close()
        os.kill(HERE, S)
        other.close()
        assert [info.si_signo for info in other.unread] == [S]
        assert disposition(S) == before
        assert signal.getsignal(S) is said


def test_one_that_nobody_keeps_is_closed_with_a_warning() -> None:
    complaints: list[Any] = []
    for action in ("error", "always"):
        before = disposition(S)
        receiver: Any = open_signal_receiver(S)
        os.kill(HERE, S)
        with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings(record=True) as caught:
            patch.setattr("sys.unraisablehook", lambda args: complaints.append(args.exc_value))
            warnings.simplefilter(action, ResourceWarning)  # type: ignore[arg-type]
            del receiver
            gc.collect()
            gc.collect()
        # An error in __del__ goes nowhere; C must have let go of the memory all the same.
        [text] = complaints if action == "error" else [warning.message for warning in caught]
        assert str(text) == "unclosed <Receiver of SIGUSR1: 1 of 1024 waiting, 0 dropped>"
        assert isinstance(text, ResourceWarning)
        assert disposition(S) == before
