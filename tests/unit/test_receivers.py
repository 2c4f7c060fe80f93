"""Receivers: each delivery once, in order, to whoever reads; and what they leave behind."""

from __future__ import annotations

import ctypes
import gc
import itertools
import os
import select
import signal as standard
import subprocess
import threading
import time
import warnings
from collections.abc import Callable
from types import FrameType
from typing import Any

import pytest
from support import asleep, disposition, join, queue, until

import sigcffi as signal
from sigcffi import Receiver, SigInfo, open_signal_receiver
from sigcffi._waits import sleeping as _sleeping

S, T, R = signal.SIGUSR1, signal.SIGUSR2, signal.SIGRTMIN
HERE = os.getpid()


def send(*values: int) -> None:
    queue(R, *values)


def values(infos: list[SigInfo]) -> list[int | None]:
    return [info.si_value for info in infos]


def in_thread(function: Callable[[], object]) -> threading.Thread:
    thread = threading.Thread(target=function)
    thread.start()
    return thread


WhenAsleep = Callable[[Callable[[], object]], threading.Thread]


@pytest.fixture
def when_asleep(monkeypatch: pytest.MonkeyPatch) -> WhenAsleep:
    """Call a function in another thread as soon as the calling thread sleeps until something comes,
    or is just about to.
    """
    cover_all, tid = _sleeping.cover_all, threading.get_native_id()

    def start(function: Callable[[], object]) -> threading.Thread:
        waits = threading.Event()

        def note() -> None:
            cover_all()
            waits.set()

        def run() -> None:
            waits.wait()
            until(lambda: asleep(tid), "the wait")
            function()

        monkeypatch.setattr(_sleeping, "cover_all", note)
        return in_thread(run)

    return start


# ---- Reading ----


def test_read_returns_all_that_has_come_once_and_in_order() -> None:
    with open_signal_receiver(R) as receiver:
        assert receiver.read() == []
        send(1, 2, 3)
        infos = receiver.read()
        assert values(infos) == [1, 2, 3]
        assert {(info.si_signo, info.si_code, info.si_pid, info.si_uid) for info in infos} == {
            (R, signal.SI_QUEUE, HERE, os.getuid())
        }
        times = [*(info.time_ns for info in infos), time.monotonic_ns()]
        assert times == sorted(times)  # type: ignore[type-var]
        assert receiver.read() == []


def test_the_order_is_that_of_arrival_across_signals() -> None:
    with open_signal_receiver(S, T, R) as receiver:
        assert receiver.signums == {S, T, R}
        order = [T, R, S, R, T, S]
        for signum in order:
            os.kill(HERE, signum)
        assert [info.si_signo for info in receiver.read()] == order


def test_all_ways_of_taking_agree_wherever_the_ring_begins() -> None:
    numbers, expected = itertools.count(), 0
    with open_signal_receiver(R, capacity=16) as receiver:
        for size in [*range(11), *range(11)] * 4:
            send(*itertools.islice(numbers, size))
            got: list[int | None] = []
            if size:
                got += [next(receiver).si_value]
            if size > 1:
                info = receiver.wait(0)
                assert info is not None
                got += [info.si_value]
            got += values(receiver.read())
            assert got == list(range(expected, expected + size))
            assert receiver.wait(0) is None
            expected += size


def test_each_receiver_gets_all_beside_handlers_and_subscribers() -> None:
    seen: list[Any] = []
    signal.signal(R, lambda signum, frame: seen.append(signum))
    with open_signal_receiver(R) as one, open_signal_receiver(S, R) as other:
        with signal.subscribe(R, lambda info, frame: seen.append(info.si_value)):
            send(5)
            send(6)
        assert values(one.read()) == [5, 6]
        assert seen == [5, R, 6, R]
        send(7)
        assert values(other.read()) == [5, 6, 7]
        assert values(one.read()) == [7]
        assert seen[4:] == [R]


def test_a_childs_end_is_told_with_its_status() -> None:
    with open_signal_receiver(signal.SIGCHLD) as receiver:
        child = subprocess.Popen(["sh", "-c", "exit 3"])
        info = receiver.wait()
        assert info is not None
        assert (info.si_code, info.si_pid, info.si_status) == (signal.CLD_EXITED, child.pid, 3)
        assert child.wait() == 3


def test_threads_that_read_at_once_share_the_deliveries() -> None:
    total = 4000
    received: list[list[int | None]] = [[] for _ in range(4)]
    with open_signal_receiver(R, capacity=64) as receiver:

        def one_by_one(mine: list[int | None]) -> None:
            mine.extend(info.si_value for info in receiver)

        def in_batches(mine: list[int | None]) -> None:
            while gate not in select.select([receiver, gate], [], [])[0]:
                mine.extend(values(receiver.read()))

        gate, latch = os.pipe()
        ways = [one_by_one, one_by_one, in_batches, in_batches]
        threads = [
            in_thread(lambda way=way, mine=mine: way(mine))  # type: ignore[misc]
            for way, mine in zip(ways, received, strict=True)
        ]
        join(in_thread(lambda: send(*range(total))))
        until(lambda: sum(map(len, received)) == total, "all deliveries")
        os.close(latch)
        for thread in threads[2:]:
            join(thread)
        receiver.close()
        for thread in threads[:2]:
            join(thread)
        os.close(gate)
    every = sorted(value for mine in received for value in mine)  # type: ignore[type-var]
    assert every == list(range(total))
    assert receiver.dropped == 0


