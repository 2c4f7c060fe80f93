"""Handlers within handlers, and what a handler keeps out: the dispatcher between the two."""

from __future__ import annotations

import os
import signal as standard
from types import CodeType, FrameType

import pytest
import support
from support import nested_handlers, python_says

import sigcffi as signal
from sigcffi import SigInfo, actions, sigaction, subscribe
from sigcffi._changes import installing, steps
from sigcffi._dispatch import dispatcher as _dispatch
from sigcffi._dispatch.deliveries import CAPACITY, account
from sigcffi._testing.bytecodes import Tracing

S, T, R, Q = signal.SIGUSR1, signal.SIGUSR2, signal.SIGRTMIN, signal.SIGRTMIN + 1


HERE = os.getpid()


def look() -> None:
    signal.pthread_sigmask(signal.SIG_BLOCK, ())


def balanced() -> bool:
    delivered, handed, dropped, queued = account()
    return delivered == handed + dropped + queued


def queue(*values: tuple[int, int]) -> None:
    for signum, value in values:
        support.queue(signum, value)


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
def test_however_many_wait_the_dispatcher_lets_handlers_in_for_as_long() -> None:
    """Else signals that come quicker than it looks through what waits call it within itself, and
    again within that, for as long as they come.
    """
    let_in: list[int] = []
    calls: list[int] = []

    def look_at(frame: FrameType) -> None:
        let_in[-1] += _dispatch.position.running != _dispatch.ALL

    def interrupt() -> None:
        os.kill(HERE, S)
        look()

    def handler(info: SigInfo, frame: FrameType | None) -> None:
        if info.si_value == 0:
            for waiting in (1, 200):
                queue(*[(R, waiting)] * waiting)
                let_in.append(0)
                tracing.call(interrupt, look_at)

    sigaction(S, lambda info, frame: calls.append(S))
    sigaction(R, handler)
    with Tracing(lambda code: "_dispatch" in code.co_filename) as tracing:
        queue((R, 0))
        look()
    assert calls
    assert let_in[0] == let_in[1] > 0


@nested_handlers
def test_what_waits_calls_nobody_who_is_just_replacing_another() -> None:
    called: list[int] = []

    def watched(code: CodeType) -> bool:
        return code.co_filename in (installing.__file__, steps.__file__)

    def send(frame: FrameType) -> None:
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
    allowed = _dispatch.allowed

    def count(kept_out: int) -> list[int]:
        looks[0] += 1
        waiting[0] = max(waiting[0], len(_dispatch.waiting))
        return allowed(kept_out)

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
    monkeypatch.setattr(_dispatch, "allowed", count)
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
