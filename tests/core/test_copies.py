"""What stands for something in C is not copied: a copy's end would be the end of both."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from typing import Any

import pytest

import sigcffi as signal
from sigcffi import actions

MADE: dict[str, Callable[[], Any]] = {
    "timer": lambda: signal.Timer(signal.SIGUSR1),
    "receiver": lambda: signal.open_signal_receiver(signal.SIGUSR1),
    "flag": lambda: actions.flag(signal.SIGUSR1),
    "counter": lambda: actions.counter(signal.SIGUSR1),
    "subscription": lambda: signal.subscribe(signal.SIGUSR1, print),
    "subscription, in a thread": lambda: signal.subscribe(signal.SIGUSR1, print, where="thread"),
    "force_quit": signal.force_quit,
}
BLOCKS: dict[str, Callable[[], Any]] = {
    "timeout": lambda: signal.timeout(60),
    "shutdown": signal.shutdown,
    "kill_after": lambda: signal.kill_after(60),
}
COPIES: list[Callable[[Any], object]] = [copy.copy, copy.deepcopy, pickle.dumps]


@pytest.mark.parametrize("how", COPIES)
@pytest.mark.parametrize("make", MADE.values(), ids=MADE)
def test_what_is_open_is_not_copied_and_stays_open(
    make: Callable[[], Any], how: Callable[[Any], object]
) -> None:
    with make() as thing:
        with pytest.raises(TypeError, match=f"cannot copy or pickle a '{type(thing).__name__}'"):
            how(thing)
        assert not thing.closed
    assert thing.closed


@pytest.mark.parametrize("how", COPIES)
@pytest.mark.parametrize("make", BLOCKS.values(), ids=BLOCKS)
def test_a_block_is_not_copied(make: Callable[[], Any], how: Callable[[Any], object]) -> None:
    block = make()
    with pytest.raises(TypeError, match="cannot copy or pickle"):
        how(block)
    with block, pytest.raises(TypeError, match="cannot copy or pickle"):
        how(block)


def test_what_is_a_value_is_copied() -> None:
    found: list[signal.SigInfo] = []
    with signal.handling(signal.SIGUSR1, lambda info, frame: found.append(info)):
        signal.raise_signal(signal.SIGUSR1)
    assert pickle.loads(pickle.dumps(found)) == copy.deepcopy(found) == found
