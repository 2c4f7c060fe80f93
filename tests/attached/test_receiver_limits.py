"""What receivers refuse, hold back and drop; and handlers that are installed under them."""

from __future__ import annotations

import errno
import os
import resource
import signal as standard
import threading
from types import FrameType
from typing import Any

import pytest
from support import asleep, disposition, join, needs_pthread_sigqueue, queue, until

import sigcffi as signal
from sigcffi import SigInfo, open_signal_receiver

S, T, R = signal.SIGUSR1, signal.SIGUSR2, signal.SIGRTMIN
HERE = os.getpid()


def send(*values: int) -> None:
    queue(R, *values)


def values(infos: list[SigInfo]) -> list[int | None]:
    return [info.si_value for info in infos]


def blocked_by_the_kernel() -> set[int]:
    """In this thread, also what sigcffi has blocked."""
    return set(map(int, standard.pthread_sigmask(standard.SIG_BLOCK, ())))


@pytest.fixture(autouse=True)
def _what_a_test_that_fails_leaves_pending_ends_nothing() -> None:
    signal.signal(R, signal.SIG_IGN)


# ---- Full ----


def test_a_full_receiver_holds_its_signals_back_and_loses_nothing() -> None:
    """That the kernel holds them is seen by the standard module; sigcffi hides it, for it is not
    the program's doing.
    """
    handled: list[int | None] = []
    signal.sigaction(R, lambda info, frame: handled.append(info.si_value))
    with open_signal_receiver(R, T, capacity=16) as receiver:
        send(*range(11))
        assert receiver.describe() == "SIGUSR2, SIGRTMIN: 11 of 16 waiting, 0 dropped"
        assert blocked_by_the_kernel() == set()
        send(*range(11, 40))
        assert blocked_by_the_kernel() == {R, T}
        assert signal.pthread_sigmask(signal.SIG_BLOCK, ()) == set()
        assert handled == list(range(12))  # for handlers, too
        assert receiver.describe() == (
            "SIGUSR2, SIGRTMIN: 12 of 16 waiting, 0 dropped; "
            "it is full, and holds its signals back until it is read"
        )
        got: list[int | None] = []
        while batch := receiver.read():
            got += values(batch)
        assert got == handled == list(range(40))
        assert blocked_by_the_kernel() == set()
        assert receiver.describe() == "SIGUSR2, SIGRTMIN: 0 of 16 waiting, 0 dropped"
        assert receiver.dropped == 0


def test_taking_one_by_one_lets_the_rest_in_when_half_is_free() -> None:
    with open_signal_receiver(R, capacity=16) as receiver:
        send(*range(20))
        got = []
        for _ in range(20):
            info = receiver.wait(0)
            assert info is not None
            got.append(info.si_value)
        assert got == list(range(20))
        assert blocked_by_the_kernel() == set()


def test_closing_a_full_one_lets_go_what_it_held_back() -> None:
    handled: list[int | None] = []
    signal.sigaction(R, lambda info, frame: handled.append(info.si_value))
    with open_signal_receiver(R, capacity=16) as receiver:
        send(*range(20))
    assert blocked_by_the_kernel() == set()
    signal.pthread_sigmask(signal.SIG_BLOCK, ())
    assert handled == list(range(20))
    assert values(receiver.unread) == list(range(12))


def test_of_two_full_ones_the_slower_decides() -> None:
    with open_signal_receiver(R, capacity=16) as one, open_signal_receiver(R, capacity=16) as other:
        send(*range(20))
        assert values(one.read()) == list(range(12))
        assert blocked_by_the_kernel() == {R}
        assert one.read() == []
        assert values(other.read()) == list(range(12))
        assert blocked_by_the_kernel() == set()
        assert values(one.read()) == values(other.read()) == list(range(12, 20))


@needs_pthread_sigqueue
def test_another_thread_is_held_back_and_let_go_too() -> None:
    """Signals that go to one thread alone, which then sits in a system call."""
    total = 100
    with open_signal_receiver(R, capacity=16) as receiver:
        gate, latch = os.pipe()
        thread = threading.Thread(target=os.read, args=(gate, 1))
        thread.start()
        until(lambda: asleep(thread.native_id or 0), "its wait")
        for value in range(total):
            signal.pthread_sigqueue(thread.ident, R, value)
        until(lambda: "holds its signals back" in receiver.describe(), "the thread's mask")
        assert blocked_by_the_kernel() == set()
        got: list[int | None] = []
        while len(got) < total:
            info = receiver.wait()
            assert info is not None
            got.append(info.si_value)
        assert got == list(range(total))
        os.write(latch, b".")
        join(thread)
        os.close(gate)
        os.close(latch)


def test_a_program_that_blocks_the_signal_itself_keeps_it_blocked() -> None:
    with open_signal_receiver(R, capacity=16) as receiver:
        send(*range(20))
        assert signal.pthread_sigmask(signal.SIG_BLOCK, (R,)) == set()
        assert len(receiver.read()) == 12
        assert blocked_by_the_kernel() == {R}
        assert receiver.read() == []
        assert signal.pthread_sigmask(signal.SIG_UNBLOCK, (R,)) == {R}
        assert values(receiver.read()) == list(range(12, 20))


