"""Greenlets, and libraries that put greenlets in the place of threads: gevent, eventlet."""

from __future__ import annotations

import importlib.util

import pytest
from support import nested_handlers, python_says

needs_greenlet = pytest.mark.skipif(
    importlib.util.find_spec("greenlet") is None, reason="greenlet is not installed"
)

PATCHES = {
    "gevent": "from gevent import monkey; monkey.patch_all()",
    "eventlet": "import eventlet; eventlet.monkey_patch()",
}

# What the libraries themselves warn of is not for us to mend.
QUIET = ["-W", "ignore"]


@pytest.mark.parametrize("library", PATCHES)
@pytest.mark.parametrize("order", ["before", "after"])
def test_where_threads_have_been_replaced_the_main_thread_is_still_known(
    library: str, order: str
) -> None:
    if importlib.util.find_spec(library) is None:
        pytest.skip(f"{library} is not installed")
    steps = [PATCHES[library], "import sigcffi as signal"]
    if order == "after":
        steps.reverse()
    code = (
        "\n".join(steps)
        + """
import os, threading, time
heard = []
signal.subscribe(signal.SIGUSR1, lambda info, frame: heard.append("subscriber"))
signal.sigaction(signal.SIGUSR2, lambda info, frame: heard.append("handler"))
with signal.handling(signal.SIGHUP, lambda info, frame: heard.append("block")):
    os.kill(os.getpid(), signal.SIGHUP)
os.kill(os.getpid(), signal.SIGUSR1)
os.kill(os.getpid(), signal.SIGUSR2)
end = time.monotonic() + 60
while len(heard) < 3 and time.monotonic() < end:
    pass
print(*heard)
try:
    with signal.timeout(0.01):
        while time.monotonic() < end:
            pass
except TimeoutError:
    print("interrupted")
with signal.Timer(signal.SIGUSR1, thread_id=threading.get_ident()) as timer:
    timer.settime(0.001)
    while len(heard) < 4 and time.monotonic() < end:
        pass
print(heard[3:])
with signal.force_quit(), signal.open_signal_receiver(signal.SIGALRM) as receiver:
    os.kill(os.getpid(), signal.SIGALRM)
    print(receiver.wait(60).si_signo)
"""
    )
    assert python_says(code, flags=QUIET) == (
        "block subscriber handler\ninterrupted\n['subscriber']\n14\n"
    )


@needs_greenlet
def test_another_greenlet_is_in_the_main_thread() -> None:
    code = """
        import greenlet, os
        import sigcffi as signal

        def elsewhere():
            signal.sigaction(signal.SIGUSR1, lambda info, frame: print("handled"))
            os.kill(os.getpid(), signal.SIGUSR1)
            with signal.timeout(60), signal.deferred():
                os.kill(os.getpid(), signal.SIGUSR1)
                print("deferred")

        greenlet.greenlet(elsewhere).switch()
    """
    assert python_says(code, flags=QUIET) == "handled\ndeferred\nhandled\n"


@needs_greenlet
def test_a_block_whose_time_was_over_while_another_greenlet_ran_is_interrupted() -> None:
    code = """
        import greenlet, time
        import sigcffi as signal

        def waiting():
            with signal.timeout(0.1):
                main.switch()
                while True:
                    time.monotonic()

        main = greenlet.getcurrent()
        other = greenlet.greenlet(waiting)
        other.switch()
        try:
            with signal.timeout(0.3):
                while True:
                    time.monotonic()
        except TimeoutError:
            print("first")
        try:
            other.switch()
        except TimeoutError:
            print("then")
    """
    assert python_says(code, flags=QUIET) == "first\nthen\n"


@needs_greenlet
@nested_handlers  # elsewhere it is inside all other handlers, with the standard module too
@pytest.mark.parametrize("finished", [True, False])
@pytest.mark.parametrize("plain", [True, False])
def test_a_handler_that_has_switched_away_keeps_nothing_out(finished: bool, plain: bool) -> None:
    """Nor does it matter whether somebody ever switches back."""
    code = """
        import greenlet, os, sys, time
        import sigcffi as signal

        main = greenlet.getcurrent()
        calls = []

        def leaving(*args):
            calls.append("leaves")
            if greenlet.getcurrent() is not main:
                main.switch()
            calls.append("returns")

        def staying(*args):
            calls.append("stays")

        install = signal.signal if sys.argv[2] == "True" else signal.sigaction
        install(signal.SIGUSR1, leaving)
        install(signal.SIGUSR2, staying)
        end = time.monotonic() + 60

        def send(signum, number):
            os.kill(os.getpid(), signum)
            while len(calls) < number and time.monotonic() < end:
                pass

        other = greenlet.greenlet(lambda: os.kill(os.getpid(), signal.SIGUSR1))
        other.switch()
        while not calls and time.monotonic() < end:
            other.switch()
        send(signal.SIGUSR2, 2)
        send(signal.SIGUSR1, 4)
        if sys.argv[1] == "True":
            other.switch()
            send(signal.SIGUSR2, 6)
            send(signal.SIGUSR1, 8)
        print(*calls)
    """
    said = python_says(code, str(finished), str(plain), flags=QUIET)
    first = "leaves stays leaves returns"
    assert said == first + (" returns stays leaves returns\n" if finished else "\n")
