"""C libraries' handlers on top of Python's, which call what they have found: each once a signal."""

from __future__ import annotations

import ctypes
import faulthandler
import os
import signal as standard
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support import disposition, until

import sigcffi as signal
from sigcffi import actions, subscribe

S = signal.SIGUSR1
HERE = os.getpid()


@pytest.fixture
def called() -> list[Any]:
    return []


@pytest.fixture(params=["signal", "sigaction"])
def beneath(request: pytest.FixtureRequest, called: list[Any]) -> Callable[[], None]:
    """A Python handler of either kind is installed."""

    def install() -> None:
        if request.param == "signal":
            signal.signal(S, lambda signum, frame: called.append(signum))
        else:
            signal.sigaction(S, lambda info, frame: called.append(info.si_signo))

    return install


@pytest.fixture(params=["three", "one"])
def chaining(request: pytest.FixtureRequest, foreign: ctypes.CDLL) -> ctypes.CDLL:
    """A library whose handler passes on so many arguments, on top of what is there when called."""
    foreign.foreign_chain = (
        foreign.foreign_install_chaining
        if request.param == "three"
        else foreign.foreign_install_old_style
    )
    return foreign


def send() -> None:
    os.kill(HERE, S)
    signal.pthread_sigmask(signal.SIG_BLOCK, ())


def test_with_an_action_on_top_each_handler_is_called_once(
    beneath: Callable[[], None], chaining: ctypes.CDLL, called: list[Any]
) -> None:
    beneath()
    assert chaining.foreign_chain(int(S)) == 0
    before = chaining.foreign_chained()
    for number in range(1, 10):
        with actions.counter(S) if number % 3 else subscribe(S, lambda info, frame: None) as top:
            send()
            assert number % 3 == 0 or int(top) == 1
        assert (len(called), chaining.foreign_chained() - before) == (2 * number - 1,) * 2
        send()
        assert (len(called), chaining.foreign_chained() - before) == (2 * number,) * 2


def test_over_a_library_that_was_there_first_each_handler_is_called_once(
    chaining: ctypes.CDLL, called: list[Any]
) -> None:
    """It calls the interpreter's handler by itself: nothing of ours stands between."""
    standard.signal(S, lambda signum, frame: called.append("handler"))
    assert chaining.foreign_chain(int(S)) == 0
    for _ in range(3):
        with subscribe(S, lambda info, frame: called.append(info.si_pid)):
            send()
            assert sorted(called, key=str) == [HERE, "handler"]
            with signal.deferred():
                send()
                assert len(called) == 2
            assert sorted(called, key=str) == [HERE, HERE, "handler", "handler"]
        called.clear()
        send()
        assert called == ["handler"]
        called.clear()


def test_what_is_blocked_outlives_the_end_of_somebodys_ignoring(
    foreign: ctypes.CDLL, called: list[Any]
) -> None:
    with subscribe(S, lambda info, frame: None):
        assert foreign.foreign_set(int(S), 1) == 0
        with signal.blocked(S):
            os.kill(HERE, S)
            signal.sigaction(S, lambda info, frame: called.append(info.si_pid))
            assert S in signal.sigpending()
    assert called == [HERE]


def test_a_subscriber_on_top_gets_what_the_kernel_told(
    beneath: Callable[[], None], chaining: ctypes.CDLL, called: list[Any]
) -> None:
    infos: list[signal.SigInfo] = []
    beneath()
    chaining.foreign_chain(int(S))
    with subscribe(S, lambda info, frame: infos.append(info)):
        send()
        send()
    assert [(info.si_code, info.si_pid) for info in infos] == [(signal.SI_USER, HERE)] * 2
    assert called == [S, S]


def test_what_was_not_passed_on_is_not_invented(chaining: ctypes.CDLL) -> None:
    infos: list[signal.SigInfo] = []
    signal.sigaction(S, lambda info, frame: infos.append(info))
    send()
    chaining.foreign_chain(int(S))
    send()
    first, second = infos
    assert (first.si_code, first.si_pid) == (signal.SI_USER, HERE)
    assert (second.si_code, second.si_pid) in ((None, None), (signal.SI_USER, HERE))
    assert second.time_ns is not None
    if second.si_code is None:
        assert second[1:] == (None,) * 6
        assert second.si_value is None
        assert second.describe() == "SIGUSR1, nothing known about its sender"