def test_a_handler_may_read_while_its_own_thread_does() -> None:
    got: list[int | None] = []
    total = 2000
    with open_signal_receiver(R, capacity=32) as receiver:
        # It keeps its signal out: who sends may be faster than handlers that nest.
        signal.sigaction(S, lambda info, frame: got.extend(values(receiver.read())))

        def flood() -> None:
            for value in range(total):
                send(value)
                os.kill(HERE, S)

        thread = in_thread(flood)
        while len(got) < total:
            info = receiver.wait(0)
            if info is not None:
                got.append(info.si_value)
        join(thread)
    assert sorted(got) == list(range(total))  # type: ignore[type-var]


# ---- The descriptor ----


def by_select(fd: int) -> bool:
    return bool(select.select([fd], [], [], 0)[0])


def by_poll(fd: int) -> bool:
    poll = select.poll()
    poll.register(fd, select.POLLIN)
    return bool(poll.poll(0))


def by_epoll(fd: int) -> bool:
    with select.epoll() as epoll:
        epoll.register(fd, select.EPOLLIN)
        return bool(epoll.poll(0))


@pytest.mark.parametrize("can_read", [by_select, by_poll, by_epoll])
def test_the_descriptor_can_be_read_exactly_while_there_is_something(
    can_read: Callable[[int], bool],
) -> None:
    with open_signal_receiver(R) as receiver:
        fd = receiver.fileno()
        assert not os.get_inheritable(fd)
        assert not can_read(fd)
        for _ in range(3):
            send(1, 2, 3)
            assert can_read(fd)
            next(receiver)
            assert can_read(fd)
            receiver.wait()
            assert can_read(fd)
            receiver.wait(0)
            assert not can_read(fd)
            send(4)
            assert can_read(fd)
            receiver.read()
            assert not can_read(fd)
        assert receiver.fileno() == fd


# ---- Waiting ----


def test_wait_returns_what_comes_while_it_waits(when_asleep: WhenAsleep) -> None:
    with open_signal_receiver(R) as receiver:
        thread = when_asleep(lambda: send(5))
        info = receiver.wait()
        assert info is not None
        assert info.si_value == 5
        join(thread)


def test_wait_returns_none_when_the_time_is_over_and_no_sooner() -> None:
    with open_signal_receiver(R) as receiver:
        assert receiver.wait(0) is None
        start = time.monotonic()
        assert receiver.wait(0.05) is None
        assert time.monotonic() - start >= 0.05


@pytest.mark.parametrize(
    ("timeout", "error"),
    [
        *((-1, ValueError), (-0.5, ValueError), (float("nan"), ValueError)),
        *((float("inf"), OverflowError), (2**63, OverflowError), ("1", TypeError)),
    ],
)
def test_a_bad_timeout_is_refused_and_nothing_taken(timeout: Any, error: type[Exception]) -> None:
    with open_signal_receiver(R) as receiver:
        send(1)
        with pytest.raises(error):
            receiver.wait(timeout)
        assert values(receiver.read()) == [1]


def test_any_thread_may_wait_and_each_delivery_wakes_somebody() -> None:
    got: list[int | None] = []
    with open_signal_receiver(R) as receiver:

        def wait() -> None:
            info = receiver.wait()
            assert info is not None
            got.append(info.si_value)

        threads = [in_thread(wait) for _ in range(3)]
        for number, _ in enumerate(threads, 1):
            send(number)
            until(lambda number=number: len(got) == number, "a waiter")  # type: ignore[misc]
        for thread in threads:
            join(thread)
    assert got == [1, 2, 3]


def test_python_handlers_run_while_the_main_thread_waits_and_the_wait_goes_on(
    when_asleep: WhenAsleep,
) -> None:
    def handler(signum: int, frame: FrameType | None) -> None:
        ran.append(signum)
        send(9)

    for install in (signal.signal, standard.signal):  # the other does not know of sigcffi
        ran: list[int] = []
        install(S, handler)
        with open_signal_receiver(R) as receiver:
            thread = when_asleep(lambda: os.kill(HERE, S))
            info = receiver.wait()
            assert info is not None
            assert (ran, info.si_value) == ([S], 9)
            join(thread)


