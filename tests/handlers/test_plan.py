"""Every plan of a change, carried out on a model of kernel, trampoline and interpreter.

Law: no signal is sent, and nothing is installed. A signal may come between any two steps; where
that ends is looked at in each place.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import product
from typing import TYPE_CHECKING, Any

import pytest

from sigcffi._changes import plan
from sigcffi._changes.plan import plan_of

if TYPE_CHECKING:
    from sigcffi._changes.plan import Plan

TRAMPOLINE, INTERPRETERS, NONE, FOREIGN = "trampoline", "interpreter's", "none", "foreign"
FLAGGED = " with flags"
DISPATCHER, FORMER, WANTED, BENEATH, NOBODY = "dispatcher", "former", "wanted", "beneath", "nobody"
PYTHON = (plan.BARE, plan.COVERED, plan.FLAGGED)
OVER = (plan.OVER, plan.OVER_INFO)
# What leaves the model as it is: it concerns what has come before, or who else waits.
UNSEEN = {"recall", "settle", "resume", "run due", "register aside"}


@dataclass(frozen=True)
class Situation:
    wanted: str
    subscribed: bool
    dispatched: bool
    slotted: bool

    def plan(self) -> Plan:
        return plan_of(
            self.wanted,
            subscribed=self.subscribed,
            dispatched=self.dispatched,
            slotted=self.slotted,
        )


@dataclass(frozen=True)
class State:
    kernel: str  # what it calls, or NONE
    base: str  # what the trampoline calls, where the kernel calls that
    registered: str  # what the interpreter runs
    entry: str | None = None
    recording: bool = False
    held: bool = False

    def handler(self) -> str:
        """What a signal comes to, through the trampoline or not."""
        return self.base if self.kernel == TRAMPOLINE else self.kernel

    def is_none(self) -> bool:
        return self.handler().startswith(NONE)

    def calls_dispatcher(self) -> bool:
        return self.handler().startswith(INTERPRETERS) and self.registered == DISPATCHER


def starts(situation: Situation) -> Iterator[State]:
    """All that may be there before; also what somebody has installed without sigcffi."""
    entry = FORMER if situation.subscribed else None
    if situation.dispatched:
        for base in (INTERPRETERS, NONE, FOREIGN) if situation.subscribed else (INTERPRETERS,):
            yield State(TRAMPOLINE, base, DISPATCHER, FORMER, recording=True)
        if not situation.slotted:
            yield State(INTERPRETERS, INTERPRETERS, DISPATCHER, entry)
            yield State(FOREIGN, INTERPRETERS, DISPATCHER, FORMER, recording=True)
        return
    for handler, recording in product((INTERPRETERS, NONE, FOREIGN), (False, True)):
        registered = FORMER if handler == INTERPRETERS else NOBODY
        kernel = TRAMPOLINE if situation.slotted else handler
        yield State(kernel, handler, registered, entry, recording=recording)


def kernels(wanted: str) -> str:
    """The kernel's struct of what is wanted."""
    flags = FLAGGED if wanted in (plan.FLAGGED, plan.NONE_FLAGGED) else ""
    if wanted in (plan.NONE, plan.NONE_FLAGGED):
        return NONE + flags
    return FOREIGN if wanted in (plan.FOREIGN, *OVER) else INTERPRETERS + flags


def put_back(state: State, situation: Situation, *, covered: bool) -> State:
    handler = kernels(situation.wanted)
    if state.recording or situation.slotted or (covered and handler.startswith(INTERPRETERS)):
        return replace(state, kernel=TRAMPOLINE, base=handler)
    return replace(state, kernel=handler)


