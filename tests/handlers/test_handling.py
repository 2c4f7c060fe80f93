"""``handling`` and ``ignoring``: blocks that restore what was there."""

from __future__ import annotations

import asyncio
import os
import signal as standard
from types import FrameType
from typing import Any

import pytest
from support import (
    Recorder,
    disposition,
)

import sigcffi as signal
from sigcffi import Action, SigInfo, handling, ignoring, sigaction

S, T, R = signal.SIGUSR1, signal.SIGUSR2, signal.SIGRTMIN


HERE = os.getpid()


def nothing(info: SigInfo, frame: FrameType | None) -> None:
    pass


def look() -> None:
    """PyPy looks for due handlers when asked."""
    signal.pthread_sigmask(signal.SIG_BLOCK, ())


def test_a_block_restores_what_was_there_also_when_nested_and_after_an_exception() -> None:
    before = disposition(S)
    seen, inner = Recorder(), Recorder()
    block = handling(S, seen)
    with block:
        os.kill(HERE, S)
        with handling(S, inner, mask=[T]):
            os.kill(HERE, S)
        with pytest.raises(KeyError), block, ignoring(S):
            os.kill(HERE, S)
            raise KeyError
        assert sigaction(S).handler is seen
        os.kill(HERE, S)
        look()
    assert (len(seen.infos), len(inner.infos)) == (2, 1)
    assert disposition(S) == before


def test_blocks_decorate_functions_and_coroutine_functions() -> None:
    seen = Recorder()

    @handling(S, seen)
    def send(count: int) -> int:
        if count:
            os.kill(HERE, S)
            look()
            send(count - 1)
        return count

    @ignoring(S, T)
    async def send_to_nobody() -> int:
        os.kill(HERE, S)
        await asyncio.sleep(0)
        os.kill(HERE, T)
        return 5

    assert send(3) == 3
    assert len(seen.infos) == 3
    loop = asyncio.new_event_loop()
    try:
        assert loop.run_until_complete(send_to_nobody()) == 5
    finally:
        loop.close()
    assert signal.getsignal(S) is signal.getsignal(T) is signal.SIG_DFL
    with pytest.raises(TypeError, match="generator"):

        @ignoring(S)
        def generate() -> Any:
            yield


def test_a_handler_that_somebody_else_put_there_stays_with_a_warning() -> None:
    with pytest.warns(RuntimeWarning, match="replaced within the block"), handling(S, nothing):
        signal.signal(S, signal.SIG_IGN)
    assert signal.getsignal(S) is signal.SIG_IGN
    with pytest.warns(RuntimeWarning), ignoring(S):
        standard.signal(S, print)  # type: ignore[arg-type]
    assert signal.getsignal(S) is print


def test_a_block_around_a_one_shot_handler_restores_silently() -> None:
    seen = Recorder()
    with handling(S, seen, flags=signal.SA_RESETHAND):
        os.kill(HERE, S)
        look()
        assert signal.getsignal(S) is signal.SIG_DFL
    assert len(seen.infos) == 1
    assert signal.getsignal(S) is signal.SIG_DFL


def test_a_block_that_cannot_be_entered_changes_nothing() -> None:
    with pytest.raises(OSError, match="Invalid"), ignoring(S, signal.SIGKILL):
        pass
    assert signal.getsignal(S) is signal.SIG_DFL


@pytest.mark.parametrize("more", [{"mask": [S]}, {"flags": signal.SA_RESTART}])
def test_an_action_has_its_own_mask_and_flags(more: dict[str, Any]) -> None:
    action = Action(lambda info, frame: None, mask=[T])
    with pytest.raises(TypeError, match="its own mask and flags"):
        handling(R, action, **more)
    with handling(R, action):
        assert sigaction(R) == action