def test_ctrl_c_ends_a_wait_and_takes_nothing_along(when_asleep: WhenAsleep) -> None:
    with open_signal_receiver(R) as receiver:
        for wait in (receiver.wait, lambda: receiver.wait(60), lambda: next(receiver)):
            thread = when_asleep(lambda: os.kill(HERE, signal.SIGINT))
            with pytest.raises(KeyboardInterrupt):
                wait()  # type: ignore[operator]
            join(thread)
        send(1)
        assert values(receiver.read()) == [1]


def test_a_receiver_of_sigint_has_it_beside_keyboardinterrupt(when_asleep: WhenAsleep) -> None:
    with open_signal_receiver(signal.SIGINT) as receiver:
        thread = when_asleep(lambda: os.kill(HERE, signal.SIGINT))
        with pytest.raises(KeyboardInterrupt):
            receiver.wait()
        join(thread)
        assert [info.si_pid for info in receiver.read()] == [HERE]


# ---- The end ----


def test_close_ends_loops_and_waits_in_every_thread() -> None:
    for _ in range(20):
        ended: list[object] = []
        receiver = open_signal_receiver(R)

        def loop(receiver: Receiver = receiver, ended: list[object] = ended) -> None:
            ended.append(list(receiver))

        def wait(receiver: Receiver = receiver, ended: list[object] = ended) -> None:
            with pytest.raises(ValueError, match="is closed"):
                receiver.wait()
            ended.append([])

        threads = [in_thread(loop), in_thread(loop), in_thread(wait), in_thread(wait)]
        for thread in threads:
            until(lambda thread=thread: asleep(thread.native_id or 0), "its wait")  # type: ignore[misc]
        receiver.close()
        for thread in threads:
            join(thread)
        assert ended == [[]] * 4


def test_what_nobody_has_read_is_unread() -> None:
    with open_signal_receiver(R) as receiver:
        assert receiver.unread == []
        send(1, 2, 3)
        assert values([next(receiver)]) == [1]
    assert values(receiver.unread) == [2, 3]
    receiver.close()
    assert values(receiver.unread) == [2, 3]


def test_threads_that_close_it_at_once_agree() -> None:
    for _ in range(50):
        receiver = open_signal_receiver(R, overflow="drop", capacity=16)
        send(*range(20))
        failed: list[BaseException] = []

        def close(receiver: Receiver = receiver, failed: list[BaseException] = failed) -> None:
            try:
                receiver.close()
                assert receiver.closed
            except BaseException as error:
                failed.append(error)

        threads = [in_thread(close) for _ in range(4)]
        for thread in threads:
            join(thread)
        assert not failed
        assert values(receiver.unread) == list(range(16))
        assert receiver.dropped == 4


def test_a_closed_one_refuses_everything_and_touches_nothing() -> None:
    before = disposition(T)
    receiver = open_signal_receiver(T)
    assert not receiver.closed
    assert disposition(T) != before
    receiver.close()
    assert receiver.closed
    for use in (receiver.read, receiver.fileno, receiver.wait, lambda: receiver.wait(0)):
        with pytest.raises(ValueError, match="is closed"):
            use()  # type: ignore[operator]
    assert list(receiver) == []
    assert receiver.dropped == 0
    assert receiver.describe() == "SIGUSR2: closed, 0 unread, 0 dropped"
    assert disposition(T) == before


def test_closing_the_last_one_leaves_what_was_there(foreign: ctypes.CDLL) -> None:
    def handler(signum: int, frame: FrameType | None) -> None:
        pass

    for install in (
        lambda: signal.signal(S, signal.SIG_DFL),
        lambda: signal.signal(S, signal.SIG_IGN),
        lambda: signal.signal(S, handler),
        lambda: foreign.foreign_install(S, signal.SA_RESTART),
    ):
        install()
        before, said = disposition(S), signal.getsignal(S)
        one, other = open_signal_receiver(S), open_signal_receiver(S, T)
        assert signal.getsignal(S) is said
        one.close()
        os.kill(HERE, S)
        other.close()
        assert [info.si_signo for info in other.unread] == [S]
        assert disposition(S) == before
        assert signal.getsignal(S) is said


def test_one_that_nobody_keeps_is_closed_with_a_warning() -> None:
    complaints: list[Any] = []
    for action in ("error", "always"):
        before = disposition(S)
        receiver: Any = open_signal_receiver(S)
        os.kill(HERE, S)
        with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings(record=True) as caught:
            patch.setattr("sys.unraisablehook", lambda args: complaints.append(args.exc_value))
            warnings.simplefilter(action, ResourceWarning)  # type: ignore[arg-type]
            del receiver
            gc.collect()
            gc.collect()
        # An error in __del__ goes nowhere; C must have let go of the memory all the same.
        [text] = complaints if action == "error" else [warning.message for warning in caught]
        assert str(text) == "unclosed <Receiver of SIGUSR1: 1 of 1024 waiting, 0 dropped>"
        assert isinstance(text, ResourceWarning)
        assert disposition(S) == before
