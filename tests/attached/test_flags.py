"""Flags: an int in C that a signal sets, to be looked at, cleared and waited for."""

from __future__ import annotations

import ctypes
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

import pytest
from support import (
    asleep,
    join,
    until,
)

import sigcffi as signal
from sigcffi import actions

S, R = signal.SIGUSR1, signal.SIGRTMIN
HERE = os.getpid()


@pytest.fixture
def handled() -> list[int]:
    """A handler for S, and the calls of it."""
    calls: list[int] = []
    signal.signal(S, lambda signum, frame: calls.append(signum))
    return calls


@contextmanager
def waiting(flag: actions.Flag, results: list[object]) -> Iterator[None]:
    """A thread that waits for a flag, and sleeps by the time the block begins."""

    def wait() -> None:
        results.append(flag.wait(60))

    thread = threading.Thread(target=wait)
    thread.start()
    until(lambda: asleep(thread.native_id or 0), "the thread's wait")
    yield
    join(thread)


def test_a_flag_is_an_int_in_c_that_is_1_once_the_signal_has_come(handled: list[int]) -> None:
    with actions.flag(S) as flag, actions.flag(S) as other:
        value = ctypes.c_int.from_address(flag.address)
        assert (bool(flag), value.value) == (False, 0)
        os.kill(HERE, S)
        assert (bool(flag), value.value) == (True, 1)
        assert other
        flag.clear()
        assert (bool(flag), value.value) == (False, 0)
        assert other
        assert flag.address != other.address
        os.kill(HERE, S)
        assert flag
    assert flag
    assert value.value == 1
    flag.clear()
    assert not flag


def test_waiting_for_a_flag_ends_when_it_is_set(handled: list[int]) -> None:
    results: list[object] = []
    with actions.flag(S) as flag:
        assert flag.wait(0) is False
        with waiting(flag, results), waiting(flag, results):
            assert results == []
            os.kill(HERE, S)
        assert results == [True, True]
        assert flag.wait() is True
        assert flag.wait(0) is True
        flag.clear()
        assert flag.wait(0.001) is False


def test_waiting_for_a_flag_ends_when_it_is_closed(handled: list[int]) -> None:
    results: list[object] = []
    for _ in range(100):
        flag = actions.flag(S)
        thread = threading.Thread(target=lambda flag=flag: results.append(flag.wait()))
        thread.start()
        flag.close()
        join(thread)
    assert results == [False] * 100
    assert flag.wait() is False


def test_python_handlers_run_while_the_main_thread_waits_for_a_flag(handled: list[int]) -> None:
    def handler(signum: int, frame: FrameType | None) -> None:
        raise LookupError

    def send() -> None:
        for signum in (R, S):
            os.read(reading, 1)
            until(lambda: asleep(threading.main_thread().native_id or 0), "the main thread's wait")
            os.kill(HERE, signum)

    def provoke(flag: actions.Flag) -> bool:
        os.write(writing, b".")
        return flag.wait()

    signal.signal(R, handler)
    reading, writing = os.pipe()
    thread = threading.Thread(target=send)
    thread.start()
    with actions.flag(S) as flag:
        with pytest.raises(LookupError):
            provoke(flag)
        assert not flag
        assert provoke(flag)
    join(thread)
    assert handled == [S]
    os.close(reading)
    os.close(writing)


def test_who_waits_sees_the_signal_although_a_c_library_has_taken_it_since(
    foreign: ctypes.CDLL,
) -> None:
    results: list[object] = []
    with actions.flag(S) as flag:
        foreign.foreign_install(S, 0)
        calls = foreign.foreign_calls()
        with waiting(flag, results):
            os.kill(HERE, S)
    assert (results, foreign.foreign_calls()) == ([True], calls + 1)


@pytest.mark.parametrize(
    ("timeout", "error"),
    [
        (-1, ValueError),
        (-1e-9, ValueError),
        (float("nan"), ValueError),
        (float("inf"), OverflowError),
        (2**40 * 10**9, OverflowError),
        (1e300, OverflowError),
        ("1", TypeError),
        ([], TypeError),
    ],
)
def test_what_is_no_timeout_is_refused(timeout: Any, error: type[Exception]) -> None:
    with actions.flag(S) as flag, pytest.raises(error):
        flag.wait(timeout)
