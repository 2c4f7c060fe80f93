"""Builds without a GIL."""

from __future__ import annotations

import os

import pytest
from support import DEADLINE, FREE_THREADED, run_python


@pytest.mark.skipif(not FREE_THREADED, reason="this build has a GIL")
def test_importing_it_leaves_the_gil_off_and_warns_of_nothing() -> None:
    done = run_python("import sys, sigcffi; print(sys._is_gil_enabled())", flags=["-X", "gil=0"])
    assert (done.returncode, done.stdout, done.stderr) == (0, "False\n", "")
    code = "import sys, sigcffi; print(sys._is_gil_enabled())"
    done = run_python(code, env={k: v for k, v in os.environ.items() if k != "PYTHON_GIL"})
    assert (done.returncode, done.stdout, done.stderr) == (0, "False\n", "")


@pytest.mark.skipif(not FREE_THREADED, reason="with a GIL the interpreter does not spin")
def test_a_lock_wait_of_the_main_thread_ends_when_another_thread_takes_a_signal() -> None:
    """At whatever point of the wait: builds without a GIL spin before they sleep, and what comes
    while they spin ends nothing.
    """
    code = f"""
        import threading, time
        import sigcffi as signal

        DEADLINE = {DEADLINE / 2}

        class Handled(Exception):
            pass

        def handler(signum, frame):
            raise Handled

        def lock():
            held = threading.Lock()
            held.acquire()
            held.acquire(timeout=DEADLINE)

        def event():
            threading.Event().wait(DEADLINE)

        def condition():
            waited_for = threading.Condition()
            with waited_for:
                waited_for.wait(DEADLINE)

        def send():
            number = 0
            while not ended.is_set():
                if order[0] == number:
                    continue
                number, length = order
                begin = time.perf_counter()
                while time.perf_counter() - begin < length:
                    pass
                signal.pthread_kill(threading.get_ident(), signal.SIGUSR1)

        signal.signal(signal.SIGUSR1, handler)
        order, ended = (0, 0.0), threading.Event()
        thread = threading.Thread(target=send)
        thread.start()
        for length in [0.0, 1e-5, 3e-5, 1e-4, 1e-3] * 4:
            for wait in lock, event, condition:
                begin = time.monotonic()
                try:
                    order = order[0] + 1, length
                    wait()
                    while True:
                        pass
                except Handled:
                    pass
                except RuntimeError as error:  # a Condition struck while it lets go of its lock
                    assert isinstance(error.__context__, Handled), error
                if time.monotonic() - begin > DEADLINE / 2:
                    print("late", wait, length)
        ended.set()
        thread.join()
        print("done")
    """
    done = run_python(code)
    assert (done.stdout, done.stderr) == ("done\n", "")
