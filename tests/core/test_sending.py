"""``sigqueue`` and ``pthread_sigqueue``: what was queued arrives, or the call says why not."""

from __future__ import annotations

import ctypes
import errno
import os
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from support import DEADLINE, join, needs_pthread_sigqueue, python_says, shown, with_room

import sigcffi as signal
from sigcffi._sigcffi import lib

needs_sigqueue = pytest.mark.skipif(not lib.SIGCFFI_HAS_SIGQUEUE, reason="no sigqueue(3)")


INT_MIN, INT_MAX = -(2**31), 2**31 - 1


Send = Callable[..., None]


class Accepted(NamedTuple):
    code: int
    pid: int
    value: int


Accept = Callable[[int], Accepted]


@pytest.fixture
def accept(foreign: ctypes.CDLL) -> Accept:
    """A pending signal as a C program gets it: not through the library's own eyes."""

    def call(signum: int) -> Accepted:
        pid, value = ctypes.c_int(), ctypes.c_int()
        code = foreign.foreign_accept(int(signum), ctypes.byref(pid), ctypes.byref(value))
        return Accepted(code, pid.value, value.value)

    return call


NOTHING_PENDING = Accepted(-errno.EAGAIN, 0, 0)


@pytest.fixture(autouse=True)
def nothing_stays_pending(accept: Accept) -> Iterator[None]:
    """A test that fails must not end all by a signal that is unblocked behind it."""
    yield
    for signum in signal.sigpending():
        while accept(signum) != NOTHING_PENDING:
            pass


@pytest.fixture(
    params=[
        pytest.param("sigqueue", marks=needs_sigqueue),
        pytest.param("pthread_sigqueue", marks=needs_pthread_sigqueue),
    ]
)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def send(name: str) -> Send:
    return lambda *arguments: with_room(lambda: getattr(signal, name)(*arguments))


@pytest.fixture
def here(name: str) -> int:
    """The process, or the thread of it that runs, as the call names it."""
    return os.getpid() if name == "sigqueue" else threading.get_ident()


def block(*signums: int) -> None:
    signal.pthread_sigmask(signal.SIG_BLOCK, signums)


@pytest.mark.parametrize("value", [0, 1, -1, 0x7654321, INT_MAX, INT_MIN])
@pytest.mark.parametrize("signum", [signal.SIGUSR1, signal.SIGRTMIN, signal.SIGRTMAX])
def test_the_value_arrives(send: Send, here: int, accept: Accept, signum: int, value: int) -> None:
    block(signum)
    assert send(here, signum, value) is None  # type: ignore[func-returns-value]
    assert accept(signum) == (signal.SI_QUEUE, os.getpid(), value)
    assert accept(signum) == NOTHING_PENDING


def test_the_value_is_zero_if_none_is_given(send: Send, here: int, accept: Accept) -> None:
    block(signal.SIGUSR1)
    send(here, signal.SIGUSR1)
    assert accept(signal.SIGUSR1) == (signal.SI_QUEUE, os.getpid(), 0)


def test_arguments_may_be_named(name: str, here: int, accept: Accept) -> None:
    first = {"sigqueue": "pid", "pthread_sigqueue": "thread_id"}[name]
    block(signal.SIGUSR1)
    getattr(signal, name)(**{first: here, "signum": signal.SIGUSR1, "value": 5})
    assert accept(signal.SIGUSR1).value == 5


def test_a_handler_finds_the_value_in_its_siginfo_when_the_call_returns(
    send: Send, here: int
) -> None:
    seen: list[signal.SigInfo] = []
    former = signal.sigaction(signal.SIGUSR1, lambda info, frame: seen.append(info))
    send(here, signal.SIGUSR1, INT_MIN)
    sent = list(seen)  # at once: before any other call that might look for due handlers
    signal.sigaction(signal.SIGUSR1, former)
    assert [(info.si_code, info.si_pid, info.si_value) for info in sent] == [
        (signal.SI_QUEUE, os.getpid(), INT_MIN)
    ]


def test_real_time_signals_arrive_as_often_and_in_the_order_they_were_queued(
    send: Send, here: int, accept: Accept
) -> None:
    block(signal.SIGRTMIN)
    values = [3, -1, 3, 2]
    for value in values:
        send(here, signal.SIGRTMIN, value)
    assert [accept(signal.SIGRTMIN).value for _ in values] == values
    assert accept(signal.SIGRTMIN) == NOTHING_PENDING


