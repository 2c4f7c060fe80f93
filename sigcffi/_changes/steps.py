"""How a plan is carried out: ``change``.

Law: a step is one function, and nothing here decides which comes next: ``plan`` does. Called where
no handler starts (``undisturbed``). What an exception leaves half done is undone where the
interpreter does not run the dispatcher yet; behind that it is right as it is, at every step.

Race conditions: the interpreter can only be given a function by way of the kernel, where its own C
handler then stands for a microsecond. The signal is held in this thread meanwhile. One that another
thread takes in that microsecond is handled without its siginfo.
"""

from __future__ import annotations

from signal import SIG_DFL, SIGURG

from sigcffi._changes import plan
from sigcffi._changes.installed import (
    put_back,
    register,
    register_aside_again,
    registered,
    require_urgent,
)
from sigcffi._core.ffi import check, lib, words
from sigcffi._core.mainthread import looking, run_due_handlers
from sigcffi._dispatch.action import KERNELS, Action
from sigcffi._dispatch.changing import changing
from sigcffi._dispatch.dispatcher import dispatch, expect, take_back
from sigcffi._dispatch.registry import Entry, entries
from sigcffi._dispatch.sections import undisturbed
from sigcffi._masks.blocking import blocked

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

__all__ = ["change"]

_record = lib.sigcffi_channel_record
_NODEFER, _RESETHAND = lib.SA_NODEFER, lib.SA_RESETHAND
_SLOTTED = lib.SIGCFFI_WORD_SLOTTED
_PENDING = lib.SIGCFFI_WORD_PENDING
_BACK_PRESSURE = lib.SIGCFFI_WORD_BACKPRESSURE


class _Change:
    """A change that is being carried out: of *signum*, to *action*."""

    __slots__ = ("action", "entry", "former", "pending", "signum")

    def __init__(self, signum: int, action: Action, entry: Entry | None) -> None:
        self.signum = signum
        self.action = action
        self.entry = entry  # there is one already
        self.former: Any = None  # what that has been before, until the action is in force
        self.pending = 0  # for another handler, a call of the interpreter

    def undo(self) -> None:
        """An exception of a handler that no section keeps out has struck before the action was in
        force.
        """
        if self.former is not None:
            assert self.entry is not None
            with changing:
                self.entry.install(*self.former)
        elif self.entry is None and registered(self.signum) is not dispatch:
            entries.pop(self.signum, None)


def change(signum: int, action: Action, entry: Entry | None, *, subscribed: bool) -> None:
    """Do about a signal what *action* says. Called where no handler starts."""
    made = _Change(signum, action, entry)
    dispatched = registered(signum) is dispatch
    slotted = words[_SLOTTED] >> (signum - 1) & 1
    situation = _wanted(action), subscribed, dispatched, slotted
    try:
        before, held, after = _known.get(situation) or _steps_of(situation)
        for step in before:
            step(made)
        if held:
            with blocked(signum):
                for step in held:
                    step(made)
        for step in after:
            step(made)
    except BaseException:
        made.undo()
        raise


def _wanted(action: Action) -> str:
    """What *action* is, in the terms of plans."""
    beneath = action._beneath
    if beneath is not None:
        return plan.OVER_INFO if beneath._takes_info else plan.OVER
    if action._takes_info:
        return plan.INFO
    if action._handler is None:
        return plan.FOREIGN
    flagged = action._saved is not None
    if not callable(action._handler):
        return plan.NONE_FLAGGED if flagged else plan.NONE
    return plan.FLAGGED if flagged else plan.COVERED if action._covered else plan.BARE


def _steps_of(situation: Any) -> Any:
    """The plan for a situation, as functions."""
    wanted, subscribed, dispatched, slotted = situation
    steps = plan.plan_of(
        wanted, subscribed=subscribed, dispatched=dispatched, slotted=bool(slotted)
    )
    _known[situation] = functions = tuple(tuple(map(_STEPS.__getitem__, part)) for part in steps)
    return functions


_known: dict[Any, Any] = {}  # what _steps_of has said


# ---- The steps, by the names that they have in plans ----


