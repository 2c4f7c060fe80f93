"""Builds without a GIL."""

from __future__ import annotations

import os
import signal as standard
import threading
import time
from collections.abc import Callable, Iterator
from types import FrameType

import pytest
from support import DEADLINE, FREE_THREADED, join, run_python, until

import sigcffi as signal


@pytest.mark.skipif(not FREE_THREADED, reason="this build has a GIL")
def test_importing_it_leaves_the_gil_off_and_warns_of_nothing() -> None:
    done = run_python("import sys, sigcffi; print(sys._is_gil_enabled())", flags=["-X", "gil=0"])
    assert (done.returncode, done.stdout, done.stderr) == (0, "False\n", "")
    code = "import sys, sigcffi; print(sys._is_gil_enabled())"
    done = run_python(code, env={k: v for k, v in os.environ.items() if k != "PYTHON_GIL"})
    assert (done.returncode, done.stdout, done.stderr) == (0, "False\n", "")


@pytest.mark.skipif(not FREE_THREADED, reason="with a GIL the interpreter does not spin")
@pytest.mark.parametrize("mask", ["known", "changed by others"])
def test_a_lock_wait_of_the_main_thread_ends_when_another_thread_takes_a_signal(mask: str) -> None:
    """At whatever point of the wait: builds without a GIL spin before they sleep, and what comes
    while they spin ends nothing. Nor does it matter what sigcffi takes the main thread to block.
    """
    lengths = [0.0, 1e-5, 3e-5, 1e-4, 1e-3]
    waits = [*waits_of_the_main_thread()]

    class HandledError(Exception):
        pass

    def handler(signum: int, frame: FrameType | None) -> None:
        raise HandledError

    signal.signal(signal.SIGUSR1, handler)
    order, ended = [0, 0.0], threading.Event()

    def send() -> None:
        number = 0
        while not ended.is_set():
            if order[0] == number:
                continue
            number = int(order[0])
            begin = time.perf_counter()
            while time.perf_counter() - begin < order[1]:
                pass
            signal.pthread_kill(threading.get_ident(), signal.SIGUSR1)

    thread = threading.Thread(target=send)
    thread.start()
    try:
        for length in lengths * 4:
            for wait in waits:
                begin = time.monotonic()
                if mask == "changed by others":
                    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGURG])
                    standard.pthread_sigmask(standard.SIG_UNBLOCK, [standard.SIGURG])
                with pytest.raises((HandledError, RuntimeError)) as struck:
                    order[:] = order[0] + 1, length
                    wait(DEADLINE)
                    until(lambda: False, "the handler")
                # A Condition that is struck while it lets go of its lock says so instead.
                assert HandledError in (struck.type, type(struck.value.__context__))
                assert time.monotonic() - begin < DEADLINE / 2, (wait, length)
    finally:
        ended.set()
        join(thread)


def waits_of_the_main_thread() -> Iterator[Callable[[float], object]]:
    lock = threading.Lock()
    lock.acquire()
    yield lambda seconds: lock.acquire(timeout=seconds)
    yield lambda seconds: threading.Event().wait(seconds)
    condition = threading.Condition()

    def wait(seconds: float) -> None:
        with condition:
            condition.wait(seconds)

    yield wait
