"""Random trees of nested timeouts, in real time: how each block ends is what the clock says.

Nothing is asserted of how long anything takes: each block writes down what the clock showed at its
end, and is held against that.
"""

from __future__ import annotations

import gc
import sys
import time
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support import with_room

import sigcffi as signal
from sigcffi import TimedOut, TimeoutInterrupt, timeout
from sigcffi._time import places as _places

MICROSECOND = 1e-6


@dataclass
class Block:
    microseconds: int
    body: list[Body]
    caught: bool


@dataclass
class Work:
    kind: str
    microseconds: int


Body = Block | Work
works = st.builds(
    Work,
    st.sampled_from(["spin", "sleep", "swallow", "finally", "shield"]),
    st.integers(0, 300),
)
bodies = st.recursive(
    works,
    lambda inner: st.builds(
        Block, st.integers(-50, 600), st.lists(inner, max_size=3), st.booleans()
    ),
    max_leaves=8,
)
trees = st.builds(Block, st.integers(-50, 600), st.lists(bodies, max_size=3), st.booleans())


@dataclass
class Run:
    """The open blocks, from the outermost on, and what has gone wrong."""

    open: list[timeout] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)

    def work(self, what: Work) -> None:
        end = time.monotonic() + what.microseconds * MICROSECOND
        if what.kind == "sleep":
            time.sleep(what.microseconds * MICROSECOND)
        elif what.kind == "swallow":
            try:
                self.spin(end)
            except BaseException:
                self.spin(end)
        elif what.kind == "finally":
            try:
                self.spin(end)
            finally:
                self.spin(end)
        elif what.kind == "shield":
            begun = done = False
            try:
                with self.open[-1].shield():
                    begun = True
                    self.spin(end)
                    done = True
            finally:
                if begun and not done:
                    self.wrong.append("a shield was pierced")
        else:
            self.spin(end)

    def spin(self, end: float) -> None:
        while time.monotonic() < end:
            pass

    def block(self, what: Block) -> None:
        block = timeout(what.microseconds * MICROSECOND)
        depth = len(self.open)
        in_time = False
        try:
            with block:
                self.open.append(block)
                for each in what.body:
                    self.run(each)
                assert block.deadline is not None
                in_time = time.monotonic() < block.deadline
        except TimedOut as error:
            whose = error.timeout
            assert whose is not None
            assert whose.deadline is not None
            if time.monotonic() < whose.deadline:
                self.wrong.append("before its time")
            if whose in self.open[:depth]:
                self.wrong.append("before the end of its block")
            if not whose.expired:
                self.wrong.append("it does not say so")
            if not what.caught:
                raise
        except TimeoutInterrupt as error:
            if error.timeout not in self.open[:depth]:
                self.wrong.append("raw")
            raise
        else:
            if block.expired or not in_time:
                self.wrong.append("its time was over, and nothing came")
        finally:
            del self.open[depth:]

    def run(self, what: Body) -> None:
        if isinstance(what, Block):
            self.block(what)
        else:
            self.work(what)


def enter() -> None:
    with timeout(1000):
        pass


def check(tree: Any) -> None:
    with_room(enter)
    run = Run()
    gc.disable()  # hypothesis is called back by it: what is raised there goes to unraisablehook
    try:
        with suppress(TimedOut):
            run.run(tree)
    finally:
        gc.enable()
    assert run.wrong == []
    signal.pthread_sigmask(signal.SIG_BLOCK, ())  # whatever is to come, comes now
    assert not _places.shielded(sys._getframe())
    assert not _places.shields


@given(trees)
def test_each_block_ends_as_the_clock_says(tree: Block) -> None:
    check(tree)


@pytest.mark.stress
@given(trees)
@settings(max_examples=10_000)
def test_each_block_of_ten_thousand_trees_ends_as_the_clock_says(tree: Block) -> None:
    check(tree)
