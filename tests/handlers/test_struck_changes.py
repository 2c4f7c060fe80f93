"""``sigaction`` where nothing was installed, struck by a handler that no section keeps out: one
that was installed without the library.

Law: it strikes at every bytecode in turn, wherever the interpreter looks for signals. After that
the handler is installed or nothing has changed, and the next signal reaches what is said to be.
"""

from __future__ import annotations

import contextlib
import os
import signal as standard
from types import CodeType, FrameType
from typing import Any

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


class Struck(BaseException):
    pass


@steps
@pytest.mark.parametrize("beside", ["nobody", "a subscriber", "a subscriber passed over"])
def test_struck_anywhere_a_handler_is_installed_or_nothing_is(beside: str, step: int) -> None:
    names: list[str] = []
    passed_over: list[Any] = []

    def new(info: SigInfo, frame: FrameType | None) -> None:
        names.append("new")

    def strikes(signum: int, frame: FrameType | None) -> None:
        lib.sigcffi_strikes_at(S, NEVER, False)
        raise Struck

    def watched(code: CodeType) -> bool:
        return code.co_filename.startswith(FOLDER)

    def struck(at: int) -> bool:
        signal.signal(R, signal.SIG_IGN)
        if beside == "a subscriber passed over":
            passed_over[:] = [standard.signal(R, standard.SIG_IGN)]
        standard.signal(S, strikes)
        lib.sigcffi_strikes_at(S, at, False)
        with contextlib.suppress(Struck):
            Tripping(watched).run(lambda: signal.sigaction(R, new))
        left = lib.sigcffi_strikes_left()
        lib.sigcffi_strikes_at(S, NEVER, False)
        standard.signal(S, standard.SIG_IGN)
        return bool(left > NEVER // 2)

    def send() -> None:
        names.clear()
        os.kill(os.getpid(), R)
        signal.pthread_sigmask(signal.SIG_BLOCK, ())

    with contextlib.ExitStack() as stack:
        if beside != "nobody":
            stack.enter_context(signal.subscribe(R, lambda info, frame: names.append("subscriber")))
        for _ in range(2):  # CPython 3.12 shows no bytecode in the first trace of a process
            struck(NEVER)
        at, outcomes = 1, set()
        while struck(at):
            said = signal.sigaction(R).handler
            outcomes.add(said)
            send()
            assert ("new" in names) is (said is new), at
            assert len(names) == len(set(names)), at
            if said is new or beside == "a subscriber":
                assert ("subscriber" in names) is (beside != "nobody"), at
            assert (R in entries) is (beside != "nobody" or said is new), at
            if said is not new and passed_over:
                standard.signal(R, *passed_over)
                send()
                assert names == ["subscriber"], at
            at += step
        assert outcomes == {signal.SIG_IGN, new}