def after(step: str, state: State, situation: Situation) -> State:
    wanted = situation.wanted
    if step in UNSEEN:
        return state
    if step == "enter":
        return replace(state, entry=WANTED)
    if step == "leave":
        return replace(state, entry=None)
    if step == "register the dispatcher":
        return replace(state, kernel=INTERPRETERS, registered=DISPATCHER)
    if step == "register beneath":
        return replace(state, kernel=INTERPRETERS, registered=BENEATH)
    if step == "register" and wanted in PYTHON:
        return replace(state, kernel=INTERPRETERS, registered=WANTED)
    if step == "register":
        return replace(state, kernel=NONE, registered=NOBODY)
    if step == "dispatch":
        return replace(state, kernel=TRAMPOLINE, base=INTERPRETERS, recording=True)
    if step == "cover":
        return replace(state, kernel=TRAMPOLINE, base=INTERPRETERS)
    if step == "record":
        return replace(state, recording=True)
    if step == "stop recording":
        return replace(state, recording=False)
    assert step in ("put back", "put beneath")
    return put_back(state, situation, covered=step == "put beneath" or wanted == plan.COVERED)


def walk(steps: Plan, state: State, situation: Situation) -> Iterator[State]:
    """Each state in turn in which a signal may come."""
    before, held, behind = steps
    for part in (before, held, behind):
        for step in part:
            state = after(step, state, situation)
            yield replace(state, held=part is held and step != held[-1])


def check_arrival(state: State, start: State, situation: Situation) -> None:
    """A signal that comes now."""
    if state.held:
        return
    none_wanted = situation.wanted in (plan.NONE, plan.NONE_FLAGGED)
    assert not state.is_none() or start.is_none() or none_wanted, "nobody asked for this"
    if state.calls_dispatcher() and not start.calls_dispatcher():
        assert state.entry is not None, "the dispatcher does not know the signal"
    if situation.slotted:
        assert state.kernel == TRAMPOLINE, "actions in C miss it"
    if start.calls_dispatcher() and start.recording and state.calls_dispatcher():
        assert state.recording, "what it carries is lost"


def check_end(state: State, situation: Situation) -> None:
    wanted = situation.wanted
    if wanted == plan.INFO or situation.subscribed:
        usual = (plan.INFO, plan.BARE, plan.COVERED)
        base = INTERPRETERS if wanted in usual else kernels(wanted)
        assert state == State(TRAMPOLINE, base, DISPATCHER, WANTED, recording=True)
        return
    assert state.handler() == kernels(wanted)
    trampoline = situation.slotted or wanted == plan.COVERED
    assert (state.kernel == TRAMPOLINE) == trampoline
    if wanted == plan.OVER_INFO:
        assert (state.registered, state.entry, state.recording) == (DISPATCHER, WANTED, True)
        return
    assert (state.entry, state.recording) == (None, False)
    if wanted in PYTHON:
        assert state.registered == WANTED
    elif wanted == plan.OVER:
        assert state.registered == BENEATH
    elif wanted in (plan.NONE, plan.NONE_FLAGGED) and not situation.slotted:
        assert state.registered == NOBODY


def carry_out(steps: Plan, situation: Situation) -> None:
    for start in starts(situation):
        state = start
        for state in walk(steps, start, situation):
            check_arrival(state, start, situation)
        check_end(state, situation)


SITUATIONS = [
    Situation(*values)
    for values in product(plan.WANTED, (False, True), (False, True), (False, True))
]


@pytest.mark.parametrize("situation", SITUATIONS, ids=str)
def test_it_ends_with_what_is_wanted_and_no_signal_on_the_way_is_lost(situation: Situation) -> None:
    carry_out(situation.plan(), situation)


def without(steps: Plan, left_out: tuple[int, int]) -> Any:
    return tuple(
        tuple(step for place, step in enumerate(part) if (number, place) != left_out)
        for number, part in enumerate(steps)
    )


@pytest.mark.parametrize("steps", sorted({each.plan() for each in SITUATIONS}), ids=str)
def test_there_is_no_step_that_could_be_left_out(steps: Plan) -> None:
    """Or the checks above would prove little."""
    situations = [each for each in SITUATIONS if each.plan() == steps]
    for number, part in enumerate(steps):
        for place, step in enumerate(part):
            if step in UNSEEN:
                continue
            mutant = without(steps, (number, place))
            with pytest.raises(AssertionError):
                for situation in situations:
                    carry_out(mutant, situation)
