"""Threads that do everything together: what they share is right when they have done.

Law: of each part it is known what must come of it, whatever the others do meanwhile. Without a GIL
these run at once; with one they run in turns, and must come to the same.
"""

from __future__ import annotations

import itertools
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from types import FrameType

import pytest
from support import DEADLINE, join, nested_handlers, python_says, run_python, until

import sigcffi as signal
from sigcffi._attached import attaching as _attaching
from sigcffi._attached import dead_man as _dead_man
from sigcffi._dispatch import dispatcher as _dispatch
from sigcffi._testing.bytecodes import Act, Tracing

THREADS = 4


ROUNDS = 50


SIGNUM = signal.SIGRTMIN + 3


def together(*parts: Callable[[], object], rounds: int = ROUNDS) -> None:
    """Each part in THREADS threads, which begin at once, and what they raise raised here."""
    errors: list[BaseException] = []
    ready = threading.Barrier(THREADS * len(parts))

    def run(part: Callable[[], object]) -> None:
        try:
            ready.wait(DEADLINE)
            for _ in range(rounds):
                part()
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=run, args=(part,)) for part in parts * THREADS]
    for thread in threads:
        thread.start()
    for thread in threads:
        join(thread)
    if errors:
        raise errors[0]


@contextmanager
def struck() -> Iterator[list[int]]:
    """The main thread runs a handler of SIGNUM as often as it can be interrupted; what it counts is
    one list, whose length is how often.
    """
    calls: list[int] = []
    signal.sigaction(SIGNUM, lambda info, frame: calls.append(info.si_value or 0))
    ended = threading.Event()

    def strike() -> None:
        for value in itertools.count(1):
            if ended.is_set():
                return
            try:
                signal.sigqueue(os.getpid(), SIGNUM, value)
            except BlockingIOError:
                os.sched_yield()
            ended.wait(0.001)

    thread = threading.Thread(target=strike)
    thread.start()
    try:
        yield calls
    finally:
        ended.set()
        join(thread)


def test_what_threads_close_at_once_is_closed_once() -> None:
    """Receivers: each delivery is handed over once, by a read or in ``unread``."""
    total = 200
    with signal.open_signal_receiver(SIGNUM, capacity=1024) as receiver:
        for value in range(total):
            until_queued(value)
        found: list[int | None] = []

        def take() -> None:
            try:
                if (info := receiver.wait(0)) is not None:
                    found.append(info.si_value)
            except ValueError:
                pass  # it was closed meanwhile

        def close() -> None:
            if len(found) > total // 4:
                receiver.close()

        together(take, close)
    found += [info.si_value for info in receiver.unread]
    assert sorted(found, key=int) == list(range(total))  # type: ignore[arg-type]


def until_queued(value: int) -> None:
    def queued() -> bool:
        try:
            signal.sigqueue(os.getpid(), SIGNUM, value)
        except BlockingIOError:
            return False
        return True

    until(queued, "room for a signal")


def test_of_subscribers_that_threads_close_none_is_left_and_none_of_the_others_is_missing() -> None:
    """Also if handlers of the main thread subscribe and close meanwhile."""
    seen: list[int] = []
    kept = [signal.subscribe(SIGNUM, lambda info, frame, n=n: seen.append(n)) for n in range(3)]
    closing = [
        [signal.subscribe(SIGNUM, lambda info, frame: seen.append(-1)) for _ in range(ROUNDS * 8)]
        for _ in range(THREADS)
    ]
    work = iter(closing)

    def close() -> None:
        with lock:
            mine = next(work)
        for subscription in mine:
            subscription.close()
            closed.release()

    def come_and_go(info: signal.SigInfo, frame: FrameType | None) -> None:
        signal.subscribe(SIGNUM, lambda info, frame: None).close()

    lock, closed = threading.Lock(), threading.Semaphore(0)
    handler = signal.subscribe(signal.SIGUSR1, come_and_go)
    threads = [threading.Thread(target=close) for _ in range(THREADS)]
    for thread in threads:
        thread.start()
    for _ in range(THREADS * ROUNDS * 8):
        assert closed.acquire(timeout=DEADLINE)  # or the main thread would have the lock for itself
        os.kill(os.getpid(), signal.SIGUSR1)
    for thread in threads:
        join(thread)
    handler.close()
    entry = _dispatch.entries[SIGNUM]
    assert list(entry.subscribers.values()) == [each._call for each in kept]
    seen.clear()
    until_queued(0)
    until(lambda: len(seen) >= 3, "the subscribers")
    assert seen == [0, 1, 2]
    for subscription in kept:
        subscription.close()
    assert SIGNUM not in _dispatch.entries


def test_attachments_of_threads_are_each_what_they_would_be_alone() -> None:
    def attach() -> None:
        with signal.actions.counter(signal.SIGUSR2) as counter:
            assert not counter.closed
            assert int(counter) == 0
        assert counter.closed

    def flag() -> None:
        with signal.actions.flag(signal.SIGUSR1) as flag:
            assert not flag.wait(0)
        assert flag.closed

    together(attach, flag)
    assert _attaching._attached == {}


