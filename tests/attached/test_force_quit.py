"""``force_quit``: the n-th signal that Python has not seen ends the process."""

from __future__ import annotations

import os
import signal as standard
import threading
from pathlib import Path
from typing import Any

import pytest
from stuck import child, ended
from support import python_says, says, taken, tell

import sigcffi as signal
from sigcffi import ForceQuit, force_quit

S = signal.SIGUSR1
HERE = os.getpid()


def look() -> None:
    signal.pthread_sigmask(signal.SIG_BLOCK, ())


def hold_a_thread_back() -> None:
    """A receiver's ring fills up by what a thread takes, and is read: SIGURG is interposed."""
    gate, latch = os.pipe()
    thread = threading.Thread(target=os.read, args=(gate, 1))
    thread.start()
    with signal.open_signal_receiver(signal.SIGRTMIN, capacity=16) as receiver:
        for _ in range(40):
            signal.pthread_kill(thread.ident, signal.SIGRTMIN)
        read = 0
        while read < 40:
            receiver.wait(None)
            read += 1 + len(receiver.read())
        os.write(latch, b".")
        thread.join()
    os.close(gate)
    os.close(latch)


@pytest.mark.parametrize(
    "signum",
    [
        signal.SIGINT,
        signal.SIGTERM,
        signal.SIGQUIT,
        signal.SIGHUP,
        signal.SIGUSR1,
        signal.SIGRTMIN,
    ],
)
def test_the_second_ends_a_process_that_is_stuck_in_c(foreign_path: Path, signum: int) -> None:
    code = """
    signal.signal(S, lambda signum, frame: print("not reached", flush=True))
    signal.force_quit(S)
    sit()
    """
    with child(foreign_path, code, signum) as process:
        says(process, b".")
        process.send_signal(signum)
        taken(process.pid, signum)
        process.send_signal(signum)
        assert ended(process) == -signum


@pytest.mark.parametrize("after", [1, 3])
def test_as_many_as_were_asked_for_end_it(foreign_path: Path, after: int) -> None:
    code = f"""
    signal.signal(S, lambda signum, frame: print("not reached", flush=True))
    quitting = signal.force_quit(S, after={after})
    print(quitting.after, quitting.unseen, flush=True)
    sit()
    """
    with child(foreign_path, code) as process:
        says(process, b"%d 0\n." % after)
        for _ in range(after):
            taken(process.pid, S)
            process.send_signal(S)
        assert ended(process) == -S


def test_ctrl_c_is_keyboard_interrupt_as_always_however_often(foreign_path: Path) -> None:
    code = """
    signal.force_quit()
    for _ in range(5):
        try:
            os.kill(os.getpid(), S)
            look()
        except KeyboardInterrupt:
            print("interrupted", flush=True)
        look()  # after an exception PyPy goes on with what is due when it next comes to it
    """
    with child(foreign_path, code, signal.SIGINT) as process:
        says(process, b"interrupted\n" * 5)
        assert ended(process) == 0


def test_a_signal_that_python_has_handled_starts_the_count_anew(foreign_path: Path) -> None:
    code = """
    handled = []
    signal.signal(S, lambda signum, frame: handled.append(signum))
    quitting = signal.force_quit(S)
    for _ in range(3):
        sit()
        look()
        print(quitting.unseen, len(handled), flush=True)
    sit()
    """
    with child(foreign_path, code) as process:
        for count in range(1, 4):
            says(process, b".")
            process.send_signal(S)
            taken(process.pid, S)
            tell(process)
            says(process, b"0 %d\n" % count)
        says(process, b".")
        process.send_signal(S)
        taken(process.pid, S)
        process.send_signal(S)
        assert ended(process) == -S