def test_of_a_standard_signal_the_first_is_kept(send: Send, here: int, accept: Accept) -> None:
    block(signal.SIGUSR1)
    send(here, signal.SIGUSR1, 1)
    send(here, signal.SIGUSR1, 2)
    assert accept(signal.SIGUSR1).value == 1
    assert accept(signal.SIGUSR1) == NOTHING_PENDING


def test_signal_zero_only_checks(send: Send, here: int) -> None:
    pending = signal.sigpending()
    block(*(signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}))
    assert send(here, 0, 7) is None  # type: ignore[func-returns-value]
    assert signal.sigpending() == pending


class Integral:
    """An integer for whoever asks, as those of numpy are."""

    def __init__(self, value: int) -> None:
        self.value = value

    def __index__(self) -> int:
        return self.value


class Sub(int):
    pass


@pytest.mark.parametrize("signum", [signal.SIGUSR1, signal.SIGRTMIN + 1])
def test_values_at_the_bounds_reach_a_handler_in_order(send: Send, here: int, signum: int) -> None:
    values = [INT_MAX, INT_MIN, 0, -1, 1]
    seen: list[int | None] = []
    former = signal.sigaction(signum, lambda info, frame: seen.append(info.si_value))
    for value in values:
        send(here, signum, value)
    signal.sigaction(signum, former)
    assert seen == values


@pytest.mark.parametrize("kind", [Integral, Sub])
def test_what_can_be_an_index_is_an_integer(
    send: Send, here: int, accept: Accept, kind: Callable[[int], Any]
) -> None:
    block(signal.SIGUSR1)
    send(kind(here), kind(int(signal.SIGUSR1)), kind(-9))
    assert accept(signal.SIGUSR1).value == -9


def test_a_bool_is_an_integer(send: Send, here: int, accept: Accept) -> None:
    block(signal.SIGUSR1, signal.SIGHUP)
    send(here, signal.SIGUSR1, True)
    assert accept(signal.SIGUSR1).value == 1
    send(here, True)
    assert accept(signal.SIGHUP) == (signal.SI_QUEUE, os.getpid(), 0)


@pytest.mark.parametrize("wrong", [1.0, "1", b"1", None, [], 1j, object()], ids=shown)
@pytest.mark.parametrize("position", [0, 1, 2])
def test_what_is_no_integer_is_refused(send: Send, here: int, position: int, wrong: object) -> None:
    block(signal.SIGUSR1)
    arguments = [here, signal.SIGUSR1, 0]
    arguments[position] = wrong  # type: ignore[call-overload]
    with pytest.raises(TypeError):
        send(*arguments)
    assert signal.SIGUSR1 not in signal.sigpending()


@pytest.mark.parametrize("wrong", [INT_MIN - 1, INT_MAX + 1, 2**32, 2**64, -(2**64)])
@pytest.mark.parametrize("position", [1, 2])
def test_what_does_not_fit_a_c_int_is_refused(
    send: Send, here: int, position: int, wrong: int
) -> None:
    block(signal.SIGUSR1)
    arguments = [here, signal.SIGUSR1, 0]
    arguments[position] = wrong
    with pytest.raises(OverflowError):
        send(*arguments)
    assert signal.SIGUSR1 not in signal.sigpending()


@needs_sigqueue
@pytest.mark.parametrize(
    "pid", [INT_MIN - 1, INT_MAX + 1, pytest.param(2**32 + os.getpid(), id="own"), 2**64]
)
def test_a_process_id_that_does_not_fit_is_refused(pid: int) -> None:
    block(signal.SIGUSR1)
    with pytest.raises(OverflowError):
        signal.sigqueue(pid, signal.SIGUSR1)
    assert signal.SIGUSR1 not in signal.sigpending()


@pytest.mark.parametrize("signum", [-1, signal.NSIG, signal.NSIG + 100, INT_MAX, INT_MIN])
def test_a_number_that_is_no_signals_is_refused(send: Send, here: int, signum: int) -> None:
    with pytest.raises(OSError, match="Invalid argument") as refusal:
        send(here, signum)
    assert refusal.value.errno == errno.EINVAL
    assert type(refusal.value) is OSError


