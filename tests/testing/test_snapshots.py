"""``snapshot``, ``differences``: what was left of signals, in words, and put back."""

from __future__ import annotations

import os
import re
import signal as standard
import threading
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from support import DEADLINE, in_thread, join, queue

import sigcffi as signal
from sigcffi import actions
from sigcffi.testing import Snapshot, differences, snapshot

S, R = signal.SIGUSR1, signal.SIGRTMIN

kept: list[Any] = []  # what nothing else refers to would be collected


def keep(made: object) -> None:
    kept.append(made)


def handler(*arguments: object) -> None:
    pass


def wakes() -> None:
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    standard.set_wakeup_fd(writer)
    keep((reader, writer))


def pends() -> None:
    signal.pthread_sigmask(signal.SIG_BLOCK, [S, R])
    os.kill(os.getpid(), S)
    queue(R, 1, 2)


def times_out() -> None:
    def limited() -> Iterator[None]:
        with signal.timeout(1000):
            yield

    generator = limited()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the generator is told so
        next(generator)
    keep(generator)


LEAKS: dict[str, tuple[Callable[[], object], list[str]]] = {
    "the standard module's handler": (
        lambda: standard.signal(S, handler),
        ["SIGUSR1: the handler was SIG_DFL, is <function handler at 0x.*>"],
    ),
    "a handler": (
        lambda: signal.sigaction(S, handler, mask=[R]),
        ["SIGUSR1: the handler was SIG_DFL, is <function handler at 0x.*>"],
    ),
    "an ignored signal": (
        lambda: signal.signal(R, signal.SIG_IGN),
        ["SIGRTMIN: the handler was SIG_DFL, is SIG_IGN"],
    ),
    "flags": (
        lambda: signal.siginterrupt(signal.SIGINT, False),
        ["SIGINT: the flags were 0x[0-9a-f]+, are 0x[0-9a-f]+"],
    ),
    "a mask": (lambda: signal.pthread_sigmask(signal.SIG_BLOCK, [S]), ["SIGUSR1 is blocked"]),
    "pending signals": (
        pends,
        [
            "SIGUSR1 is blocked",
            "SIGRTMIN is blocked",
            "SIGUSR1 is pending",
            "SIGRTMIN is pending",
        ],
    ),
    "an interval timer": (
        lambda: signal.setitimer(signal.ITIMER_REAL, 1000, 2),
        [r"ITIMER_REAL was not armed, is armed for (1000|999)\.\d+ s, every 2.000 s"],
    ),
    "a wakeup fd": (wakes, [r"the wakeup fd was -1, is \d+"]),
    "a patched module": (signal.patch_stdlib, ["the standard module is patched"]),
    "a receiver": (lambda: keep(signal.open_signal_receiver(S)), [".*: left open"]),
    "a subscription": (lambda: keep(signal.subscribe(S, handler)), [".*: left open"]),
    "a subscription of the thread's": (
        lambda: keep(signal.subscribe(S, handler, where="thread")),
        [r"<Subscription to \[10\]: .*: left open"],
    ),
    "an action": (lambda: keep(actions.counter(S)), [".*: left open"]),
    "a timer": (lambda: keep(signal.Timer(S)), [r"<Timer \d+>: left open"]),
    "a dead man's switch": (lambda: keep(signal.kill_after(1000)), [".*: left open"]),
    "a timeout": (times_out, [r".*, of .*limited.*: left open"]),
}


@pytest.mark.parametrize("name", LEAKS)
def test_what_was_left_is_told_and_put_back(name: str) -> None:
    leak, expected = LEAKS[name]
    before = snapshot()
    assert differences(before, snapshot()) == []
    leak()
    told = differences(before, snapshot())
    # A handler of what is left open is in force, too, and told before that.
    assert len(told) >= len(expected)
    for line in expected:
        assert [each for each in told if re.fullmatch(line, each)], told
    before.restore()
    assert differences(before, snapshot()) == []
    kept.clear()


def test_whoever_ends_what_was_begun_leaves_nothing() -> None:
    before = snapshot()
    opened = actions.counter(S), signal.open_signal_receiver(signal.SIGUSR2)
    with signal.blocked(S), signal.handling(R, handler), signal.timeout(1000), opened[0], opened[1]:
        assert len(differences(before, snapshot())) >= 4
    assert differences(before, snapshot()) == []


def test_a_section_is_of_the_thread_that_is_in_it() -> None:
    entered, may_leave = threading.Event(), threading.Event()

    def elsewhere() -> None:
        with signal.deferred(S):
            entered.set()
            may_leave.wait(DEADLINE)

    before = snapshot()
    thread = in_thread(elsewhere)
    assert entered.wait(DEADLINE)
    try:
        assert differences(before, snapshot()) == []
        with signal.deferred(R), signal.deferred(signal.SIGUSR2):
            told = differences(before, snapshot())
        assert told == ["SIGUSR2 is deferred", "SIGRTMIN is deferred"]
        with signal.deferred():
            assert snapshot().deferred >= signal.valid_signals()
    finally:
        may_leave.set()
        join(thread)


def test_an_interval_timer_that_runs_on_is_no_difference() -> None:
    signal.setitimer(signal.ITIMER_VIRTUAL, 1000)
    before = snapshot()
    begin = signal.getitimer(signal.ITIMER_VIRTUAL)[0]
    while signal.getitimer(signal.ITIMER_VIRTUAL)[0] == begin:
        pass
    assert differences(before, snapshot()) == []
    signal.setitimer(signal.ITIMER_VIRTUAL, 0)
    assert [line.partition(",")[2] for line in differences(before, snapshot())] == [" is not armed"]


def test_what_was_there_before_stays_and_its_end_is_told() -> None:
    receiver = signal.open_signal_receiver(S)
    signal.pthread_sigmask(signal.SIG_BLOCK, [R])
    before = snapshot()
    before.restore()
    assert not receiver.closed
    receiver.close()
    signal.pthread_sigmask(signal.SIG_UNBLOCK, [R])
    told = differences(before, snapshot())
    assert "SIGRTMIN is not blocked any more" in told
    assert [line for line in told if line.endswith(": closed")]


def test_a_signal_that_came_before_is_handled_as_it_was_to_be() -> None:
    came = []
    before = snapshot()
    signal.sigaction(S, lambda info, frame: came.append(info.si_signo))
    signal.pthread_sigmask(signal.SIG_BLOCK, [S])
    os.kill(os.getpid(), S)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, [S])
    before.restore()
    assert came == [S]


def test_in_another_thread_it_is_that_threads_mask_and_nothing_is_put_back() -> None:
    seen: list[Snapshot | ValueError] = []

    def elsewhere() -> None:
        signal.pthread_sigmask(signal.SIG_BLOCK, [S])
        seen.append(snapshot())
        try:
            seen[0].restore()  # type: ignore[union-attr]
        except ValueError as error:
            seen.append(error)

    before = snapshot()
    join(in_thread(elsewhere))
    there, error = seen
    assert isinstance(there, Snapshot)
    assert isinstance(error, ValueError)
    assert there.wakeup_fd is None
    assert differences(before, there) == ["SIGUSR1 is blocked"]
    assert threading.current_thread() is threading.main_thread()
