"""``signalfd`` and its decoder: what is read says what a wait would have said."""

from __future__ import annotations

import errno
import fcntl
import os
import signal as standard
import subprocess
import threading
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest
from support import child_that_exits_with, join, readable, until, with_room

import sigcffi as signal
from sigcffi._sigcffi import lib

pytestmark = pytest.mark.skipif(not lib.SIGCFFI_HAS_SIGNALFD, reason="no signalfd(2)")

SIZE = lib.SIGCFFI_SIGNALFD_SIZE
A, Q = signal.SIGUSR1, signal.SIGRTMIN
FIELDS = [
    *("si_signo", "si_code", "si_errno", "si_pid", "si_uid", "si_status", "si_band"),
    *("si_value", "si_addr", "si_fd", "si_timerid", "si_overrun"),
]


@pytest.fixture(autouse=True)
def blocked() -> Iterator[None]:
    with signal.blocked(A, Q, signal.SIGCHLD):
        yield
        signal.sigdrain({A, Q, signal.SIGCHLD})


@pytest.fixture
def fd() -> Iterator[int]:
    descriptor = signal.signalfd({A, Q, signal.SIGCHLD}, nonblock=True)
    yield descriptor
    os.close(descriptor)


def read(fd: int, most: int = 64) -> list[signal.SigInfo]:
    return signal.signalfd_siginfo(os.read(fd, most * SIZE))


def test_the_size_is_the_documented_one() -> None:
    assert SIZE == 128
    assert "128 bytes" in (signal.signalfd.__doc__ or "")


# ---- Ways in which a signal comes, each twice the same ----


def by_kill() -> None:
    os.kill(os.getpid(), A)


def by_a_queue() -> None:
    with_room(lambda: signal.sigqueue(os.getpid(), Q, -(2**31)))


def by_a_queue_to_a_thread() -> None:
    with_room(lambda: signal.pthread_sigqueue(threading.get_ident(), Q, 2**31 - 1))


timers: list[Any] = []


def by_a_timer() -> None:
    """One, so that both times it is the same."""
    if not timers:
        timers.append(with_room(lambda: signal.Timer(Q, value=7)))
    timers[0].settime_ns(1)
    until(lambda: Q in signal.sigpending(), "the timer")


children: list[subprocess.Popen[bytes]] = []


def by_a_child() -> None:
    child = child_that_exits_with(3)
    until(lambda: signal.SIGCHLD in signal.sigpending(), "the child's end")
    children.append(child)


pipe: list[int] = []


def by_a_descriptor() -> None:
    if not pipe:
        pipe.extend(os.pipe())
        fcntl.fcntl(pipe[0], getattr(fcntl, "F_SETOWN", 8), os.getpid())
        fcntl.fcntl(pipe[0], 10, int(Q))  # F_SETSIG, which the module fcntl lacks before 3.12
        fcntl.fcntl(pipe[0], fcntl.F_SETFL, os.O_ASYNC | os.O_NONBLOCK)
        # What comes instead where there is no room in the queue of signals.
        standard.signal(signal.SIGIO, standard.SIG_IGN)
    until(lambda: os.write(pipe[1], b"x") and Q in signal.sigpending(), "room in the queue")


@pytest.fixture
def clean() -> Iterator[None]:
    yield
    while timers:
        timers.pop().close()
    while children:
        children.pop().wait()
    while pipe:
        os.close(pipe.pop())