def _enter(change: _Change) -> None:
    """Put the action into the entry, in the dispatcher's terms."""
    action = change.action._beneath or change.action
    handler, call, keeps_out = action._handler, None, None
    if action._takes_info:
        keeps_out, flags = action._mask, action._flags
        if not flags & _NODEFER:
            keeps_out |= 1 << (change.signum - 1)
        call = (_once(change.signum, action) if flags & _RESETHAND else handler), False
    elif callable(handler):
        call = handler, True
    entry = change.entry
    if entry is not None:
        change.former = entry.installed, entry.handler, entry.keeps_out
        with changing:
            entry.install(action, call, keeps_out)
        if registered(change.signum) is dispatch:
            change.former = None
    else:
        entries[change.signum] = Entry(change.signum, action, call, keeps_out)


def _once(signum: int, action: Action) -> Callable[[Any, Any], object]:
    def reset_and_call(info: Any, frame: Any) -> object:
        entry = entries.get(signum)
        if entry is not None and entry.installed is action:
            with undisturbed:
                change(signum, Action(SIG_DFL), entry, subscribed=bool(entry.subscribers))
        return action._handler(info, frame)

    return reset_and_call


def _recall(change: _Change) -> None:
    take_back(change.signum, called=True)  # recorded while somebody had another handler installed


def _register_dispatcher(change: _Change) -> None:
    signum = change.signum
    # An exception may strike behind the next step: calls that C has made before are not for ours.
    expect(signum, 0)
    register(signum, dispatch)
    change.former = None
    # Nothing is added to this here, where the trampoline does not stand.
    change.pending = lib.sigcffi_deferral_take_pending(signum)
    expect(signum, change.pending)


def _dispatch(change: _Change) -> None:
    """Record it, and put the trampoline on top of the interpreter's handler."""
    action = change.action
    check(
        lib.sigcffi_dispositions_dispatched(
            change.signum, action._flags & KERNELS if action._takes_info else 0
        )
    )


def _settle(change: _Change) -> None:
    if change.pending:
        lib.sigcffi_deferral_settle()
    if looking.late:
        run_due_handlers()


def _register_handler(change: _Change) -> None:
    handler = change.action._handler
    if change.signum == SIGURG and callable(handler):
        # First: SIGURG stands for no other signal any more.
        lib.sigcffi_channel_call_by_urgent(2**64 - 1, 0)
    register(change.signum, handler if callable(handler) else int(handler))


def _register_beneath(change: _Change) -> None:
    register(change.signum, change.action._beneath._handler)  # type: ignore[union-attr]


def _register_aside_again(change: _Change) -> None:
    register_aside_again(change.signum)


def _start_recording(change: _Change) -> None:
    _record(change.signum, 1)


def _stop_recording(change: _Change) -> None:
    _record(change.signum, 0)


def _cover(change: _Change) -> None:
    check(lib.sigcffi_dispositions_registered(change.signum))


def _put_what_is_wanted_back(change: _Change) -> None:
    put_back(change.signum, change.action, change.action._covered)


def _put_beneath(change: _Change) -> None:
    by_urgent = change.action._handler is None and require_urgent()
    lib.sigcffi_channel_call_by_urgent(1 << change.signum - 1, by_urgent)
    put_back(change.signum, change.action, 1)


def _resume(change: _Change) -> None:
    if words[_BACK_PRESSURE]:
        lib.sigcffi_resume_main_channel()


def _run_due(change: _Change) -> None:
    if looking.late:
        run_due_handlers()


def _leave(change: _Change) -> None:
    """The signal leaves the dispatcher: it is between kernel and interpreter now."""
    if entries.pop(change.signum, None) is not None:
        take_back(change.signum)
        if words[_PENDING]:
            lib.sigcffi_deferral_settle()
    _resume(change)


_STEPS: dict[str, Callable[[_Change], None]] = {
    "enter": _enter,
    "recall": _recall,
    "register the dispatcher": _register_dispatcher,
    "dispatch": _dispatch,
    "settle": _settle,
    "register": _register_handler,
    "register beneath": _register_beneath,
    "register aside": _register_aside_again,
    "record": _start_recording,
    "stop recording": _stop_recording,
    "cover": _cover,
    "put back": _put_what_is_wanted_back,
    "put beneath": _put_beneath,
    "resume": _resume,
    "run due": _run_due,
    "leave": _leave,
}
