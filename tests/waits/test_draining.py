"""``sigdrain`` and the waits' ``SigInfo``: all that is pending, once, in order, and whole."""

from __future__ import annotations

import os
import signal as standard
import threading
import time
from types import FrameType
from typing import Any

import pytest
from support import DEADLINE, join, queue

import sigcffi as signal
from sigcffi._sigcffi import lib

pytestmark = pytest.mark.skipif(not lib.SIGCFFI_HAS_SIGTIMEDWAIT, reason="no sigtimedwait(2)")
needs_sigqueue = pytest.mark.skipif(not lib.SIGCFFI_HAS_SIGQUEUE, reason="no sigqueue(3)")

A, B = signal.SIGUSR1, signal.SIGUSR2
Q, R = signal.SIGRTMIN, signal.SIGRTMIN + 1


def values(infos: list[signal.SigInfo]) -> list[int | None]:
    return [info.si_value for info in infos]


@pytest.fixture(autouse=True)
def blocked() -> Any:
    with signal.blocked(A, B, Q, R):
        yield
        while signal.sigpending():
            signal.sigwait(signal.sigpending())


# ---- sigdrain ----


@needs_sigqueue
@pytest.mark.parametrize("count", [0, 1, 63, 64, 65, 128, 300])
def test_all_that_is_pending_comes_in_the_order_in_which_it_was_queued(count: int) -> None:
    queue(Q, *range(count))
    infos = signal.sigdrain({Q})
    assert values(infos) == list(range(count))
    assert {type(info) for info in infos} <= {signal.SigInfo}
    assert all((info.si_signo, info.si_pid) == (Q, os.getpid()) for info in infos)
    assert signal.sigpending() == set()
    assert signal.sigdrain({Q}) == []


@needs_sigqueue
@pytest.mark.parametrize("most", [0, 1, 63, 64, 65, 128, 199, 200, 201, 2**70])
def test_no_more_than_max_are_taken(most: int) -> None:
    queue(Q, *range(200))
    assert values(signal.sigdrain({Q}, max=most)) == list(range(min(most, 200)))
    assert values(signal.sigdrain({Q})) == list(range(min(most, 200), 200))


@needs_sigqueue
def test_the_lower_number_comes_first_and_other_signals_stay() -> None:
    queue(R, 1)
    queue(Q, 2, 3)
    queue(B, 4)
    queue(A, 5)
    assert values(signal.sigdrain([R, Q, A])) == [5, 2, 3, 1]
    assert signal.sigpending() == {B}


def test_a_standard_signal_is_pending_once() -> None:
    for _ in range(3):
        os.kill(os.getpid(), A)
    assert [info.si_signo for info in signal.sigdrain({A})] == [A]


def test_what_is_for_the_thread_and_what_is_for_the_process() -> None:
    signal.pthread_kill(threading.get_ident(), A)
    os.kill(os.getpid(), A)
    codes = [info.si_code for info in signal.sigdrain({A})]
    # Of the first glibc makes an SI_USER, too.
    assert codes in ([signal.SI_TKILL, signal.SI_USER], [signal.SI_USER] * 2)


def test_a_signal_that_is_not_blocked_is_handled_and_not_drained() -> None:
    seen: list[int] = []
    signal.signal(A, lambda signum, frame: seen.append(signum))
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {A})
    signal.raise_signal(A)
    assert signal.sigdrain({A}) == []
    assert seen == [A]


def test_handlers_do_not_run_for_what_is_drained() -> None:
    signal.signal(A, lambda signum, frame: pytest.fail("the handler ran"))
    os.kill(os.getpid(), A)
    assert len(signal.sigdrain({A})) == 1
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {A})


@needs_sigqueue
def test_several_threads_share_what_is_there() -> None:
    count = 2000
    queue(Q, *range(count))
    shares: list[list[signal.SigInfo]] = [[], []]

    def run(share: list[signal.SigInfo]) -> None:
        while infos := signal.sigdrain({Q}, max=7):
            share += infos

    threads = [threading.Thread(target=run, args=(share,)) for share in shares]
    for thread in threads:
        thread.start()
    for thread in threads:
        join(thread)
    taken = values(shares[0] + shares[1])
    assert sorted(taken) == list(range(count))  # type: ignore[type-var]
    assert all(values(share) == sorted(values(share)) for share in shares)  # type: ignore[type-var]


@pytest.mark.parametrize(
    ("sigset", "most", "error"),
    [
        ([A], -1, ValueError),
        ([A], 1.5, TypeError),
        ([A], "1", TypeError),
        ([0], None, ValueError),
        (["x"], None, TypeError),
        (None, None, TypeError),
    ],
)
def test_what_is_wrong_is_refused_and_nothing_taken(
    sigset: Any, most: Any, error: type[Exception]
) -> None:
    os.kill(os.getpid(), A)
    with pytest.raises(error):
        signal.sigdrain(sigset, max=most)
    assert signal.sigpending() == {A}


# ---- The same of one ----


@needs_sigqueue
@pytest.mark.parametrize(
    "wait", [signal.sigwaitinfo, lambda sigset: signal.sigtimedwait(sigset, 5)]
)
def test_a_wait_returns_all_that_the_signal_carries(wait: Any) -> None:
    before = time.monotonic_ns()
    queue(Q, -5, 6)
    for value in (-5, 6):
        info = wait({Q})
        assert type(info) is signal.SigInfo
        assert (info.si_signo, info.si_code, info.si_errno) == (Q, signal.SI_QUEUE, 0)
        assert (info.si_pid, info.si_uid, info.si_value) == (os.getpid(), os.getuid(), value)
        assert (info.si_status, info.si_band, info.si_addr, info.si_fd) == (None,) * 4
        assert before <= info.time_ns <= time.monotonic_ns()


def test_what_a_wait_returns_has_the_shape_of_struct_siginfo() -> None:
    os.kill(os.getpid(), A)
    info = signal.sigwaitinfo({A})
    assert len(info) == len(tuple(info)) == 7
    signo, code, error, *_ = info
    assert (signo, code, error) == (info[0], info[1], info[2]) == (A, signal.SI_USER, 0)
    assert info[-7:] == tuple(info)


def test_handlers_in_between_do_not_put_off_the_end_of_a_wait() -> None:
    """The deadline is absolute: were it begun anew after each of them, it would never come."""
    calls: list[int] = []
    end = time.monotonic() + DEADLINE

    def handler(signum: int, frame: FrameType | None) -> None:
        calls.append(signum)
        if time.monotonic() > end:
            standard.setitimer(standard.ITIMER_REAL, 0)
            pytest.fail("it has been put off")

    standard.signal(standard.SIGALRM, handler)
    standard.setitimer(standard.ITIMER_REAL, 0.001, 0.001)
    while len(calls) < 3:
        assert signal.sigtimedwait({A}, 0.05) is None
    standard.setitimer(standard.ITIMER_REAL, 0)


def test_a_wait_in_one_thread_leaves_the_record_of_another_alone() -> None:
    """Each has memory of its own while it waits."""
    results: list[Any] = []
    ready = threading.Event()

    def run() -> None:
        ready.set()
        results.append(signal.sigwaitinfo({B}))

    thread = threading.Thread(target=run)
    thread.start()
    ready.wait()
    for _ in range(100):
        os.kill(os.getpid(), A)
        assert signal.sigwaitinfo({A}).si_signo == A
    os.kill(os.getpid(), B)
    join(thread)
    assert [info.si_signo for info in results] == [B]
