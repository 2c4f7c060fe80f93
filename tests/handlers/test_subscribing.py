"""``subscribe``: several callbacks beside what is installed, which loses nothing by it."""

from __future__ import annotations

import asyncio
import ctypes
import os
import signal as standard
import threading
from types import FrameType
from typing import Any

import pytest
from support import DEADLINE, disposition, join, python_says, queue, run_python

import sigcffi as signal
from sigcffi import SigInfo, sigaction, subscribe
from sigcffi._dispatch.registry import entries

S, T, R = signal.SIGUSR1, signal.SIGUSR2, signal.SIGRTMIN
HERE = os.getpid()


def look() -> None:
    signal.pthread_sigmask(signal.SIG_BLOCK, ())


class Log:
    """Handlers that write down their name."""

    def __init__(self) -> None:
        self.names: list[str] = []

    def info(self, name: str, result: object = None) -> Any:
        def callback(info: SigInfo, frame: FrameType | None) -> object:
            assert isinstance(info, SigInfo)
            self.names.append(name)
            return result

        return callback

    def plain(self, name: str) -> Any:
        def handler(signum: int, frame: FrameType | None) -> None:
            assert signum == S
            self.names.append(name)

        return handler

    def send(self, signum: int = S) -> list[str]:
        self.names.clear()
        os.kill(HERE, signum)
        look()
        return self.names


@pytest.fixture
def log() -> Log:
    return Log()


def test_subscribers_are_called_in_order_and_then_what_is_installed(log: Log) -> None:
    signal.signal(S, log.plain("base"))
    with subscribe(S, log.info("a", True)), subscribe([S, T], log.info("b")) as b:
        assert log.send() == ["a", "b", "base"]
        assert log.send(T) == ["b"]
        sigaction(S, log.info("action"))
        assert log.send() == ["a", "b", "action"]
        b.close()
        assert log.send() == ["a", "action"]
    assert log.send() == ["action"]
    assert signal.getsignal(T) is standard.getsignal(T) is signal.SIG_DFL


def test_closing_the_last_one_leaves_what_was_there(log: Log) -> None:
    handler = log.plain("base")
    for former in (signal.SIG_DFL, signal.SIG_IGN, handler):
        signal.signal(S, former)
        before = disposition(S)
        subscription = subscribe(S, log.info("a"))
        assert signal.getsignal(S) is former
        assert sigaction(S).handler is former
        assert log.send()[0] == "a"
        subscription.close()
        subscription.close()
        assert subscription.closed
        assert disposition(S) == before
        assert signal.getsignal(S) is standard.getsignal(S) is former
        assert S not in entries


def test_the_default_action_is_not_taken_while_there_is_a_subscriber() -> None:
    code = """
        import os
        import sigcffi as signal

        one = signal.subscribe(signal.SIGTERM, lambda info, frame: print("one", flush=True))
        other = signal.subscribe(signal.SIGTERM, lambda info, frame: print("other", flush=True))
        for subscription in (one, other):
            os.kill(os.getpid(), signal.SIGTERM)
            signal.pthread_sigmask(signal.SIG_BLOCK, ())
            subscription.close()
        os.kill(os.getpid(), signal.SIGTERM)
        print("not reached")
    """
    done = run_python(code)
    assert (done.returncode, done.stdout) == (-signal.SIGTERM, "one\nother\nother\n"), done


def test_closed_in_another_thread_it_is_called_no_more_and_the_default_returns() -> None:
    code = """
        import os, threading
        import sigcffi as signal

        subscription = signal.subscribe(signal.SIGTERM, lambda info, frame: print("called"))
        thread = threading.Thread(target=subscription.close)
        thread.start()
        thread.join()
        os.kill(os.getpid(), signal.SIGTERM)
        signal.pthread_sigmask(signal.SIG_BLOCK, ())
        print("not reached")
    """
    done = run_python(code)
    assert (done.returncode, done.stdout) == (-signal.SIGTERM, ""), done