@pytest.mark.parametrize(
    "install",
    [
        "signal.signal(S, lambda signum, frame: calls.append(1))",
        "signal.sigaction(S, lambda info, frame: calls.append(1))",
        "keep = signal.subscribe(S, lambda info, frame: calls.append(1))",
        "standard.signal(S, lambda signum, frame: calls.append(1))",
    ],
)
@pytest.mark.parametrize("order", ["before", "after"])
def test_however_python_handles_it_it_is_seen(install: str, order: str) -> None:
    if order == "after" and install.startswith("standard"):
        install = f"signal.patch_stdlib(); {install}"
    first, then = (install, "quitting = signal.force_quit(S)")[:: 1 if order == "before" else -1]
    code = f"""
        import os, signal as standard
        import sigcffi as signal

        S, calls = signal.SIGUSR1, []
        {first}
        {then}
        for _ in range(5):
            os.kill(os.getpid(), S)
            signal.pthread_sigmask(signal.SIG_BLOCK, ())
        print(len(calls), quitting.unseen)
    """
    assert python_says(code) == "5 0\n"


def test_another_thread_that_takes_it_makes_no_difference() -> None:
    code = """
        import os, threading
        import sigcffi as signal

        calls = []
        signal.signal(signal.SIGUSR1, lambda signum, frame: calls.append(1))
        quitting = signal.force_quit(signal.SIGUSR1)
        gate, latch = os.pipe()
        thread = threading.Thread(target=os.read, args=(gate, 1))
        thread.start()
        for count in range(1, 11):
            signal.pthread_kill(thread.ident, signal.SIGUSR1)
            while len(calls) < count or quitting.unseen:
                pass
        os.close(latch)
        thread.join()
        print(len(calls), quitting.unseen)
    """
    assert python_says(code) == "10 0\n"


def test_a_critical_section_is_left_by_the_second(foreign_path: Path) -> None:
    code = """
    signal.force_quit()
    with signal.deferred():
        os.kill(os.getpid(), S)
        look()
        print("first", flush=True)
        os.kill(os.getpid(), S)
        look()
        print("not reached", flush=True)
    """
    with child(foreign_path, code, signal.SIGINT) as process:
        says(process, b"first\n")
        assert ended(process) == -signal.SIGINT


def test_the_end_of_a_critical_section_sees_the_first() -> None:
    signal.signal(S, lambda signum, frame: None)
    with force_quit(S) as quitting:
        for _ in range(3):
            with signal.deferred():
                os.kill(HERE, S)
                look()
                assert quitting.unseen == 1
            look()
            assert quitting.unseen == 0


def test_a_handler_that_never_ends_is_left_by_the_second(foreign_path: Path) -> None:
    code = """
    def handler(signum, frame):
        print("handler", flush=True)
        while True:
            pass

    signal.signal(S, handler)
    signal.force_quit(S)
    os.kill(os.getpid(), S)
    look()
    """
    with child(foreign_path, code, signal.SIGINT) as process:
        says(process, b"handler\n")
        process.send_signal(signal.SIGINT)
        assert ended(process) == -signal.SIGINT


@pytest.mark.parametrize("reading", ["receiver.read()", "receiver.wait()", "next(receiver)"])
def test_a_receiver_that_is_read_has_seen_it(reading: str) -> None:
    receiver = signal.open_signal_receiver(S)
    with receiver, force_quit(S) as quitting:
        for _ in range(3):
            os.kill(HERE, S)
            assert quitting.unseen == 1
            eval(reading)
            assert quitting.unseen == 0


def test_a_receiver_that_nobody_reads_has_not(foreign_path: Path) -> None:
    code = """
    receiver = signal.open_signal_receiver(S)
    signal.force_quit(S)
    os.kill(os.getpid(), S)
    print("first", flush=True)
    os.kill(os.getpid(), S)
    print("not reached", flush=True)
    """
    with child(foreign_path, code) as process:
        says(process, b"first\n")
        assert ended(process) == -S


