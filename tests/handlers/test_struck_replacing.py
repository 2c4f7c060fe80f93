"""A change of what is done about a signal, struck by a handler that no section keeps out: one that
was installed without the library.

Law: it strikes at every bytecode in turn, wherever the interpreter looks for signals. After that
the change is made or it is not: the next signal reaches the handler that is said to be installed.
"""

from __future__ import annotations

import contextlib
import os
import signal as standard
from collections.abc import Callable
from types import CodeType, FrameType

import pytest
from support import PYPY

import sigcffi as signal
from sigcffi import SigInfo
from sigcffi._core.ffi import lib
from sigcffi._dispatch.registry import entries
from sigcffi._testing.bytecodes import Tripping

S, R = signal.SIGUSR1, signal.SIGRTMIN
NEVER = 1 << 30
FOLDER = os.path.dirname(signal.__file__)

pytestmark = pytest.mark.skipif(
    PYPY, reason="PyPy looks between any two bytecodes of a with statement, where nobody can help"
)
steps = pytest.mark.parametrize(
    "step", [3, pytest.param(1, marks=pytest.mark.stress)], ids=["some", "all"]
)

names: list[str] = []


class Struck(BaseException):
    pass


def old(info: SigInfo, frame: FrameType | None) -> None:
    names.append("old")


def new(info: SigInfo, frame: FrameType | None) -> None:
    names.append("new")


def plain(signum: int, frame: FrameType | None) -> None:
    names.append("plain")


CHANGES: list[tuple[Callable[[], object], Callable[[], object]]] = [
    (lambda: signal.signal(R, plain), lambda: signal.sigaction(R, new)),
    (lambda: signal.sigaction(R, old), lambda: signal.sigaction(R, new)),
    (lambda: signal.sigaction(R, old), lambda: signal.signal(R, plain)),
    (lambda: signal.sigaction(R, old), lambda: signal.sigaction(R, signal.SIG_IGN)),
    (lambda: signal.signal(R, signal.SIG_IGN), lambda: signal.sigaction(R, new)),
]


@steps
@pytest.mark.parametrize("subscribed", [False, True])
@pytest.mark.parametrize(
    ("before", "change"),
    CHANGES,
    ids=["plain to info", "info to info", "info to plain", "info to none", "none to info"],
)
def test_struck_anywhere_a_change_is_made_or_it_is_not(
    before: Callable[[], object],
    change: Callable[[], object],
    subscribed: bool,
    step: int,
) -> None:
    def handler(signum: int, frame: FrameType | None) -> None:
        lib.sigcffi_strikes_at(S, NEVER, False)
        raise Struck

    def watched(code: CodeType) -> bool:
        return code.co_filename.startswith(FOLDER)

    def strike(at: int) -> bool:
        before()
        standard.signal(S, handler)
        lib.sigcffi_strikes_at(S, at, False)
        with contextlib.suppress(Struck):
            Tripping(watched).run(change)
        struck = lib.sigcffi_strikes_left() > NEVER // 2
        lib.sigcffi_strikes_at(S, NEVER, False)
        standard.signal(S, standard.SIG_IGN)
        return struck

    subscriber = signal.subscribe(R, lambda info, frame: names.append("subscriber"))
    if not subscribed:
        subscriber.close()
    for _ in range(2):  # CPython 3.12 shows no bytecode in the first trace of a process
        strike(NEVER)
    at, outcomes = 1, set()
    while strike(at):
        said = signal.sigaction(R).handler
        names.clear()
        os.kill(os.getpid(), R)
        signal.pthread_sigmask(signal.SIG_BLOCK, ())
        expected = ["subscriber"] if subscribed else []
        if said is not signal.SIG_IGN:
            expected.append(said.__name__)
        assert names == expected, at
        if subscribed or said in (old, new):
            assert R in entries, at
        outcomes.add(said)
        at += step
    assert len(outcomes) == 2
    subscriber.close()