@pytest.mark.skipif(sys.platform != "linux", reason="a limit of Linux")
def test_a_full_queue_is_an_error_and_nothing_is_sent(name: str, foreign_path: Path) -> None:
    said = python_says(
        """
        import ctypes, os, resource, sigcffi, sys, threading
        send = getattr(sigcffi, sys.argv[1])
        here = os.getpid() if sys.argv[1] == "sigqueue" else threading.get_ident()
        real_time, standard = sigcffi.SIGRTMIN, sigcffi.SIGUSR1
        sigcffi.pthread_sigmask(sigcffi.SIG_BLOCK, [real_time, standard])
        # PyPy does not have the name; the number is the same on all machines.
        resource.setrlimit(getattr(resource, "RLIMIT_SIGPENDING", 11), (0, 0))
        try:
            send(here, real_time, 1)
        except BlockingIOError as full:
            print(full.errno, sigcffi.sigpending())
        send(here, standard, 1)  # goes without what it should carry
        pid, value = ctypes.c_int(), ctypes.c_int()
        accept = ctypes.CDLL(sys.argv[2]).foreign_accept
        code = accept(int(standard), ctypes.byref(pid), ctypes.byref(value))
        print(code == sigcffi.SI_USER, pid.value, value.value)
        """,
        name,
        str(foreign_path),
    )
    assert said == f"{errno.EAGAIN} set()\nTrue 0 0\n"


@needs_pthread_sigqueue
def test_only_the_thread_it_is_for_gets_it(accept: Accept) -> None:
    """All threads block it, so that where it waits tells whom it was for."""
    block(signal.SIGUSR1)
    queued = threading.Event()
    results: list[Accepted] = []

    def receive() -> None:
        queued.wait(DEADLINE)
        results.append(accept(signal.SIGUSR1))

    thread = threading.Thread(target=receive)
    thread.start()
    signal.pthread_sigqueue(thread.ident or 0, signal.SIGUSR1, 77)
    elsewhere = accept(signal.SIGUSR1), signal.sigpending()
    queued.set()
    join(thread)
    assert elsewhere == (NOTHING_PENDING, set())
    assert results == [(signal.SI_QUEUE, os.getpid(), 77)]


@needs_pthread_sigqueue
def test_a_signal_to_a_thread_runs_the_handler_in_the_main_thread() -> None:
    ran = threading.Event()
    seen: list[tuple[int, int | None]] = []
    main = threading.get_ident()

    def handler(info: signal.SigInfo, frame: object) -> None:
        seen.append((threading.get_ident(), info.si_value))
        ran.set()

    stop = threading.Event()
    thread = threading.Thread(target=stop.wait)
    thread.start()
    former = signal.sigaction(signal.SIGUSR1, handler)
    signal.pthread_sigqueue(thread.ident or 0, signal.SIGUSR1, 78)
    assert ran.wait(DEADLINE)
    signal.sigaction(signal.SIGUSR1, former)
    stop.set()
    join(thread)
    assert seen == [(main, 78)]


@needs_pthread_sigqueue
def test_a_thread_that_blocks_it_keeps_it_for_its_own_wait() -> None:
    """Directed: the main thread, which does not block it, sees nothing of it."""
    seen: list[int | None] = []
    ready, results = threading.Event(), []
    former = signal.sigaction(signal.SIGUSR1, lambda info, frame: seen.append(info.si_value))

    def wait() -> None:
        block(signal.SIGUSR1)
        ready.set()
        results.append(signal.sigwaitinfo([signal.SIGUSR1]))

    thread = threading.Thread(target=wait)
    thread.start()
    assert ready.wait(DEADLINE)
    signal.pthread_sigqueue(thread.ident or 0, signal.SIGUSR1, INT_MIN)
    join(thread)
    signal.sigaction(signal.SIGUSR1, former)
    assert [(info.si_code, info.si_pid) for info in results] == [(signal.SI_QUEUE, os.getpid())]
    assert seen == []


@needs_pthread_sigqueue
def test_an_ident_may_look_negative(accept: Accept) -> None:
    block(signal.SIGUSR1)
    signal.pthread_sigqueue(threading.get_ident() - 2 * sys.maxsize - 2, signal.SIGUSR1, 1)
    assert accept(signal.SIGUSR1).value == 1


def test_due_handlers_run_before_the_call_returns(send: Send, here: int) -> None:
    seen: list[int] = []
    signal.signal(signal.SIGUSR1, lambda signum, frame: seen.append(signum))
    for count in range(1, 50):
        send(here, signal.SIGUSR1)
        assert len(seen) == count


def test_the_names_are_there_exactly_where_the_platform_has_the_calls() -> None:
    assert hasattr(signal, "sigqueue") == bool(lib.SIGCFFI_HAS_SIGQUEUE)
    assert hasattr(signal, "pthread_sigqueue") == bool(lib.SIGCFFI_HAS_PTHREAD_SIGQUEUE)
