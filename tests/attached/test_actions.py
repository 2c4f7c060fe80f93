"""What each action does, and what it refuses: counters, bytes, signals sent on; see test_flags."""

from __future__ import annotations

import errno
import os
import signal as standard
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from support import (
    python_says,
)

import sigcffi as signal
from sigcffi import actions

S, R = signal.SIGUSR1, signal.SIGRTMIN


HERE = os.getpid()


@contextmanager
def pipe() -> Iterator[tuple[int, int]]:
    ends = os.pipe()
    for end in ends:
        os.set_blocking(end, False)
    yield ends
    for end in ends:
        os.close(end)


@pytest.fixture
def handled() -> list[int]:
    """A handler for S, and the calls of it."""
    calls: list[int] = []
    signal.signal(S, lambda signum, frame: calls.append(signum))
    return calls


# ---- Counters ----


def test_a_counter_counts_deliveries_from_where_it_was_attached(handled: list[int]) -> None:
    with actions.counter(S) as counter:
        for count in range(5):
            assert int(counter) == count
            os.kill(HERE, S)
        with actions.counter(S) as later:
            os.kill(HERE, S)
            assert (int(counter), int(later)) == (6, 1)
        os.kill(HERE, S)
    os.kill(HERE, S)
    assert (int(counter), int(later)) == (7, 1)


def test_what_python_has_not_looked_at_yet_is_counted(handled: list[int]) -> None:
    with actions.counter(S) as counter, signal.deferred():
        for _ in range(3):
            os.kill(HERE, S)
        assert (int(counter), handled) == (3, [])


# ---- Bytes ----


@pytest.mark.parametrize("signum", [S, R, signal.SIGRTMAX, signal.SIGHUP])
def test_the_byte_is_the_signals_number(signum: int) -> None:
    with pipe() as (reading, writing), actions.write(signum, writing) as write:
        os.kill(HERE, signum)
        os.kill(HERE, signum)
        assert os.read(reading, 100) == bytes([signum, signum])
        assert write.missed == 0


def test_a_file_and_a_socket_are_written_to_as_they_are() -> None:
    one, other = socket.socketpair()
    assert one.getblocking()
    with one, other, actions.write(S, one):
        os.kill(HERE, S)
        assert other.recv(100) == bytes([S])
    with pipe() as (reading, writing), open(writing, "wb", buffering=0, closefd=False) as file:
        with actions.write(S, file):
            os.kill(HERE, S)
        assert os.read(reading, 100) == bytes([S])


def test_closing_the_descriptor_has_no_effect_on_the_action() -> None:
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    with actions.write(S, writing) as write:
        os.close(writing)
        with open(os.devnull) as another:  # which gets the number
            assert another.fileno() == writing
            os.kill(HERE, S)
        assert os.read(reading, 100) == bytes([S])
        assert write.missed == 0
    assert os.read(reading, 100) == b""  # the copy was the last that could write
    os.close(reading)


def test_a_full_pipe_is_a_miss() -> None:
    with pipe() as (reading, writing), actions.write(S, writing) as write:
        with pytest.raises(BlockingIOError):
            while True:
                os.write(writing, bytes(4096))
        os.kill(HERE, S)
        os.kill(HERE, S)
        assert write.missed == 2
        assert repr(write) == "<Write of SIGUSR1, 2 missed, attached>"
        while len(os.read(reading, 2**20)) == 2**20:
            pass
        os.kill(HERE, S)
        assert os.read(reading, 2**20)[-1] == S
        assert write.missed == 2
    assert write.missed == 2


def test_nobody_left_to_read_is_a_miss_and_no_sigpipe() -> None:
    pipes: list[int] = []
    signal.signal(signal.SIGPIPE, lambda signum, frame: pipes.append(signum))
    one, other = socket.socketpair()
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    with one, actions.write(S, writing) as write, actions.write(S, one) as send:
        other.close()
        os.close(reading)
        with actions.counter(signal.SIGPIPE) as counter:
            os.kill(HERE, S)
            assert (write.missed, send.missed, int(counter)) == (1, 1, 0)
        with pytest.raises(BrokenPipeError):
            os.write(writing, b".")
    signal.pthread_sigmask(signal.SIG_BLOCK, ())
    assert pipes == [signal.SIGPIPE]
    os.close(writing)


def test_a_descriptor_that_was_made_blocking_since_is_a_miss() -> None:
    code = """
        import os, sigcffi as signal
        from sigcffi import actions

        reading, writing = os.pipe()
        os.set_blocking(writing, False)
        try:
            while True:
                os.write(writing, bytes(4096))
        except BlockingIOError:
            pass
        write = actions.write(signal.SIGUSR1, writing)
        os.set_blocking(writing, True)
        os.kill(os.getpid(), signal.SIGUSR1)
        print(write.missed)
    """
    assert python_says(code) == "1\n"


class NoDescriptor:
    def fileno(self) -> Any:
        return "1"


def test_what_cannot_be_written_to_is_refused() -> None:
    reading, writing = os.pipe()
    for bad, error in [
        (writing, ValueError),  # it blocks
        ("1", TypeError),
        (1.0, TypeError),
        (None, TypeError),
        (NoDescriptor(), TypeError),
        (2**31, OverflowError),
        (-(2**40), OverflowError),
    ]:
        with pytest.raises(error):
            actions.write(S, bad)  # type: ignore[arg-type]
    os.close(reading)
    os.close(writing)
    for none in (writing, -1, 2**31 - 1):
        with pytest.raises(OSError, match="descriptor") as caught:
            actions.write(S, none)
        assert caught.value.errno == errno.EBADF
    file = open(os.devnull)  # noqa: SIM115
    file.close()
    with pytest.raises(ValueError, match="closed file"):
        actions.write(S, file)
    assert signal.getsignal(S) is standard.getsignal(S) is signal.SIG_DFL


# ---- Endings; how they end is in test_endings ----


def test_an_exit_status_is_one_byte() -> None:
    for bad, error in [
        (-1, ValueError),
        (256, ValueError),
        (2**40, ValueError),
        ("1", TypeError),
        (1.0, TypeError),
        (None, TypeError),
    ]:
        with pytest.raises(error):
            actions.exit(S, bad)  # type: ignore[arg-type]
    assert signal.getsignal(S) is signal.SIG_DFL


def test_a_condition_is_a_flag_or_a_number_from_1_on() -> None:
    closed = actions.flag(S)
    closed.close()
    for bad, error in [
        (closed, ValueError),
        (0, ValueError),
        (-1, ValueError),
        (2**31, ValueError),
        (2**70, ValueError),
        ("1", TypeError),
        (1.0, TypeError),
        (float("nan"), TypeError),
        (actions.Counter, TypeError),
    ]:
        with pytest.raises(error):
            actions.exit(S, 1, when=bad)  # type: ignore[arg-type]
        with pytest.raises(error):
            actions.default(S, when=bad)  # type: ignore[arg-type]
    assert signal.getsignal(S) is signal.SIG_DFL


def test_the_condition_of_an_ending_lives_as_long_as_that() -> None:
    code = """
        import gc, os, sigcffi as signal
        from sigcffi import actions

        def attach():
            flag = actions.flag(signal.SIGUSR2)
            actions.exit(signal.SIGUSR1, 5, when=flag)
            flag.close()  # never set any more

        attach()
        gc.collect()
        for _ in range(3):
            with actions.flag(signal.SIGUSR1) as other:  # not in the same place
                os.kill(os.getpid(), signal.SIGUSR1)
                assert other
        print("still here")
    """
    assert python_says(code) == "still here\n"
