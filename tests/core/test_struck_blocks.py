"""Everything of ours that is used with ``with``, struck by a handler's exception wherever the
interpreter looks for signals.

Law: whoever strikes does so once, at every bytecode in turn. After that nothing is in force, and
the next signal is handled as ever. A signal is raised at each bytecode by C, and its handler runs,
and raises, when the interpreter looks next.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable
from types import CodeType, FrameType
from typing import Any

import pytest
from support import PYPY, disposition

import sigcffi as signal
from sigcffi import actions
from sigcffi._attached import attaching as _attaching
from sigcffi._attached import dead_man as _dead_man
from sigcffi._core.ffi import lib, words
from sigcffi._dispatch.registry import entries
from sigcffi._shutdown import shutdown as _shutdown
from sigcffi._testing.bytecodes import Tripping
from sigcffi._time import timers as _timers

S, T, U = signal.SIGUSR1, signal.SIGUSR2, signal.SIGWINCH
NEVER = 1 << 30
FOLDER = os.path.dirname(signal.__file__)

pytestmark = pytest.mark.skipif(
    PYPY, reason="PyPy looks between any two bytecodes of a with statement, where nobody can help"
)
steps = pytest.mark.parametrize(
    "step", [7, pytest.param(1, marks=pytest.mark.stress)], ids=["some", "all"]
)


class Struck(BaseException):
    pass


last = [""]


def where(error: Struck) -> None:
    """For who looks into a failure."""
    trace, last[0] = error.__traceback__, ""
    while trace is not None:
        code = trace.tb_frame.f_code
        last[0] += f" {code.co_qualname}:{trace.tb_lineno}+{trace.tb_lasti}"
        trace = trace.tb_next


Strike = Callable[[Callable[[], object], int], bool]


def watched(code: CodeType) -> bool:
    return code.co_filename in (__file__, contextlib.__file__) or code.co_filename.startswith(
        FOLDER
    )


@pytest.fixture
def strike() -> Strike:
    """Call a function, and strike it at the bytecode of a number: whether it has so many. What
    strikes comes out, or has been an exception that the function has got.
    """

    def handler(signum: int, frame: FrameType | None) -> None:
        lib.sigcffi_strikes_at(S, NEVER, False)
        raise Struck

    def struck(code: CodeType) -> bool:
        return watched(code) and code is not handler.__code__

    def call(function: Callable[[], object], at: int) -> bool:
        lib.sigcffi_strikes_at(S, at, False)
        try:
            Tripping(struck).run(function)
        except Struck as error:
            where(error)
        left = lib.sigcffi_strikes_left()
        lib.sigcffi_strikes_at(S, NEVER, False)
        return bool(left > NEVER // 2)

    def nothing() -> None:
        pass

    signal.signal(S, handler)
    for _ in range(2):  # CPython 3.12 shows no bytecode in the first trace of a process
        call(nothing, NEVER)
    return call


# ---- The programs ----


def info_handler(info: signal.SigInfo, frame: FrameType | None) -> None:
    pass


def deferred() -> None:
    with signal.deferred(T), signal.deferred(T, U):
        pass


def deferred_by_a_stack() -> None:
    with contextlib.ExitStack() as stack:
        stack.callback(int)
        with signal.deferred(T):
            pass


def deferred_that_fails() -> None:
    with contextlib.suppress(LookupError), signal.deferred(T):
        raise LookupError


def blocked() -> None:
    with signal.blocked(T, U), signal.blocked(U):
        pass


def blocked_that_fails() -> None:
    with contextlib.suppress(LookupError), signal.blocked(T):
        raise LookupError


def decorated() -> None:
    section()


@signal.blocked(T)
@signal.deferred(U)
def section() -> None:
    pass


def handling() -> None:
    with signal.handling(U, info_handler):
        pass


handled = signal.handling(T, info_handler)


def handling_again() -> None:
    with handled, handled:
        pass


def ignoring() -> None:
    with signal.ignoring(T, U):
        pass


# What is in force as soon as it is made has been given to somebody, then, or has ended.
made: list[Any] = []


def subscribed() -> None:
    made.append(signal.subscribe([T, U], info_handler))
    with made[-1]:
        made.clear()


def attached() -> None:
    made.append(actions.counter(U))
    made.append(actions.flag(T))
    with made[0], made[1]:
        made.clear()


def received() -> None:
    made.append(signal.open_signal_receiver(T, U))
    with made[-1] as receiver:
        made.clear()
        receiver.read()


def timed() -> None:
    made.append(signal.Timer(U))
    with made[-1] as timer:
        made.clear()
        timer.settime(1000)


def killed_after() -> None:
    made.append(signal.kill_after(1000))
    with made[-1] as switch:
        made.clear()
        switch.pet()


def shut_down() -> None:
    with signal.shutdown(T, U):
        pass


def closed() -> None:
    """By hand: who is struck does so again."""
    subscription = signal.subscribe(U, info_handler)
    made.append(subscription)
    subscription.close()


PROGRAMS: list[Callable[[], None]] = [
    *(deferred, deferred_by_a_stack, deferred_that_fails, blocked, blocked_that_fails, decorated),
    *(handling, handling_again, ignoring, subscribed, attached, received, timed, killed_after),
    *(shut_down, closed),
]


@steps
@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.__name__)
def test_struck_anywhere_it_leaves_nothing_in_force(
    program: Callable[[], None],
    step: int,
    strike: Strike,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # A block that was struck before it began leaves a generator, and an object that nobody closes.
    monkeypatch.setattr(sys, "unraisablehook", lambda unraisable: None)
    calls: list[int] = []
    signal.signal(T, lambda signum, frame: calls.append(signum))
    with signal.timeout(1000):
        pass  # the timer of timeouts, by which a shutdown is told, stays once there is one
    kept_timers = set(_timers._open)
    kept_entries = dict(entries)
    program()
    signal.signal(T, signal.getsignal(T))  # as it is once that has been in use
    before = disposition(T), disposition(U), signal.getsignal(T), signal.getsignal(U)
    # Each version begins elsewhere, so that together they strike more places than each does.
    at, struck, points = 1 + sys.version_info.minor % step, True, 0
    while struck:
        struck = strike(program, at)
        for each in made:
            each.cancel() if program is killed_after else each.close()
        made.clear()
        assert words[lib.SIGCFFI_WORD_DEFERRED] == 0, (at, last)
        assert signal.pthread_sigmask(signal.SIG_BLOCK, ()) == set(), (at, last)
        now = disposition(T), disposition(U), signal.getsignal(T), signal.getsignal(U)
        assert now == before, (at, last)
        assert entries == kept_entries, (at, last)
        assert set(_timers._open) == kept_timers, (at, last)
        assert not _dead_man._deadlines, (at, last)
        assert not _attaching._attached, (at, last)
        assert not _shutdown._open, (at, last)
        calls.clear()
        os.kill(os.getpid(), T)
        signal.pthread_sigmask(signal.SIG_BLOCK, ())
        assert calls == [T], (at, last)
        at += step
        points += 1
    print(f"{program.__name__}: struck at {points} points")
    assert at > 15