def test_a_handler_that_calls_nobody_leaves_the_python_handler_out(
    beneath: Callable[[], None], foreign: ctypes.CDLL, called: list[Any]
) -> None:
    infos: list[signal.SigInfo] = []
    beneath()
    foreign.foreign_install(int(S), 0)
    with subscribe(S, lambda info, frame: infos.append(info)):
        send()
    assert (len(infos), called) == (1, [])


def test_what_os_system_ignores_for_a_while_is_handled_behind_it(
    called: list[Any], tmp_path: Path
) -> None:
    go, started = tmp_path / "go", tmp_path / "started"
    os.mkfifo(go)
    signal.signal(signal.SIGINT, lambda signum, frame: called.append(signum))
    with signal.open_signal_receiver(signal.SIGINT) as receiver:
        thread = threading.Thread(target=os.system, args=(f"touch {started}; read line < {go}",))
        thread.start()
        until(started.exists)
        receiver.fileno()  # who asks is going to wait: the receiver is put on top of what is there
        go.write_text("\n")
        thread.join()
        os.kill(HERE, signal.SIGINT)
        until(lambda: called == [signal.SIGINT])
        assert len(receiver.read()) == 1
    os.kill(HERE, signal.SIGINT)
    until(lambda: called == [signal.SIGINT] * 2)


FAULTHANDLER = """
    import faulthandler, os, sys, tempfile
    import sigcffi as signal
    from sigcffi import actions

    how, order, chain = sys.argv[1:]
    S, called, output = signal.SIGUSR1, [], tempfile.TemporaryFile()

    def python():
        getattr(signal, how)(S, lambda *arguments: called.append(arguments))

    def fault():
        faulthandler.register(S, file=output, all_threads=False, chain=chain == "chain")

    def attach():
        global top
        top = actions.counter(S)

    def send(times):
        for _ in range(times):
            os.kill(os.getpid(), S)
            signal.pthread_sigmask(signal.SIG_BLOCK, ())

    for step in order.split():
        globals()[step]()
    if chain == "chain":
        send(3)
        counted = int(top)
        top.close()
        send(3)
        output.seek(0)
        print(len(called), output.read().count(b"most recent call first"), counted >= 3)
    else:
        faulthandler.unregister(S)
        send(1)
        counted = int(top)
        top.close()
        send(1)
        print(len(called), counted)
"""


@pytest.mark.parametrize("how", ["signal", "sigaction"])
@pytest.mark.parametrize("order", ["python fault attach", "python attach fault"])
@pytest.mark.parametrize(("chain", "expected"), [("chain", "6 6 True"), ("", "2 1")])
def test_beside_faulthandler_nobody_is_lost(
    how: str, order: str, chain: str, expected: str
) -> None:
    command = [sys.executable, "-c", textwrap.dedent(FAULTHANDLER), how, order, chain]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout.strip()) == (0, expected), done.stderr


PASSES_THREE, BY_SIGNAL = 2, 32  # foreign.c


def put_on_top(foreign: ctypes.CDLL, number: int = 0, how: int = PASSES_THREE) -> None:
    """One of several C libraries takes the signal."""
    assert foreign.foreign_join(number, int(S), how, int(signal.SA_SIGINFO), 0) == 0
    foreign.foreign_visits(number, int(S))


def told(infos: list[signal.SigInfo]) -> list[int | None]:
    return [info.si_code for info in infos]


def test_what_was_delivered_in_a_section_is_not_delivered_again_to_a_handler_put_on_top(
    beneath: Callable[[], None], foreign: ctypes.CDLL, called: list[Any]
) -> None:
    beneath()
    with signal.deferred(), actions.counter(S) as counter:
        send()
        put_on_top(foreign)
    assert (called, int(counter), foreign.foreign_visits(0, int(S))) == ([S], 1, 0)
    send()
    assert (called, foreign.foreign_visits(0, int(S))) == ([S, S], 1)


@pytest.mark.parametrize("block", [lambda: signal.ignoring(S), lambda: signal.handling(S, print)])
def test_behind_a_block_the_handler_beneath_a_c_librarys_is_called_as_before(
    block: Any, beneath: Callable[[], None], chaining: ctypes.CDLL, called: list[Any]
) -> None:
    beneath()
    chaining.foreign_chain(int(S))
    before = disposition(S)
    with block():
        pass
    assert disposition(S) == before
    send()
    assert called == [S]
    assert chaining.foreign_set(int(S), 1) == 0  # another one ignores the signal for a while
    with block():
        pass
    assert disposition(S) == (signal.SIG_IGN, 0, 0)


