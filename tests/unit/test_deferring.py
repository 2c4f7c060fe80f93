"""``deferred``: no Python handler starts in a critical section, and none is forgotten."""

from __future__ import annotations

import ctypes
import os
import threading
from types import FrameType

import pytest
from support import join, python_says, queue

import sigcffi as signal
from sigcffi import deferred, sigaction
from sigcffi._core.ffi import lib, words
from sigcffi._dispatch.deliveries import account

S, T, R = signal.SIGUSR1, signal.SIGUSR2, signal.SIGRTMIN
HERE = os.getpid()


def look() -> None:
    signal.pthread_sigmask(signal.SIG_BLOCK, ())


def deferred_word() -> int:
    word: int = words[lib.SIGCFFI_WORD_DEFERRED]
    return word


@pytest.fixture
def log() -> list[str]:
    names: list[str] = []

    def info(info: signal.SigInfo, frame: FrameType | None) -> None:
        names.append(f"{int(info.si_signo)}:{info.si_value}")

    sigaction(R, info)
    sigaction(T, info)
    signal.signal(S, lambda signum, frame: names.append("plain"))
    return names


def test_handlers_wait_for_the_end_of_the_block_and_run_in_order(log: list[str]) -> None:
    with deferred():
        queue(R, 1)
        os.kill(HERE, S)
        queue(T, 2)
        queue(R, 3)
        look()
        assert log == []
    assert sorted(log) == sorted(["plain", f"{int(R)}:1", f"{int(T)}:2", f"{int(R)}:3"])
    log.remove("plain")
    assert [entry.rpartition(":")[2] for entry in log] == ["1", "2", "3"]


def test_only_the_signals_that_were_named_wait(log: list[str]) -> None:
    with deferred(R, S):
        queue(R, 1)
        os.kill(HERE, S)
        queue(T, 2)
        look()
        assert len(log) == 1
    assert len(log) == 3


def test_blocks_nest_and_overlap(log: list[str]) -> None:
    everything, some = deferred(), deferred(R)
    with everything, some:
        with everything, deferred(R, T):
            queue(R, 1)
        look()
        assert log == []
        with some:
            pass
        look()
        assert log == []
    assert log == [f"{int(R)}:1"]
    some.__enter__()
    everything.__enter__()
    queue(R, 2)
    some.__exit__(None, None, None)
    look()
    assert log == [f"{int(R)}:1"]
    everything.__exit__(None, None, None)
    assert log == [f"{int(R)}:1", f"{int(R)}:2"]
    assert deferred_word() == 0


def test_another_threads_block_holds_handlers_back(log: list[str]) -> None:
    entered, leave = threading.Event(), threading.Event()

    def section() -> None:
        with deferred(R):
            entered.set()
            leave.wait()

    thread = threading.Thread(target=section)
    thread.start()
    entered.wait()
    queue(R, 1)
    look()
    assert log == []
    leave.set()
    join(thread)
    look()
    assert log == [f"{int(R)}:1"]


def test_an_exception_of_a_deferred_handler_leaves_the_with_statement() -> None:
    def fail(info: signal.SigInfo, frame: FrameType | None) -> None:
        raise LookupError(info.si_value)

    sigaction(R, fail)
    with pytest.raises(LookupError) as caught, deferred():
        queue(R, 5)
        raise KeyError("body")
    assert caught.value.args == (5,)
    assert isinstance(caught.value.__context__, KeyError)
    assert deferred_word() == 0


def test_a_handler_that_was_due_runs_before_the_block() -> None:
    order: list[str] = []
    signal.signal(S, lambda signum, frame: order.append("handler"))
    os.kill(HERE, S)
    with deferred():
        order.append("block")
    assert order == ["handler", "block"]


def test_keyboardinterrupt_waits_too() -> None:
    code = """
        import os, signal as standard
        import sigcffi as signal

        done = []
        try:
            with signal.deferred():
                os.kill(os.getpid(), signal.SIGINT)
                signal.pthread_sigmask(signal.SIG_BLOCK, ())
                done.append("section")
            done.append("not reached")
        except KeyboardInterrupt:
            done.append("interrupted")
        print(*done)
    """
    assert python_says(code) == "section interrupted\n"


def test_it_decorates(log: list[str]) -> None:
    @deferred(R)
    def section(count: int) -> int:
        queue(R, count)
        look()
        assert log == []
        return section(count - 1) if count else 7

    assert section(2) == 7
    assert log == [f"{int(R)}:2", f"{int(R)}:1", f"{int(R)}:0"]