def test_without_anybody_to_see_them_the_second_ends_it(foreign_path: Path) -> None:
    code = """
    signal.force_quit(S)
    os.kill(os.getpid(), S)
    look()
    print("first", flush=True)
    os.kill(os.getpid(), S)
    print("not reached", flush=True)
    """
    with child(foreign_path, code) as process:
        says(process, b"first\n")
        assert ended(process) == -S


def test_when_it_is_closed_nothing_ends_the_process() -> None:
    signal.signal(S, lambda signum, frame: None)
    with force_quit(S, after=2) as quitting:
        assert isinstance(quitting, ForceQuit)
        with signal.deferred():
            os.kill(HERE, S)
            quitting.close()
            os.kill(HERE, S)
            os.kill(HERE, S)
    assert quitting.unseen == 1


def test_sigurg_stays_what_it_was_for_the_program() -> None:
    """The kernel has the trampoline for it, by which the main thread is woken."""
    code = """
        import os
        import sigcffi as signal

        assert signal.getsignal(signal.SIGURG) is signal.SIG_DFL
        with signal.force_quit(signal.SIGUSR1):
            assert signal.getsignal(signal.SIGURG) is signal.SIG_DFL
            os.kill(os.getpid(), signal.SIGURG)
        assert signal.getsignal(signal.SIGURG) is signal.SIG_DFL
        print("the same")
    """
    assert python_says(code) == "the same\n"


@pytest.mark.parametrize("interposed", [False, True])
def test_a_handler_for_sigurg_is_refused_before_and_stands_afterwards(interposed: bool) -> None:
    if interposed:
        hold_a_thread_back()
    calls: list[int] = []

    def handler(signum: int, frame: object) -> None:
        calls.append(signum)

    signal.signal(S, lambda signum, frame: None)
    signal.signal(signal.SIGURG, handler)
    with pytest.raises(RuntimeError, match="SIGURG"):
        force_quit(S)
    assert signal.getsignal(signal.SIGURG) is handler
    signal.signal(signal.SIGURG, signal.SIG_DFL)
    with force_quit(S) as quitting:
        signal.signal(signal.SIGURG, handler)
        for _ in range(3):
            os.kill(HERE, S)
            look()
        assert (quitting.unseen, calls) == (0, [])
        os.kill(HERE, signal.SIGURG)
        look()
        assert calls == [signal.SIGURG]
        signal.signal(signal.SIGURG, signal.SIG_DFL)
        for _ in range(3):
            os.kill(HERE, S)
            look()
        assert (quitting.unseen, calls) == (0, [signal.SIGURG])


def test_the_first_must_be_in_the_main_thread() -> None:
    code = """
        import threading
        import sigcffi as signal

        def attach():
            try:
                signal.force_quit(signal.SIGUSR1).close()
                print("attached")
            except ValueError as error:
                print(error)

        for _ in range(2):
            thread = threading.Thread(target=attach)
            thread.start()
            thread.join()
            signal.force_quit(signal.SIGUSR1).close()
    """
    refused, attached = python_says(code).splitlines()
    assert "main thread" in refused
    assert attached == "attached"


@pytest.mark.parametrize(
    ("arguments", "after", "error"),
    [
        ((0,), 2, ValueError),
        (("SIGINT",), 2, TypeError),
        ((2**40,), 2, OverflowError),
        ((S,), 0, ValueError),
        ((S,), -1, ValueError),
        ((S,), 2**31, ValueError),
        ((S,), 2**70, ValueError),
        ((S,), "2", TypeError),
        ((S,), 2.0, TypeError),
        ((S,), float("nan"), TypeError),
        ((S,), None, TypeError),
    ],
)
def test_bad_arguments_are_refused_before_anything_has_changed(
    arguments: Any, after: Any, error: type[Exception]
) -> None:
    before = standard.getsignal(signal.SIGURG)
    with pytest.raises(error):
        force_quit(*arguments, after=after)
    assert standard.getsignal(signal.SIGURG) is before
    assert signal.getsignal(S) is signal.SIG_DFL