def test_closed_in_another_thread_beside_a_handler_it_leaves_the_handler(log: Log) -> None:
    signal.signal(S, log.plain("base"))
    subscription = subscribe(S, log.info("a"))
    thread = threading.Thread(target=subscription.close)
    thread.start()
    join(thread)
    assert log.send() == ["base"]
    with subscribe(S, log.info("b")):
        assert log.send() == ["b", "base"]


def test_closed_in_another_thread_what_was_ignored_is_so_again_once_it_has_come(log: Log) -> None:
    signal.signal(S, signal.SIG_IGN)
    before = disposition(S)
    subscription = subscribe(S, log.info("a"))
    thread = threading.Thread(target=subscription.close)
    thread.start()
    join(thread)
    assert log.send() == []
    assert disposition(S) == before
    assert S not in entries


def test_once_is_once(log: Log) -> None:
    signal.signal(R, signal.SIG_IGN)
    values: list[int | None] = []
    subscription = subscribe(R, lambda info, frame: values.append(info.si_value), once=True)
    with signal.deferred():
        for number in (1, 2, 3):
            queue(R, number)
    look()
    assert values == [1]
    assert subscription.closed
    assert signal.getsignal(R) is signal.SIG_IGN


def test_the_same_callback_can_be_there_twice(log: Log) -> None:
    callback = log.info("same")
    first = subscribe(S, callback)
    with subscribe(S, log.info("between")), subscribe(S, callback):
        assert log.send() == ["same", "between", "same"]
        first.close()
        assert log.send() == ["between", "same"]


def test_a_subscriber_can_close_itself_and_others_while_it_runs(log: Log) -> None:
    signal.signal(S, log.plain("base"))
    subscriptions: list[signal.Subscription] = []

    def close_all(info: SigInfo, frame: FrameType | None) -> None:
        log.names.append("closer")
        for subscription in subscriptions:
            subscription.close()

    subscriptions += [subscribe(S, close_all), subscribe(S, log.info("other"))]
    assert log.send()[0] == "closer"
    assert log.send() == ["base"]


def test_signal_replaces_the_handler_and_keeps_the_subscribers(log: Log) -> None:
    with subscribe(S, log.info("a")):
        assert signal.signal(S, log.plain("x")) is signal.SIG_DFL
        assert log.send() == ["a", "x"]
        signal.signal(S, signal.SIG_IGN)
        assert log.send() == ["a"]
        assert signal.signal(S, signal.SIG_DFL) is signal.SIG_IGN
        assert log.send() == ["a"]
        with pytest.raises(TypeError):
            signal.signal(S, 77)
        assert log.send() == ["a"]
        y = log.plain("y")
        signal.signal(S, y)
    assert log.send() == ["y"]
    assert standard.getsignal(S) is y


def test_a_c_librarys_handler_gets_its_calls_and_comes_back(log: Log, foreign: ctypes.CDLL) -> None:
    assert foreign.foreign_install(S, signal.SA_RESTART) == 0
    before = disposition(S)
    assert signal.getsignal(S) is None
    calls = foreign.foreign_calls()
    with subscribe(S, log.info("a")) as subscription:
        assert signal.getsignal(S) is None
        assert sigaction(S).handler is None
        assert log.send() == ["a"]
        assert foreign.foreign_calls() == calls + 1
        assert foreign.foreign_last_pid() == HERE
        with subscribe(S, log.info("b")):
            subscription.close()
            assert log.send() == ["b"]
    assert foreign.foreign_calls() == calls + 2
    assert disposition(S) == before
    assert signal.getsignal(S) is None
    os.kill(HERE, S)
    assert foreign.foreign_calls() == calls + 3


def test_a_c_librarys_handler_is_still_there_at_exit(foreign_path: Any) -> None:
    code = """
        import atexit, ctypes, os, sys
        import sigcffi as signal

        library = ctypes.CDLL(sys.argv[1])

        def last():
            before = library.foreign_calls()
            os.kill(os.getpid(), signal.SIGTERM)
            print(library.foreign_calls() - before, flush=True)

        atexit.register(last)
        library.foreign_install(signal.SIGTERM, 0)
        signal.subscribe(signal.SIGTERM, lambda info, frame: None).close()
    """
    assert python_says(code, str(foreign_path)) == "1\n"