def test_what_signal_has_put_back_is_told_again_what_comes(foreign: ctypes.CDLL) -> None:
    infos: list[signal.SigInfo] = []
    with subscribe(S, lambda info, frame: infos.append(info)):
        put_on_top(foreign, how=BY_SIGNAL)
        foreign.foreign_leave(0, int(S))
        send()
        with subscribe(S, lambda info, frame: None):
            send()
        put_on_top(foreign, how=BY_SIGNAL)
        foreign.foreign_leave(0, int(S))
        with actions.counter(S):
            send()
    assert told(infos) == [None, signal.SI_USER, signal.SI_USER]


def test_flags_that_signal_has_given_the_trampoline_are_not_the_handlers(
    foreign: ctypes.CDLL,
) -> None:
    foreign.foreign_install(int(S), 0)
    before = disposition(S)
    with actions.counter(S):
        put_on_top(foreign, how=BY_SIGNAL)
        foreign.foreign_leave(0, int(S))
    assert disposition(S) == before


@pytest.mark.skipif(not hasattr(faulthandler, "register"), reason="no faulthandler.register")
def test_a_thread_that_waits_with_a_mask_of_its_own_is_sent_anew_what_is_not_blocked(
    foreign: ctypes.CDLL, called: list[Any], tmp_path: Path
) -> None:
    signal.signal(S, lambda signum, frame: called.append(signum))
    with open(tmp_path / "dump", "w") as file:
        faulthandler.register(S, file=file, chain=True)
        with actions.counter(S):
            foreign.foreign_thread_takes(int(S))
            signal.pthread_sigmask(signal.SIG_BLOCK, ())
        faulthandler.unregister(S)
    assert called == [S]


def test_who_puts_back_what_was_there_unseen_has_it_as_it_was(foreign: ctypes.CDLL) -> None:
    fresh = int(signal.SIGRTMAX) - 3  # no other test has had handlers of it
    foreign.foreign_install(fresh, 0)
    before, calls = disposition(fresh), foreign.foreign_calls()
    with actions.counter(fresh) as counter:
        assert foreign.foreign_join(0, fresh, PASSES_THREE, int(signal.SA_SIGINFO), 0) == 0
        standard.signal(fresh, lambda signum, frame: None)
        with actions.counter(fresh):
            foreign.foreign_leave(0, fresh)
        os.kill(HERE, fresh)
        assert (int(counter), foreign.foreign_calls()) == (1, calls + 1)
    assert disposition(fresh) == before


def test_a_trampoline_put_back_leads_to_what_it_stood_on_whatever_has_come_since(
    beneath: Callable[[], None], foreign: ctypes.CDLL, called: list[Any]
) -> None:
    beneath()
    with actions.counter(S):
        for number in range(4):
            put_on_top(foreign, number)
            actions.counter(S).close()
        signal.signal(S, signal.SIG_IGN)
        for number in reversed(range(4)):
            foreign.foreign_leave(number, int(S))
            send()
            assert [foreign.foreign_visits(each, int(S)) for each in range(4)] == [
                int(each < number) for each in range(4)
            ]


def test_what_the_standard_modules_handler_was_called_for_is_not_handed_over_later(
    foreign: ctypes.CDLL, called: list[Any]
) -> None:
    infos: list[signal.SigInfo] = []
    with subscribe(S, lambda info, frame: infos.append(info)):
        put_on_top(foreign)
        standard.signal(S, lambda signum, frame: called.append(signum))
        foreign.foreign_leave(0, int(S))
        send()
        assert (called, infos) == ([S], [])
        with subscribe(S, lambda info, frame: None):
            assert infos == []
            send()
    assert (called, told(infos)) == ([S], [signal.SI_USER])


@pytest.mark.parametrize("first", ["counter", "subscription"])
@pytest.mark.parametrize("flags", [0, signal.SA_RESETHAND])
def test_closed_in_any_order_what_is_left_is_what_is(
    foreign: ctypes.CDLL, first: str, flags: int
) -> None:
    foreign.foreign_install(int(S), int(flags))
    counter, subscription = actions.counter(S), subscribe(S, lambda info, frame: None)
    calls = foreign.foreign_calls()
    send()
    assert foreign.foreign_calls() == calls + 1
    for each in (counter, subscription) if first == "counter" else (subscription, counter):
        each.close()
    assert signal.getsignal(S) is (signal.SIG_DFL if flags else None)
    if not flags:
        send()
        assert foreign.foreign_calls() == calls + 2