def test_a_signal_that_got_its_default_action_back_meanwhile_takes_it() -> None:
    code = """
        import os
        import sigcffi as signal

        signal.signal(signal.SIGTERM, lambda signum, frame: print("handler"))
        with signal.deferred():
            os.kill(os.getpid(), signal.SIGTERM)
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            print("section", flush=True)
        print("not reached")
    """
    from support import run_python

    done = run_python(code)
    assert (done.returncode, done.stdout) == (-signal.SIGTERM, "section\n"), done


def test_a_forked_child_is_in_the_section_of_the_thread_that_forked(log: list[str]) -> None:
    code = """
        import os, threading
        import sigcffi as signal
        from sigcffi._core.ffi import lib, words

        entered, leave = threading.Event(), threading.Event()

        def section():
            with signal.deferred(signal.SIGUSR2):
                entered.set()
                leave.wait()

        thread = threading.Thread(target=section)
        thread.start()
        entered.wait()
        with signal.deferred(signal.SIGUSR1):
            pid = os.fork()
            if pid == 0:
                os._exit(words[lib.SIGCFFI_WORD_DEFERRED] != 1 << (signal.SIGUSR1 - 1))
            print(os.waitpid(pid, 0)[1])
        leave.set()
        thread.join()
    """
    ignored = ["-W", "ignore:This process:DeprecationWarning"]  # 3.12: of threads and forks
    assert python_says(code, flags=ignored) == "0\n"


@pytest.mark.parametrize(
    ("signums", "error"), [([0], ValueError), ([65], ValueError), (["x"], TypeError)]
)
def test_bad_signals_are_refused(signums: list[int], error: type[Exception]) -> None:
    with pytest.raises(error):
        deferred(*signums)
    assert deferred_word() == 0


def test_what_waits_for_a_plain_handler_goes_to_what_takes_its_place(log: list[str]) -> None:
    with deferred():
        os.kill(HERE, S)
        os.kill(HERE, S)
        sigaction(S, lambda info, frame: log.append(f"info {info.si_code}"))
    assert log == ["info None"]  # nobody has recorded what they carried, and how many they were
    signal.signal(S, signal.SIG_DFL)


def test_a_subscriber_that_comes_meanwhile_takes_nothing_from_a_plain_handler(
    log: list[str],
) -> None:
    with deferred():
        os.kill(HERE, S)
        subscription = signal.subscribe(S, lambda info, frame: None)
    subscription.close()
    assert log == ["plain"]


def test_what_a_thread_is_just_letting_through_goes_to_the_handler_for_which_it_came(
    log: list[str],
) -> None:
    bit = 1 << (R - 1)
    lib.sigcffi_deferral_defer(bit)
    queue(R, 1)
    words[lib.SIGCFFI_WORD_DEFERRED] = 0  # a thread is within sigcffi_deferral_lift()
    signal.signal(R, lambda signum, frame: log.append("too late"))
    lib.sigcffi_deferral_lift(bit)
    look()
    assert log == [f"{int(R)}:1"]


def test_what_was_taken_back_for_a_plain_handler_is_not_lost_when_another_follows(
    log: list[str],
) -> None:
    former = signal.sigaction(T)
    with deferred():
        os.kill(HERE, T)
        os.kill(HERE, T)
        signal.signal(T, lambda signum, frame: None)
        sigaction(T, former)
    assert log == [f"{int(T)}:None"] * 2


def test_a_call_without_a_record_that_is_taken_back_is_not_counted(log: list[str]) -> None:
    with deferred():
        os.kill(HERE, S)
        sigaction(S, lambda info, frame: None)
        signal.signal(S, lambda signum, frame: log.append("taken back"))
        offered, handed, dropped, queued = account()
        assert offered == handed + dropped + queued
    assert log == ["taken back"]
    offered, handed, dropped, queued = account()
    assert offered == handed + dropped + queued


def test_every_delivery_that_is_given_back_is_one_for_a_c_library(foreign: ctypes.CDLL) -> None:
    foreign.foreign_install(int(T), 0)
    former = sigaction(T, lambda info, frame: None)
    calls = foreign.foreign_calls()
    with deferred():
        os.kill(HERE, T)
        os.kill(HERE, T)
        sigaction(T, former)
    assert foreign.foreign_calls() == calls + 2