def test_asyncios_handlers_work_beside_subscribers(log: Log) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        called = asyncio.Event()
        with subscribe(S, log.info("before")):
            loop.add_signal_handler(S, called.set)
            with subscribe(S, log.info("after")):
                os.kill(HERE, S)
                await asyncio.wait_for(called.wait(), DEADLINE)
                called.clear()
            loop.remove_signal_handler(S)

    signal.patch_stdlib()
    try:
        asyncio.run(main())
    finally:
        signal.unpatch_stdlib()
    assert log.names == ["before", "after"]
    assert signal.getsignal(S) is signal.SIG_DFL


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ((0, print), ValueError),
        (([S, 0], print), ValueError),
        ((2**40, print), OverflowError),
        ((S, None), TypeError),
        ((S, signal.SIG_IGN), TypeError),
        (("SIGUSR1", print), TypeError),
        (([S, "x"], print), TypeError),
        ((None, print), TypeError),
    ],
)
def test_bad_arguments_are_refused_before_anything_has_changed(
    arguments: Any, error: type[Exception]
) -> None:
    with pytest.raises(error):
        subscribe(*arguments)
    assert signal.getsignal(S) is standard.getsignal(S) is signal.SIG_DFL


def test_an_ignored_sigchld_leaves_no_zombies_while_there_is_a_subscriber() -> None:
    code = """
        import os
        import sigcffi as signal

        signal.signal(signal.SIGCHLD, signal.SIG_IGN)
        with signal.subscribe(signal.SIGCHLD, lambda info, frame: None):
            pid = os.fork()
            if pid == 0:
                os._exit(0)
            try:
                os.waitpid(pid, 0)
            except ChildProcessError:
                print("reaped")
    """
    assert python_says(code) == "reaped\n"


def test_what_the_standard_module_installed_over_a_subscriber_is_noticed(log: Log) -> None:
    with subscribe(S, log.info("a")):
        standard.signal(S, log.plain("behind our back"))
        assert log.send() == ["behind our back"]
        with subscribe(S, log.info("b")):
            assert log.send() == ["a", "b", "behind our back"]


def test_a_subscriber_gets_its_calls_also_where_a_c_library_has_taken_the_signal(
    log: Log, foreign: ctypes.CDLL
) -> None:
    signal.signal(S, log.plain("plain"))
    with subscribe(S, log.info("first")):
        foreign.foreign_install(int(S), 0)
        calls = foreign.foreign_calls()
        with subscribe(S, log.info("second")):
            assert log.send() == ["first", "second"]
            assert foreign.foreign_calls() == calls + 1


def test_closing_the_last_one_leaves_a_c_librarys_handler_that_has_come_on_top(
    log: Log, foreign: ctypes.CDLL
) -> None:
    signal.signal(S, log.plain("plain"))
    subscription = subscribe(S, log.info("subscriber"))
    foreign.foreign_install(int(S), 0)
    taken = disposition(S)
    subscription.close()
    assert disposition(S) == taken
    assert signal.getsignal(S) is None


@pytest.mark.parametrize("mode", ["plain", "subscriber"])
def test_a_c_librarys_handler_may_call_what_it_has_replaced(
    log: Log, foreign: ctypes.CDLL, mode: str
) -> None:
    if mode == "plain":
        signal.signal(S, log.plain("plain"))
    else:
        beneath = subscribe(S, log.info("first"))
    assert foreign.foreign_install_chaining(int(S)) == 0
    calls = foreign.foreign_chained()
    with subscribe(S, log.info("second")):
        assert "second" in log.send()
        assert foreign.foreign_chained() == calls + 1
    if mode == "subscriber":
        beneath.close()
