"""Handlers run in the main thread, promptly, whichever thread the kernel chose."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import pytest
from support import DEADLINE, asleep, join, needs_pthread_sigqueue, readable, until

import sigcffi as signal

ROUNDS = 20


@contextmanager
def idle_thread() -> Iterator[threading.Thread]:
    """A thread that sits in a system call and can be chosen by the kernel."""
    reading, writing = os.pipe()
    thread = threading.Thread(target=os.read, args=(reading, 1))
    thread.start()
    assert thread.native_id is not None
    try:
        until(lambda: asleep(thread.native_id or 0), "the thread's wait")
        yield thread
    finally:
        os.write(writing, b".")
        join(thread)
        os.close(reading)
        os.close(writing)


SENDER = """
import ctypes, sys
library, pid, tid, signum, sleeper = sys.argv[1], *map(int, sys.argv[2:])
send = ctypes.CDLL(library).foreign_tgkill
print(flush=True)
for line in sys.stdin:
    while sleeper:
        with open(f"/proc/{pid}/task/{sleeper}/stat", "rb") as stat:
            if stat.read().rpartition(b")")[2].split()[0] == b"S":
                break
    assert send(pid, tid, signum) == 0
"""


@contextmanager
def sender(library: Path, tid: int, signum: int, *, asleep: bool) -> Iterator[int]:
    """Another process that sends *signum* to the thread *tid* for every line written to it: nothing
    in this process has to run for that, not even for an instant.

    With *asleep* it waits until the main thread is in a system call. (A signal that comes just
    before the call is asked for is handled after it, by every interpreter and with every module.)
    """
    sleeper = threading.main_thread().native_id if asleep else 0
    arguments = [str(library), *map(str, (os.getpid(), tid, int(signum), sleeper))]
    with subprocess.Popen(
        [sys.executable, "-c", SENDER, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        assert child.stdout.readline()
        yield child.stdin.fileno()
        child.stdin.close()
        assert child.wait(DEADLINE) == 0


@pytest.mark.parametrize("signum", [signal.SIGUSR1, signal.SIGRTMIN])
def test_a_looping_main_thread_sees_what_another_thread_took(
    foreign_path: Path, signum: int
) -> None:
    seen: list[bool] = []
    signal.signal(signum, lambda signum, frame: seen.append(threading.current_thread() is main))
    main = threading.main_thread()
    with (
        idle_thread() as thread,
        sender(foreign_path, thread.native_id or 0, signum, asleep=False) as go,
    ):
        for count in range(1, ROUNDS + 1):
            os.write(go, b"\n")
            # What is not seen by the interpreter at all would be unseen for ever.
            deadline = time.monotonic() + DEADLINE
            while len(seen) < count and time.monotonic() < deadline:
                pass
            assert len(seen) == count
    assert seen == [True] * ROUNDS


class HandledError(Exception):
    pass


def provoke(go: int, call: Callable[..., object], *arguments: object) -> None:
    """Have the signal sent, and make a call that it has to end, be it under way or not yet."""
    os.write(go, b"\n")
    call(*arguments)


def interrupt(signum: int, frame: FrameType | None) -> None:
    raise HandledError


def test_a_sleeping_main_thread_is_woken_for_it(foreign_path: Path) -> None:
    signal.signal(signal.SIGUSR1, interrupt)
    with (
        idle_thread() as thread,
        sender(foreign_path, thread.native_id or 0, signal.SIGUSR1, asleep=True) as go,
    ):
        for _ in range(ROUNDS):
            with pytest.raises(HandledError):
                provoke(go, time.sleep, DEADLINE)


def test_a_main_thread_in_a_system_call_is_woken_for_it(foreign_path: Path) -> None:
    signal.signal(signal.SIGUSR1, interrupt)
    signal.alarm(int(DEADLINE))  # whose default action ends a stall
    reading, writing = os.pipe()
    with (
        idle_thread() as thread,
        sender(foreign_path, thread.native_id or 0, signal.SIGUSR1, asleep=True) as go,
    ):
        for _ in range(ROUNDS):
            with pytest.raises(HandledError):
                provoke(go, os.read, reading, 1)
    os.close(reading)
    os.close(writing)


def test_the_handler_runs_although_the_main_thread_blocks_the_signal() -> None:
    """As with the standard module: a mask keeps the kernel from choosing a thread, it does not keep
    Python from calling a handler.
    """
    seen: list[int] = []
    signal.signal(signal.SIGUSR1, lambda signum, frame: seen.append(signum))
    with idle_thread():
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1})
        os.kill(os.getpid(), signal.SIGUSR1)
        until(lambda: seen, "the handler")
        assert signal.sigpending() == set()
    assert seen == [signal.SIGUSR1]


def test_every_delivery_writes_one_byte_to_the_wakeup_fd_whichever_thread_takes_it() -> None:
    reading, writing = os.pipe()
    os.set_blocking(reading, False)
    os.set_blocking(writing, False)
    signal.signal(signal.SIGRTMIN, lambda signum, frame: None)
    signal.set_wakeup_fd(writing)
    with idle_thread() as thread:
        for _ in range(ROUNDS):
            signal.pthread_kill(thread.ident or 0, signal.SIGRTMIN)
            assert readable(reading)
            assert os.read(reading, 100) == bytes([signal.SIGRTMIN])
        os.kill(os.getpid(), signal.SIGRTMIN)
        assert os.read(reading, 100) == bytes([signal.SIGRTMIN])
    signal.set_wakeup_fd(-1)
    os.close(reading)
    os.close(writing)


def test_keyboard_interrupt_is_raised_in_the_main_thread(foreign_path: Path) -> None:
    signal.signal(signal.SIGINT, signal.default_int_handler)
    with (
        idle_thread() as thread,
        sender(foreign_path, thread.native_id or 0, signal.SIGINT, asleep=True) as go,
        pytest.raises(KeyboardInterrupt),
    ):
        provoke(go, time.sleep, DEADLINE)


@needs_pthread_sigqueue
def test_what_another_thread_took_while_a_handler_ran_follows_that_handler() -> None:
    """Without a note, since the main thread blocks the signal: the call that it leads to comes to a
    handler that keeps it out, and there is no other.
    """
    values: list[int | None] = []

    with idle_thread() as thread:
        assert thread.ident is not None

        def handler(info: signal.SigInfo, frame: FrameType | None) -> None:
            values.append(info.si_value)
            if info.si_value == 1:
                signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGRTMIN])
                before = signal.deliveries(signal.SIGRTMIN)
                signal.pthread_sigqueue(thread.ident or 0, signal.SIGRTMIN, 2)
                until(lambda: signal.deliveries(signal.SIGRTMIN) > before, "the delivery")
                until(lambda: asleep(thread.native_id or 0), "the end of the thread's handler")
                signal.pthread_sigmask(signal.SIG_BLOCK, ())
                assert values == [0, 1]
                signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGRTMIN])

        signal.sigaction(signal.SIGRTMIN, handler)
        for value in (0, 1):
            signal.pthread_sigqueue(threading.get_ident(), signal.SIGRTMIN, value)
            signal.pthread_sigmask(signal.SIG_BLOCK, ())
        assert values == [0, 1, 2]
