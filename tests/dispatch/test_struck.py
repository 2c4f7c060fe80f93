"""The dispatcher, struck by an exception at every one of its bytecodes.

Law: whoever strikes does so once, and then another signal comes. After that each delivery has
reached each of its handlers exactly once, in order, and the next signals are handled as ever.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator
from types import CodeType, FrameType
from typing import Any

import pytest
import support
from support import PYPY, nested_handlers

import sigcffi as signal
from sigcffi import SigInfo
from sigcffi._dispatch import calls, deliveries, dispatcher
from sigcffi._testing.bytecodes import Act, Tracing

R, Q = signal.SIGRTMIN, signal.SIGRTMIN + 1

every_point = pytest.mark.parametrize(
    "step", [7, pytest.param(3 if PYPY else 1, marks=pytest.mark.stress)]
)

Log = list[tuple[str, Any]]  # who got which value


class Struck(BaseException):
    pass


FILES = {module.__file__ for module in (calls, deliveries, dispatcher)}


def watched(code: CodeType) -> bool:
    return code.co_filename in FILES


def strike(at: int) -> Act:
    left = at

    def act(frame: FrameType) -> None:
        nonlocal left
        left -= 1
        if left == 0:
            raise Struck

    return act


def look() -> None:
    signal.pthread_sigmask(signal.SIG_BLOCK, ())


sent: list[tuple[int, int]] = []


def send(signum: int, value: int) -> None:
    sent.append((signum, value))  # first: what the signal leads to may not return
    support.queue(signum, value)


def one() -> None:
    send(R, 1)


def several() -> None:
    with signal.blocked(R, Q):
        for signum, value in ((R, 1), (R, 2), (Q, 3), (R, 4)):
            send(signum, value)


def deferred() -> None:
    with signal.deferred(R):
        send(R, 1)
        send(R, 2)
        send(Q, 3)


def within() -> None:
    """One that has to wait for the handler, and one that interrupts it."""
    send(R, WITHIN)


WITHIN = 10


@pytest.fixture
def log() -> Iterator[Log]:
    log: Log = []

    def handler(info: SigInfo, frame: FrameType | None) -> None:
        log.append(("handler", info.si_value))
        if info.si_value == WITHIN:
            send(R, WITHIN + 1)
            send(Q, WITHIN + 2)

    for signum in (R, Q):
        signal.sigaction(signum, handler)
    yield log
    for signum in (R, Q):
        signal.signal(signum, signal.SIG_DFL)


@every_point
@pytest.mark.parametrize("subscribers", [0, 2])
@pytest.mark.parametrize("program", [one, several, deferred, within])
@nested_handlers
def test_struck_anywhere_it_loses_nothing_doubles_nothing_and_goes_on(
    program: Callable[[], None],
    subscribers: int,
    step: int,
    log: Log,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sys, "unraisablehook", lambda unraisable: None)
    who = ["handler", *(f"subscriber {number}" for number in range(subscribers))]

    def subscriber(name: str) -> Callable[[SigInfo, FrameType | None], Any]:
        return lambda info, frame: log.append((name, info.si_value))

    def run() -> None:
        log.clear()
        sent.clear()
        program()
        look()

    with contextlib.ExitStack() as stack, Tracing(watched) as tracing:
        for name in who[1:]:
            stack.enter_context(signal.subscribe([R, Q], subscriber(name)))
        points = tracing.count(run)
        assert points > 20
        for at in range(1, points + 1, step):
            with contextlib.suppress(Struck):
                tracing.call(run, strike(at))
            send(R, 99)
            look()
            for name in who:
                values = [value for each, value in log if each == name]
                assert sorted(values) == sorted(value for _, value in sent), (at, log)
                for signum in (R, Q):
                    mine = [value for each, value in sent if each == signum]
                    assert [value for value in values if value in mine] == mine, (at, log)