@pytest.mark.parametrize(
    "send",
    [by_kill, by_a_queue, by_a_queue_to_a_thread, by_a_timer, by_a_child, by_a_descriptor],
)
def test_what_is_read_is_what_a_wait_would_have_returned(
    send: Callable[[], None], fd: int, clean: None
) -> None:
    if send is by_a_queue_to_a_thread and not lib.SIGCFFI_HAS_PTHREAD_SIGQUEUE:
        pytest.skip("no pthread_sigqueue(3)")
    send()
    [accepted] = signal.sigdrain({A, Q, signal.SIGCHLD})
    send()
    [found] = read(fd)
    expected = {name: getattr(accepted, name) for name in FIELDS}
    if send is by_a_child:
        expected["si_pid"] = children[1].pid
    assert {name: getattr(found, name) for name in FIELDS} == expected
    assert accepted.time_ns is not None
    assert found.time_ns is not None
    assert accepted.time_ns <= found.time_ns
    known = {name for name, value in expected.items() if value is not None}
    wanted = {
        by_kill: {"si_pid", "si_uid"},
        by_a_child: {"si_pid", "si_uid", "si_status"},
        by_a_timer: {"si_timerid", "si_overrun", "si_value"},
        by_a_descriptor: {"si_band", "si_fd"},
    }.get(send, {"si_pid", "si_uid", "si_value"})
    assert known == {"si_signo", "si_code", "si_errno"} | wanted


def test_many_are_read_at_once_and_in_order(fd: int) -> None:
    for value in range(200):
        with_room(partial(signal.sigqueue, os.getpid(), Q, value))
    infos = read(fd, 64)
    assert len(infos) == 64
    while len(infos) < 200:
        infos += read(fd)
    assert [info.si_value for info in infos] == list(range(200))


def test_it_can_be_polled(fd: int) -> None:
    assert not readable(fd, 0)
    by_kill()
    assert readable(fd, 0)
    read(fd)
    assert not readable(fd, 0)


def test_a_read_where_nothing_is_does_not_wait_or_waits(fd: int) -> None:
    with pytest.raises(BlockingIOError):
        read(fd)
    waiting = signal.signalfd({A})
    thread = threading.Thread(target=by_kill)
    thread.start()
    assert [info.si_signo for info in read(waiting)] == [A]
    join(thread)
    os.close(waiting)


def test_it_is_inherited_only_if_that_is_wanted(fd: int) -> None:
    assert not os.get_inheritable(fd)
    inherited = signal.signalfd({A}, cloexec=False)
    assert os.get_inheritable(inherited)
    assert os.get_blocking(inherited)
    assert not os.get_blocking(fd)
    os.close(inherited)


def test_a_handler_does_not_run_for_what_is_read(fd: int) -> None:
    standard.signal(A, lambda signum, frame: pytest.fail("the handler ran"))
    by_kill()
    read(fd)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {A})


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview, lambda data: memoryview(data)[::1]])
def test_any_buffer_is_decoded(kind: Any, fd: int) -> None:
    by_kill()
    by_a_queue()
    infos = signal.signalfd_siginfo(kind(os.read(fd, 2 * SIZE)))
    assert [info.si_signo for info in infos] == [A, Q]
    assert signal.signalfd_siginfo(kind(b"")) == []


@pytest.mark.parametrize("length", [1, SIZE - 1, SIZE + 1])
def test_half_a_structure_is_refused(length: int) -> None:
    with pytest.raises(ValueError, match="whole number"):
        signal.signalfd_siginfo(bytes(length))


@pytest.mark.parametrize("wrong", [None, "x", 5, [0] * 128])
def test_what_is_no_buffer_is_refused(wrong: Any) -> None:
    with pytest.raises(TypeError):
        signal.signalfd_siginfo(wrong)


@pytest.mark.parametrize(
    ("sigset", "error"), [([0], ValueError), (["x"], TypeError), (None, TypeError)]
)
def test_what_is_no_set_of_signals_is_refused(sigset: Any, error: type[Exception]) -> None:
    with pytest.raises(error):
        signal.signalfd(sigset)


def test_too_many_descriptors_are_an_error() -> None:
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, hard))
    try:
        with pytest.raises(OSError, match=os.strerror(errno.EMFILE)) as refusal:
            signal.signalfd({A})
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert refusal.value.errno == errno.EMFILE
