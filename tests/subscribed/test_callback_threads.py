"""The thread of ``subscribe(where="thread")``: its mask, its beginning and its end."""

from __future__ import annotations

import os
import re
import signal as standard
import threading
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import pytest
from support import DEADLINE, python_says, until

import sigcffi as signal
from sigcffi import SigInfo

S, R = signal.SIGUSR1, signal.SIGRTMIN

HERE = os.getpid()


# ---- The mask ----


def test_the_thread_takes_no_signals_but_in_a_callback_those_of_its_subscribers_thread(
    heard: SimpleQueue[Any],
) -> None:
    def callback(info: SigInfo, frame: object) -> None:
        mask = standard.pthread_sigmask(standard.SIG_BLOCK, [standard.SIGHUP])
        heard.put((threading.get_native_id(), mask))

    def takes_nothing() -> bool:
        status = Path(f"/proc/self/task/{tid}/status").read_text()
        blocked = int(re.findall(r"SigBlk:\s(\w+)", status)[0], 16)
        return all(blocked >> (signum - 1) & 1 for signum in (*range(1, 4), S, R))

    with signal.blocked(S, R):
        subscription = signal.subscribe(S, callback, where="thread")
    with subscription, signal.subscribe(S, callback, where="thread"):
        for _ in range(2):
            os.kill(HERE, S)
            tid, mask = heard.get(timeout=DEADLINE)
            assert mask == {S, R}
            assert heard.get(timeout=DEADLINE) == (tid, set())
            until(takes_nothing, "that all signals are blocked")


def test_a_program_that_a_callback_starts_takes_signals() -> None:
    code = """
    import os, signal, subprocess, sys
    import sigcffi
    PRINT = "import signal; print(signal.pthread_sigmask(signal.SIG_BLOCK, ()))"
    def callback(info, frame):
        with subprocess.Popen(["sleep", "20"]) as process:
            process.terminate()
        print(process.returncode, flush=True)
        if hasattr(os, "posix_spawnp"):  # PyPy has none
            pid = os.posix_spawnp("sleep", ["sleep", "20"], os.environ)
            os.kill(pid, signal.SIGTERM)
            assert os.waitpid(pid, 0)[1] == signal.SIGTERM
        os.execv(sys.executable, [sys.executable, "-c", PRINT])
    sigcffi.subscribe(signal.SIGUSR1, callback, where="thread")
    os.kill(os.getpid(), signal.SIGUSR1)
    while True:
        signal.pause()
    """
    assert python_says(code) == "-15\nset()\n"


# ---- As long as there are subscriptions ----


def tasks_and_descriptors() -> list[list[str]]:
    return [os.listdir(f"/proc/self/{what}") for what in ("task", "fd")]


def test_the_thread_is_there_while_there_are_subscriptions(heard: SimpleQueue[Any]) -> None:
    before = tasks_and_descriptors()
    with signal.subscribe((), print, where="thread"):
        assert tasks_and_descriptors() == before
    for _ in range(3):
        with signal.subscribe(S, lambda info, frame: heard.put("first"), where="thread"):
            signal.subscribe(S, lambda info, frame: heard.put("second"), where="thread").close()
            os.kill(HERE, S)
            assert heard.get(timeout=DEADLINE) == "first"
            assert tasks_and_descriptors() != before
        until(lambda: tasks_and_descriptors() == before, "the thread's end")


def test_a_callback_does_not_begin_before_that_of_a_closed_subscription_has_ended(
    heard: SimpleQueue[Any],
) -> None:
    begun, too_early = threading.Event(), threading.Event()

    def slow(info: SigInfo, frame: object) -> None:
        begun.set()
        heard.put(too_early.wait(0.5))

    with signal.subscribe(S, slow, where="thread"):
        os.kill(HERE, S)
        assert begun.wait(DEADLINE)
    with signal.subscribe(S, lambda info, frame: too_early.set(), where="thread"):
        os.kill(HERE, S)
        assert heard.get(timeout=DEADLINE) is False
        assert too_early.wait(DEADLINE)


# ---- The interpreter's end ----


def test_at_the_interpreters_end_what_has_come_is_handed_over() -> None:
    code = """
        import os, threading, sigcffi as signal

        R = signal.SIGRTMIN
        begun = threading.Event()

        def callback(info, frame):
            begun.set()
            print(info.si_value, flush=True)

        with signal.blocked(R):  # the order is asked, so the callbacks' thread takes none
            signal.subscribe(R, callback, where="thread")
        for number in range(50):
            signal.sigqueue(os.getpid(), R, number)
    """
    assert python_says(code) == "".join(f"{number}\n" for number in range(50))


def test_the_interpreters_end_does_not_wait_for_ever_for_a_callback() -> None:
    code = """
    import os, threading
    import sigcffi as signal
    from sigcffi._subscribed import callbacks
    callbacks.PATIENCE = 0.5
    begun = threading.Event()
    def callback(info, frame):
        begun.set()
        threading.Event().wait()
    signal.subscribe(signal.SIGUSR1, callback, where="thread")
    os.kill(os.getpid(), signal.SIGUSR1)
    begun.wait()
    print("done")
    """
    assert python_says(code) == "done\n"


def test_at_the_interpreters_end_a_callback_whose_subscription_is_closed_is_waited_for() -> None:
    code = """
    import os, threading
    import sigcffi as signal
    begun = threading.Event()
    def callback(info, frame):
        begun.set()
        threading.main_thread().join()
        print("done", flush=True)
    signal.subscribe(signal.SIGUSR1, callback, where="thread", once=True)
    os.kill(os.getpid(), signal.SIGUSR1)
    begun.wait()
    """
    assert python_says(code) == "done\n"


LATE = {
    "in an atexit function": "atexit.register(late)",
    "in an atexit function, behind others": """
atexit.register(late)
signal.subscribe(signal.SIGUSR2, print, where="thread")
""",
    "in a callback": """
def callback(info, frame):
    begun.set()
    while not callbacks._position.is_over:
        os.sched_yield()
    late()
signal.subscribe(signal.SIGUSR2, callback, where="thread")
os.kill(os.getpid(), signal.SIGUSR2)
begun.wait()
""",
}


@pytest.mark.parametrize("when", LATE)
def test_at_the_interpreters_end_no_subscription_is_begun(when: str) -> None:
    code = f"""
import atexit, os, threading
import sigcffi as signal
from sigcffi._subscribed import callbacks
begun = threading.Event()
def late():
    try:
        signal.subscribe(signal.SIGUSR1, print, where="thread")
    except RuntimeError as error:
        print(error)
{LATE[when]}
"""
    assert python_says(code) == "no callback is called after the interpreter's end has begun\n"
