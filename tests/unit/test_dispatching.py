"""The dispatcher: order, exceptions, nesting, and that nothing is counted twice or not at all."""

from __future__ import annotations

import _thread
import collections
import os
import signal as standard
import sys
import threading
from types import CodeType, FrameType
from typing import Any

import pytest
import support
from support import PYPY, join, nested_handlers, python_says, readable, run_python
from tracing import Tracing

import sigcffi as signal
from sigcffi import SigInfo, actions, sigaction, subscribe
from sigcffi._changes import installing, steps
from sigcffi._core.ffi import words
from sigcffi._dispatch import dispatcher as _dispatch
from sigcffi._dispatch.deliveries import CAPACITY, account
from sigcffi._dispatch.dispatcher import dispatch

S, T, R, Q = signal.SIGUSR1, signal.SIGUSR2, signal.SIGRTMIN, signal.SIGRTMIN + 1
HERE = os.getpid()


def look() -> None:
    signal.pthread_sigmask(signal.SIG_BLOCK, ())


def balanced() -> bool:
    delivered, handed, dropped, queued = account()
    return delivered == handed + dropped + queued


@pytest.fixture
def unraisable(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    reported: list[Any] = []
    monkeypatch.setattr(sys, "unraisablehook", reported.append)
    return reported


def queue(*values: tuple[int, int]) -> None:
    for signum, value in values:
        support.queue(signum, value)


# ---- Order ----


def test_handlers_run_in_the_order_of_arrival_across_signals() -> None:
    seen: list[tuple[int, int | None]] = []
    for signum in (R, Q):
        sigaction(signum, lambda info, frame: seen.append((info.si_signo, info.si_value)))
    sent = [(Q, 1), (R, 2), (Q, 3), (R, 4)]
    with signal.deferred():
        queue(*sent)
        assert seen == []
        assert account()[3] == 4
    look()
    assert seen == sent


def test_times_are_those_of_arrival_and_never_go_back() -> None:
    import time

    infos: list[SigInfo] = []
    sigaction(R, lambda info, frame: infos.append(info))
    start = time.monotonic_ns()
    with signal.deferred():
        queue(*[(R, number) for number in range(5)])
        arrived = time.monotonic_ns()
    look()
    times = [info.time_ns or 0 for info in infos]
    assert [start, *times, arrived] == sorted([start, *times, arrived])


# ---- Exceptions ----


class FirstError(Exception):
    pass


def test_nothing_queued_is_passed_by_and_the_first_exception_leaves(unraisable: Any) -> None:
    seen: list[int | None] = []

    def handler(info: SigInfo, frame: FrameType | None) -> None:
        seen.append(info.si_value)
        if info.si_value in (2, 4):
            raise FirstError(info.si_value)

    sigaction(R, handler)
    with pytest.raises(FirstError) as caught:
        with signal.deferred():
            queue(*[(R, number) for number in range(6)])
        look()
    assert caught.value.args == (2,)
    assert caught.traceback[-1].name == "handler"
    assert seen == [0, 1, 2, 3, 4, 5]
    assert [(type(each.exc_value), each.exc_value.args) for each in unraisable] == [
        (FirstError, (4,))
    ]
    assert unraisable[0].object is handler
    assert balanced()


def test_an_exception_of_one_subscriber_does_not_keep_the_others_from_their_call() -> None:
    seen: list[str] = []

    def fail(info: SigInfo, frame: FrameType | None) -> None:
        raise FirstError

    signal.signal(S, lambda signum, frame: seen.append("base"))
    callbacks = (fail, lambda info, frame: seen.append("other"))
    subscriptions = [subscribe(S, callback) for callback in callbacks]
    with pytest.raises(FirstError):
        os.kill(HERE, S)
        look()
    for subscription in subscriptions:
        subscription.close()
    assert seen == ["other", "base"]


def test_later_exceptions_are_shown_where_no_hook_is_set() -> None:
    code = """
        import os
        import sigcffi as signal

        def handler(info, frame):
            raise ValueError(info.si_value)

        signal.sigaction(signal.SIGRTMIN, handler)
        try:
            with signal.deferred():
                for number in (1, 2):
                    signal.sigqueue(os.getpid(), signal.SIGRTMIN, number)
            signal.pthread_sigmask(signal.SIG_BLOCK, ())
        except ValueError as error:
            print(error)
    """
    done = run_python(code)
    assert (done.returncode, done.stdout) == (0, "1\n")
    assert "Exception ignored in" in done.stderr
    assert "ValueError: 2" in done.stderr


@nested_handlers
def test_keyboardinterrupt_reaches_the_handler_that_it_interrupts() -> None:
    code = """
        import os
        import sigcffi as signal

        log = []

        def handler(info, frame):
            try:
                signal.raise_signal(signal.SIGINT)
                signal.pthread_sigmask(signal.SIG_BLOCK, ())
                log.append("not interrupted")
            finally:
                log.append(info.si_value)

        signal.sigaction(signal.SIGRTMIN, handler)
        for value in (1, 2):
            try:
                signal.sigqueue(os.getpid(), signal.SIGRTMIN, value)
                signal.pthread_sigmask(signal.SIG_BLOCK, ())
            except KeyboardInterrupt:
                log.append("KeyboardInterrupt")
        print(*log)
    """
    assert python_says(code) == "1 KeyboardInterrupt 2 KeyboardInterrupt\n"


def test_an_exception_leaves_the_dispatcher_usable() -> None:
    seen: list[int | None] = []

    def handler(info: SigInfo, frame: FrameType | None) -> None:
        seen.append(info.si_value)
        raise FirstError

    sigaction(R, handler)
    for number in range(5):
        with pytest.raises(FirstError):
            queue((R, number))
            look()
    assert seen == list(range(5))


# ---- Calls without a record ----


def test_interrupt_main_is_a_call_without_a_known_sender(monkeypatch: Any) -> None:
    infos: list[SigInfo] = []
    sigaction(signal.SIGINT, lambda info, frame: infos.append(info))
    for number in range(1, 4):
        _thread.interrupt_main()
        look()
        assert len(infos) == number
    assert {(info.si_signo, info.si_code, info.time_ns) for info in infos} == {
        (signal.SIGINT, None, None)
    }
    assert balanced()


def test_interrupt_main_is_not_taken_for_what_another_handler_was_called_for() -> None:
    infos: list[SigInfo] = []
    signal.signal(R, lambda signum, frame: None)
    for _ in range(3):
        signal.raise_signal(R)
    sigaction(R, lambda info, frame: infos.append(info))
    _thread.interrupt_main(R)
    look()
    assert [info.si_code for info in infos] == [None]


def test_after_a_burst_there_is_neither_a_call_too_many_nor_one_too_few() -> None:
    infos: list[SigInfo] = []
    sigaction(signal.SIGINT, lambda info, frame: infos.append(info))
    sigaction(R, lambda info, frame: infos.append(info))
    for size in (1, 2, 3, 10):
        infos.clear()
        with signal.deferred():
            for number in range(size):
                signal.raise_signal(signal.SIGINT)
                queue((R, number))
        look()
        assert [info.si_code is None for info in infos] == [False] * (2 * size)
        _thread.interrupt_main()
        look()
        assert [info.si_code for info in infos[2 * size :]] == [None]
        look()
        assert len(infos) == 2 * size + 1


def test_of_signals_that_come_singly_and_together_from_threads_each_is_handed_over_once() -> None:
    infos: list[SigInfo] = []
    sigaction(R, lambda info, frame: infos.append(info))
    sigaction(Q, lambda info, frame: infos.append(info))

    def send() -> None:
        for number in range(200):
            queue((R, number), (Q, number))

    threads = [threading.Thread(target=send) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        join(thread)
    look()
    for signum in (R, Q):
        counts = collections.Counter(info.si_value for info in infos if info.si_signo == signum)
        assert counts == dict.fromkeys(range(200), 3)
    assert len(infos) == 1200


@nested_handlers
@pytest.mark.parametrize("deep", [1, 2, 3])
def test_calls_that_interrupt_others_before_these_have_looked_leave_nothing_to_explain(
    deep: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each signal comes while the interpreter begins its call of the dispatcher for the one before.
    The innermost call finds them all.
    """
    values: list[int | None] = []
    left = deep

    class Words:
        """Signals come when the dispatcher looks at C's calls, which it does first of all."""

        def __getitem__(self, index: int) -> int:
            nonlocal left
            if sys._getframe(1).f_code is dispatch.__code__ and index == R and left:
                left -= 1
                queue((R, left))
                look()
            return words[index]

        def __setitem__(self, index: int, value: int) -> None:
            words[index] = value

    sigaction(R, lambda info, frame: values.append(info.si_value))
    monkeypatch.setattr("sigcffi._dispatch.dispatcher.words", Words())
    queue((R, deep))
    look()
    assert values == [*range(deep, -1, -1)]
    _thread.interrupt_main(R)
    look()
    assert values == [*range(deep, -1, -1), None]


# ---- What a handler keeps out ----


def test_what_waits_for_a_handlers_end_calls_nobody_who_has_replaced_another_unseen() -> None:
    called: list[int] = []

    def handler(info: SigInfo, frame: FrameType | None) -> None:
        os.kill(HERE, S)
        look()
        assert called == []

    sigaction(T, lambda info, frame: called.append(-T))
    standard.signal(T, lambda signum, frame: called.append(T))
    signal.signal(S, lambda signum, frame: called.append(S))
    sigaction(R, handler, mask=[S])
    queue((R, 1))
    look()
    assert called == [S]


@nested_handlers
def test_what_waits_calls_nobody_who_is_just_replacing_another() -> None:
    called: list[int] = []

    def watched(code: CodeType) -> bool:
        return code.co_filename in (installing.__file__, steps.__file__)

    def send(frame: FrameType, event: str) -> None:
        if event == "opcode":
            os.kill(HERE, S)

    def replace() -> None:
        sigaction(T, lambda info, frame: called.append(-T))
        signal.signal(T, lambda signum, frame: called.append(T))

    def handler(info: SigInfo, frame: FrameType | None) -> None:
        with Tracing(watched) as tracing:
            tracing.call(replace, send)
        assert called == []

    signal.signal(S, lambda signum, frame: called.append(S))
    sigaction(R, handler, mask=[S])
    with actions.counter(T), actions.counter(S) as sent:
        queue((R, 1))
        look()
        assert int(sent) > 50
    assert called == [S]


def test_what_waits_is_for_the_handler_that_is_there_when_it_is_let_in() -> None:
    """Also if nothing handled the signal when it came, beside a subscriber."""
    called: list[str] = []
    signal.signal(R, signal.SIG_IGN)
    with subscribe(R, lambda info, frame: called.append("subscriber")):
        with signal.deferred():
            queue((R, 1))
            sigaction(R, lambda info, frame: called.append("handler"))
        look()
    assert called == ["subscriber", "handler"]


# ---- Nesting ----


@nested_handlers
def test_what_a_handler_keeps_out_is_not_looked_through_for_each_that_comes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Nor does more of it wait here than the ring holds: what is more is the kernel's to keep."""
    total, looks, waiting = 3 * CAPACITY, [0], [0]
    seen: list[int | None] = []
    first_but = _dispatch.first_but

    def count(kept_out: int) -> int:
        looks[0] += 1
        waiting[0] = max(waiting[0], len(_dispatch.waiting))
        return first_but(kept_out)

    def handler(info: SigInfo, frame: FrameType | None) -> None:
        seen.append(info.si_value)
        if len(seen) == 1:
            with signal.blocked(R, Q):
                queue(*[(R, value) for value in range(1, 500)], (Q, 0))
            look()
            assert called == [Q]
            assert looks[0] < 10
            queue(*[(R, value) for value in range(500, total)])

    called: list[int] = []
    sigaction(R, handler)
    sigaction(Q, lambda info, frame: called.append(info.si_signo))
    monkeypatch.setattr(_dispatch, "first_but", count)
    queue((R, 0))
    look()
    assert seen == [*range(total)]
    assert waiting[0] <= CAPACITY
    assert signal.dropped() == 0


def test_the_law_of_counting_holds_at_any_moment() -> None:
    checked: list[tuple[int, ...]] = []

    def handler(info: SigInfo, frame: FrameType | None) -> None:
        assert balanced()
        checked.append(account())
        if info.si_value == 3:
            queue((Q, 1))
            look()

    sigaction(R, handler)
    sigaction(Q, handler)
    before = account()
    with signal.deferred():
        queue(*[(R, number) for number in range(6)])
        assert balanced()
        assert account()[3] == before[3] + 6
    look()
    assert len(checked) == 7
    assert [queued for *_, queued in checked][:4] == [5, 4, 3, 2]
    assert account()[1] == before[1] + 7


def test_a_handler_may_change_the_handlers_of_its_own_signal() -> None:
    seen: list[tuple[str, int | None]] = []

    def second(info: SigInfo, frame: FrameType | None) -> None:
        seen.append(("second", info.si_value))

    def first(info: SigInfo, frame: FrameType | None) -> None:
        seen.append(("first", info.si_value))
        sigaction(R, second)

    sigaction(R, first)
    with signal.deferred():
        queue((R, 1), (R, 2), (R, 3))
    look()
    assert seen == [("first", 1), ("second", 2), ("second", 3)]


def test_what_is_queued_goes_to_a_plain_handler_that_takes_over() -> None:
    seen: list[int] = []

    def first(info: SigInfo, frame: FrameType | None) -> None:
        signal.signal(R, lambda signum, frame: seen.append(signum))

    sigaction(R, first)
    with signal.deferred():
        queue((R, 1), (R, 2), (R, 3))
    look()
    assert seen  # called at least once for what was left: this handler is told no more
    assert account()[3] == 0


def test_a_fork_within_a_handler_leaves_the_rest_to_the_parent() -> None:
    code = """
        import os
        import sigcffi as signal
        from sigcffi._dispatch.deliveries import account

        seen = []

        def handler(info, frame):
            seen.append(info.si_value)
            if info.si_value == 2:
                pid = os.fork()
                if pid == 0:
                    seen.append("child")
                    assert account() == (0, 0, 0, 0), account()
                    return
                assert os.waitpid(pid, 0)[1] == 0

        signal.sigaction(signal.SIGRTMIN, handler)
        with signal.deferred():
            for number in range(5):
                signal.sigqueue(os.getpid(), signal.SIGRTMIN, number)
        signal.pthread_sigmask(signal.SIG_BLOCK, ())
        if "child" in seen:
            signal.sigqueue(os.getpid(), signal.SIGRTMIN, 7)
            signal.pthread_sigmask(signal.SIG_BLOCK, ())
            assert seen == [0, 1, 2, "child", 7], seen
            os._exit(0)
        print(seen)
    """
    assert python_says(code) == "[0, 1, 2, 3, 4]\n"


@nested_handlers
def test_a_child_of_another_thread_starts_at_rest_while_a_handler_runs_in_the_parent() -> None:
    code = """
        import os, threading
        import signal as standard
        import sigcffi as signal

        seen, status = [], []

        def fork():
            pid = os.fork()
            if pid == 0:
                seen.clear()
                signal.sigqueue(os.getpid(), signal.SIGRTMIN, 7)
                # CPython 3.13 looks, in a child that another thread forked, only when told to.
                standard.pthread_sigmask(signal.SIG_BLOCK, ())
                os._exit(seen != [7])
            status.append(os.waitpid(pid, 0)[1])

        def handler(info, frame):
            seen.append(info.si_value)
            if info.si_value == 1:
                thread = threading.Thread(target=fork)
                thread.start()
                thread.join()

        signal.sigaction(signal.SIGRTMIN, handler, mask=[signal.SIGUSR1])
        signal.sigqueue(os.getpid(), signal.SIGRTMIN, 1)
        signal.pthread_sigmask(signal.SIG_BLOCK, ())
        print(seen, status)
    """
    ignored = ["-W", "ignore:This process:DeprecationWarning"]  # 3.12: of threads and forks
    assert python_says(code, flags=ignored) == "[1] [0]\n"


def test_the_stack_does_not_grow_with_the_number_of_signals() -> None:
    code = """
        import os, sys
        import sigcffi as signal

        deepest = count = 0

        def handler(info, frame):
            global deepest, count
            count += 1
            depth = 0
            while frame is not None:
                frame, depth = frame.f_back, depth + 1
            deepest = max(deepest, depth)

        signal.sigaction(signal.SIGRTMIN, handler)
        signal.sigaction(signal.SIGRTMIN + 1, handler)
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGRTMIN])
        for number in range(3000):
            signal.sigqueue(os.getpid(), signal.SIGRTMIN, number)
            if number % 10 == 0:
                signal.sigqueue(os.getpid(), signal.SIGRTMIN + 1, number)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGRTMIN])
        while count < 3300:
            pass
        assert deepest < 30, deepest
        print(count, signal.dropped())
    """
    assert python_says(code) == "3300 0\n"


def test_every_delivery_is_a_byte_for_the_wakeup_fd() -> None:
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    sigaction(R, lambda info, frame: None)
    former = signal.set_wakeup_fd(writing)
    try:
        queue((R, 1), (R, 2), (R, 3))
        assert readable(reading)
        assert os.read(reading, 100) == bytes([R] * 3)
    finally:
        signal.set_wakeup_fd(former)
        os.close(reading)
        os.close(writing)


@pytest.mark.skipif(PYPY, reason="recursion is not counted in frames")
def test_a_handler_that_cannot_be_called_loses_its_record_to_nobody() -> None:
    code = """
        import os, sys
        import sigcffi as signal
        from sigcffi._dispatch.deliveries import account

        seen = []
        signal.sigaction(signal.SIGRTMIN, lambda info, frame: seen.append(info.si_value))

        def deep(number):
            if number:
                deep(number - 1)
            else:
                signal.sigqueue(os.getpid(), signal.SIGRTMIN, 1)

        for depth in range(1, 2000):
            try:
                deep(depth)
            except RecursionError:
                break
        else:
            raise SystemExit("never deep enough")
        signal.sigqueue(os.getpid(), signal.SIGRTMIN, 2)
        signal.pthread_sigmask(signal.SIG_BLOCK, ())
        delivered, handed, dropped, queued = account()
        assert delivered == handed + dropped + queued
        assert seen[-1] == 2
        print(dropped, queued)
    """
    assert python_says(code) == "0 0\n"
