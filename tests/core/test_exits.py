"""``exit_of``: what ends a block is tried until it is done; what was not called ends nothing."""

from __future__ import annotations

import gc
from operator import attrgetter

import pytest

from sigcffi._core.exits import _TRIES, exit_of


class Block:
    """Its end fails so many times."""

    def __init__(self, failures: int) -> None:
        self.failures = failures
        self.calls = 0

    def end(self) -> None:
        self.calls += 1
        if self.calls <= self.failures:
            raise LookupError(self.calls)

    def __enter__(self) -> Block:
        return self

    __exit__ = exit_of(attrgetter("end"))


def test_an_end_that_is_done_is_called_once() -> None:
    with Block(0) as block:
        assert block.calls == 0
    assert block.calls == 1


def test_an_end_that_fails_is_called_again_and_what_it_raised_first_comes_out() -> None:
    block = Block(2)
    with pytest.raises(LookupError) as raised, block:
        pass
    assert raised.value.args == (1,)
    assert block.calls == 3


def test_an_end_that_never_is_done_comes_to_an_end() -> None:
    block = Block(1000)
    with pytest.raises(LookupError) as raised, block:
        pass
    assert raised.value.args == (1,)
    assert block.calls == _TRIES


def test_an_exit_that_was_taken_from_its_object_and_not_called_ends_nothing() -> None:
    with Block(0) as block:
        exit_ = block.__exit__
        del exit_
        gc.collect()
        assert block.calls == 0
    assert block.calls == 1


def test_an_exit_that_was_taken_from_its_object_ends_it_once() -> None:
    block = Block(0)
    exit_ = block.__exit__
    for _ in range(2):
        exit_(None, None, None)
    assert block.calls == 1