def test_overflow_drop_holds_nobody_back_and_counts() -> None:
    handled: list[int | None] = []
    signal.sigaction(R, lambda info, frame: handled.append(info.si_value))
    drops = open_signal_receiver(R, capacity=16, overflow="drop")
    with drops as receiver, open_signal_receiver(R) as other:
        send(*range(20))
        assert blocked_by_the_kernel() == set()
        assert handled == list(range(20))
        assert receiver.describe() == "SIGRTMIN: 16 of 16 waiting, 4 dropped"
        assert values(receiver.read()) == list(range(16))
        send(20)
        assert values(receiver.read()) == [20]
        assert (receiver.dropped, other.dropped, signal.dropped()) == (4, 0, 0)
        assert values(other.read()) == list(range(21))
    assert receiver.dropped == 4


# ---- Arguments and limits ----


@pytest.mark.parametrize(
    ("arguments", "error", "number"),
    [
        (((), {}), ValueError, None),
        *((((T, bad), {}), ValueError, None) for bad in (0, -1, signal.NSIG)),
        (((T, 2**40), {}), OverflowError, None),
        *((((T, bad), {}), TypeError, None) for bad in ("1", None, [T])),
        *((((T, bad), {}), OSError, errno.EINVAL) for bad in (signal.SIGKILL, signal.SIGSTOP)),
        *((((T,), {"capacity": bad}), ValueError, None) for bad in (0, -1, 2**20 + 1, 2**80)),
        *((((T,), {"capacity": bad}), TypeError, None) for bad in (1.5, "16", None)),
        *((((T,), {"overflow": bad}), ValueError, None) for bad in ("", "lose", None)),
    ],
)
def test_bad_arguments_attach_nothing(
    arguments: tuple[Any, dict[str, Any]], error: type[Exception], number: int | None
) -> None:
    before = disposition(T)
    with pytest.raises(error) as caught:
        open_signal_receiver(*arguments[0], **arguments[1])
    assert number is None or caught.value.errno == number  # type: ignore[attr-defined]
    assert disposition(T) == before


def test_the_capacity_is_rounded_up_to_a_power_of_two() -> None:
    for wanted, capacity in [(1, 16), (16, 16), (17, 32), (1000, 1024), (2**20, 2**20)]:
        with open_signal_receiver(S, capacity=wanted) as receiver:
            assert receiver.capacity == capacity


def test_too_many_receivers_or_actions_of_a_signal_are_refused_whole() -> None:
    before = disposition(T)
    receivers = [open_signal_receiver(S) for _ in range(8)]
    with pytest.raises(OSError, match="too many receivers, or actions") as caught:
        open_signal_receiver(T, S)
    assert caught.value.errno == errno.ENOSPC
    assert disposition(T) == before
    receivers += [open_signal_receiver(R + number % 7) for number in range(55)]
    with pytest.raises(OSError, match="too many receivers, or actions"):
        open_signal_receiver(T)
    assert disposition(T) == before
    receivers.pop().close()
    receivers.append(open_signal_receiver(T))
    os.kill(HERE, T)
    assert len(receivers[-1].read()) == 1
    for receiver in receivers:
        receiver.close()
    assert disposition(T) == before


def test_a_descriptor_too_many_is_refused_and_nothing_attached() -> None:
    before, limits = disposition(T), resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, limits[1]))
    try:
        with pytest.raises(OSError, match=os.strerror(errno.EMFILE)):
            open_signal_receiver(T)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
    assert disposition(T) == before


# ---- Handlers installed meanwhile ----


def test_signal_replaces_what_is_under_a_receiver_and_leaves_the_receiver() -> None:
    with open_signal_receiver(S) as receiver:
        for handler in (signal.SIG_IGN, lambda signum, frame: None, signal.SIG_DFL):
            signal.signal(S, handler)
            os.kill(HERE, S)
            assert len(receiver.read()) == 1


@pytest.mark.parametrize("former", ["handler", "subscriber"])
def test_what_replaces_a_handler_behind_its_back_is_noticed_by_who_waits(former: str) -> None:
    """Neither do its signals stay away, nor does what they carry pile up for a dispatcher that is
    not called any more: then they would be held back for ever.
    """
    lost: list[SigInfo] = []
    called: list[int] = []

    def handler(signum: int, frame: FrameType | None) -> None:
        called.append(signum)

    with open_signal_receiver(R) as receiver:
        for wait in (receiver.fileno, lambda: receiver.wait(0)):
            if former == "handler":
                signal.sigaction(R, lambda info, frame: lost.append(info))
            else:
                subscription = signal.subscribe(R, lambda info, frame: lost.append(info))
            standard.signal(R, handler)
            wait()  # type: ignore[operator]
            called.clear()
            for value in range(2000):
                send(value)
                assert [info.si_value for info in receiver.read()] == [value]
            assert called == [R] * 2000
            assert lost == []
            standard.signal(R, standard.SIG_DFL)
            wait()  # type: ignore[operator]
            send(1)
            assert len(receiver.read()) == 1
            if former == "subscriber":
                subscription.close()


def test_a_wait_covers_a_handler_that_has_replaced_one_behind_its_back() -> None:
    called: list[int] = []
    signal.sigaction(R, lambda info, frame: None)
    standard.signal(R, lambda signum, frame: called.append(signum))
    with open_signal_receiver(S) as receiver:
        assert receiver.wait(0.001) is None
    for value in range(2000):
        send(value)
    assert called == [R] * 2000


def test_patched_the_standard_module_leaves_receivers_alone() -> None:
    signal.patch_stdlib()
    try:
        with open_signal_receiver(S) as receiver:
            for handler in (standard.SIG_IGN, lambda signum, frame: None, standard.SIG_DFL):
                standard.signal(S, handler)
                os.kill(HERE, S)
                assert len(receiver.read()) == 1
    finally:
        signal.unpatch_stdlib()