def test_switches_of_threads_end_nobody_who_pets_in_time() -> None:
    """Also beside one whose time is almost over again and again."""

    def come_and_go() -> None:
        with signal.kill_after(DEADLINE) as switch:
            for _ in range(5):
                switch.pet()
            assert switch.remaining() is not None
        with pytest.raises(ValueError, match="cancelled"):
            switch.pet()

    with struck():
        together(come_and_go, rounds=ROUNDS * 4)
    assert _dead_man._deadlines == {}


def test_masks_and_timers_of_threads() -> None:
    words = [{signal.SIGUSR1, signal.SIGRTMIN + n % 20} for n in range(300)]

    def mask() -> None:
        for word in words:
            with signal.blocked(*word):
                assert word <= signal.pthread_sigmask(signal.SIG_BLOCK, ())

    def timer() -> None:
        with signal.Timer(SIGNUM) as timer:
            timer.settime(DEADLINE)
            assert 0 < timer.gettime()[0] <= DEADLINE
        assert timer.closed

    together(mask, timer, rounds=3)


def test_everything_together() -> None:
    """Threads attach, close, read, wait and pet; the main thread is interrupted all the time, and
    subscribes, defers and times out.
    """
    end = threading.Event()
    errors: list[BaseException] = []
    received: list[int] = []

    def keep_doing(part: Callable[[], object]) -> Callable[[], None]:
        def run() -> None:
            try:
                while not end.is_set():
                    part()
            except BaseException as error:
                errors.append(error)
                end.set()

        return run

    def receive() -> None:
        with signal.open_signal_receiver(SIGNUM, overflow="drop") as receiver:
            info = receiver.wait(0.05)
            if info is not None:
                received.append(info.si_value or 0)

    def attach() -> None:
        with ExitStack() as stack:
            stack.enter_context(signal.actions.counter(SIGNUM))
            flag = stack.enter_context(signal.actions.flag(SIGNUM))
            flag.wait(0.01)

    def look() -> None:
        assert callable(signal.getsignal(SIGNUM))
        assert len(signal.dispositions()) == len(signal.valid_signals())

    def pet() -> None:
        with signal.kill_after(DEADLINE) as switch:
            switch.pet()

    subscriptions: list[signal.Subscription] = []

    def close() -> None:
        try:
            subscriptions.pop().close()
        except IndexError:
            os.sched_yield()

    threads = [
        threading.Thread(target=keep_doing(part)) for part in (receive, attach, look, pet, close)
    ]
    with struck() as calls:
        for thread in threads:
            thread.start()
        try:
            for number in range(ROUNDS * 4):
                if end.is_set():
                    break
                subscriptions.append(signal.subscribe(SIGNUM, lambda info, frame: None))
                with signal.deferred():
                    before = len(calls)
                    sum(range(100))
                    assert len(calls) == before
                if number % 10 == 0:
                    with pytest.raises(signal.TimedOut), signal.timeout(0.001):
                        while True:
                            pass
            until(lambda: received and calls, "a delivery")
        finally:
            end.set()
            for thread in threads:
                join(thread)
    while subscriptions:
        subscriptions.pop().close()
    assert not errors, errors


# ---- The lock ----


def test_a_forked_child_has_the_lock_free_whoever_held_it() -> None:
    code = """
        import os, sys, threading, warnings
        warnings.simplefilter("ignore")  # threads and fork
        import sigcffi
        from sigcffi._dispatch.changing import changing

        held, end = threading.Event(), threading.Event()
        def hold():
            with changing:
                held.set()
                end.wait()
        thread = threading.Thread(target=hold)
        thread.start()
        held.wait()
        child = os.fork()
        if child == 0:
            with sigcffi.kill_after(60):
                os._exit(7)
        end.set()
        thread.join()
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
    """
    done = run_python(code)
    assert (done.returncode, done.stdout) == (0, "7\n"), done.stderr


def test_a_thread_that_forks_with_the_lock_has_it_in_the_child() -> None:
    code = """
        import os
        import sigcffi
        from sigcffi._dispatch.changing import changing

        with changing:
            child = os.fork()
            owned = changing._is_owned()
        if child == 0:
            with sigcffi.kill_after(60):
                os._exit(7 if owned and not changing._is_owned() else 1)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
    """
    assert python_says(code) == "7\n"


@nested_handlers
def test_of_a_subscription_for_one_delivery_the_first_of_several_signals_is_it() -> None:
    """Also where the second interrupts the first before its callback was called."""
    seen: list[int] = []
    first, second = signal.SIGRTMIN + 4, signal.SIGRTMIN + 5

    def program() -> None:
        seen.clear()
        with signal.subscribe(
            (first, second), lambda info, frame: seen.append(info.si_signo), once=True
        ) as subscription:
            signal.sigqueue(os.getpid(), first, 0)
            signal.pthread_sigmask(signal.SIG_BLOCK, ())
            assert len(seen) == 1
            assert subscription.closed

    def interrupting(at: int) -> Act:
        """Have the other one come at the bytecode of this number."""
        left = at

        def act(frame: FrameType) -> None:
            nonlocal left
            left -= 1
            if left == 0 and not frame.f_locals["self"].closed:
                signal.sigqueue(os.getpid(), second, 0)
                signal.pthread_sigmask(signal.SIG_BLOCK, ())

        return act

    with Tracing(lambda code: code.co_name == "_close_and_call") as tracing:
        for at in range(1, tracing.count(program) + 1):
            tracing.call(program, interrupting(at))
