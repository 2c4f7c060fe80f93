"""What is done about a signal now: ``installed``.

Law: looks, and changes only what nobody sees: an entry that has become useless goes, and C learns
the interpreter's handler. The kernel is right about what it does, the interpreter about the
callable that its C handler stands for.
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]
from errno import EINVAL
from signal import SIG_DFL, SIG_IGN, SIGKILL, SIGSTOP, SIGURG

from sigcffi._core.ffi import NULL, check, lib, new_sigaction
from sigcffi._dispatch.action import Action
from sigcffi._dispatch.dispatcher import dispatch, take_back
from sigcffi._dispatch.registry import Entry, entries
from sigcffi._dispatch.sections import undisturbed
from sigcffi._masks.blocking import blocked

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

__all__ = [
    *("aside", "entry_of", "installed", "notice", "put_back", "recognise"),
    *("register", "register_aside", "register_aside_again", "registered", "require_changeable"),
    *("require_main_thread", "require_urgent"),
]

register = _signal.signal
registered = _signal.getsignal  # what the interpreter would run

_PYTHON = lib.SIGCFFI_PYTHON
_FOREIGN = lib.SIGCFFI_FOREIGN
_COVERED = lib.SIGCFFI_INTERPOSED
_USUAL = lib.SIGCFFI_USUAL
_KIND = _COVERED - 1
_save = lib.sigcffi_dispositions_save
_record = lib.sigcffi_channel_record
_CHANGEABLE = lib.sigcffi_masks_valid_signals() & ~(1 << SIGKILL - 1 | 1 << SIGSTOP - 1)
_HANDLERS = {lib.SIGCFFI_DEFAULT: SIG_DFL, lib.SIGCFFI_IGNORED: SIG_IGN}
_USUAL_ACTIONS = {
    kind | _USUAL: Action.found(handler, None, 0) for kind, handler in _HANDLERS.items()
}


# What the interpreter runs for signals that do not lead to it. The main thread alone changes it.
aside: dict[int, Callable[[int, Any], object]] = {}


def require_main_thread() -> None:
    """Raise what the standard module raises where no handler may be installed."""
    if not lib.sigcffi_main_thread_is_current():
        raise ValueError("signal only works in main thread of the main interpreter")


def require_changeable(signum: int) -> None:
    """Raise what the kernel would say of SIGKILL."""
    # PyPy would take what the kernel then refuses.
    if not _CHANGEABLE >> (signum - 1) & 1:
        check(-EINVAL)


def installed(signum: int) -> Action:
    """What is done about a signal now, as the kernel has it and beside the subscribers."""
    found = check(_save(signum, NULL))
    noted = registered(signum)
    if found in _USUAL_ACTIONS and not callable(noted):
        return _USUAL_ACTIONS[found]
    if found & _KIND == _FOREIGN and callable(noted):
        check(recognise(signum))
        found = check(_save(signum, NULL))
    kind = found & _KIND
    if kind == _PYTHON and noted is dispatch and (entry := entries.get(signum)):
        return entry.installed  # type: ignore[no-any-return]
    saved = None
    if not found & _USUAL:
        saved = new_sigaction()
        check(_save(signum, saved))
    handler = noted if kind == _PYTHON else _HANDLERS.get(kind)
    action = Action.found(handler, saved, found & _COVERED)
    if kind != _PYTHON:
        action._beneath = _beneath(signum)
    return action


_teaching = iter((SIGURG,))  # taken by one step, once


def recognise(signum: int) -> int:
    """What C takes a signal's handler for (lib.SIGCFFI_*) where it does not know the interpreter's
    yet, or this is another's; or a negative errno.

    By its address alone it cannot be told from that of an extension which is linked into one
    program with the interpreter. So C is shown one, which the interpreter installs for a moment.
    SIGURG is ignored by default: nobody misses one that comes in between. Where it is not at its
    default, for the kernel and for the interpreter, and in other threads than the main thread, C
    goes by what it finds.
    """
    at_default = (
        lib.sigcffi_dispositions_query(SIGURG) == lib.SIGCFFI_DEFAULT
        and registered(SIGURG) == SIG_DFL
    )
    if at_default and lib.sigcffi_main_thread_is_current():
        for taught in _teaching:
            register(taught, _nothing)
            try:
                check(lib.sigcffi_interpreter_learn(taught))
            finally:
                register(taught, int(SIG_DFL))
    return lib.sigcffi_interpreter_recognise(signum)


def _nothing(signum: int, frame: Any) -> None:
    pass


def entry_of(signum: int) -> Entry | None:
    """The entry of a signal that goes through the dispatcher, or has to again: if somebody has
    installed something else without sigcffi, an entry that nobody has subscribed to is gone.
    """
    entry = entries.get(signum)
    if entry is not None and not entry.subscribers and registered(signum) is not dispatch:
        del entries[signum]
        _record(signum, 0)
        take_back(signum, called=True)
        return None
    return entry


def notice(signum: int) -> None:
    """The trampoline is going to be put on top of what is there, which somebody may have installed
    without sigcffi: then the dispatcher is not called, and gets no records. Any thread may call it.
    """
    if signum in entries and registered(signum) is not dispatch:
        _record(signum, 0)
        if registered(signum) is dispatch:  # the main thread was just installing it
            _record(signum, 1)


def register_aside(signum: int, function: Callable[[int, Any], object]) -> None:
    """Have the interpreter run a function for a signal whenever that has no Python handler, but
    leave the kernel as it is: the signal does not lead to it, only C does.
    """
    with undisturbed:
        _register_aside(signum, function)


def _register_aside(signum: int, function: Callable[[int, Any], object]) -> None:
    action = installed(signum)
    with blocked(signum):
        register(signum, function)
        put_back(signum, action, action._covered)
    aside[signum] = function


def register_aside_again(signum: int) -> None:
    """The interpreter has just been told that the signal has no Python handler."""
    if signum in aside:
        _register_aside(signum, aside[signum])


def _look(signum: int, frame: Any) -> None:
    """What the interpreter runs for SIGURG, for it is called by that in the place of others."""
    lib.sigcffi_attachments_seen(2**64 - 1)
    dispatch(signum, frame)


def require_urgent() -> bool:
    """Have the interpreter look around whenever C calls it for SIGURG; False where it runs another
    function then.
    """
    function = registered(SIGURG)
    if function is not _look and function is not dispatch:
        if callable(function):
            return False
        register_aside(SIGURG, _look)
    return True


def _beneath(signum: int) -> Action | None:
    """The Python handler of a signal that does not lead to it: what a C library has put in its
    place may call it. None if there is none.
    """
    noted = registered(signum)
    if noted is dispatch:
        entry = entries.get(signum)
        action = entry.installed if entry is not None else None
        return action if action is not None and callable(action._handler) else None
    return Action.found(noted) if callable(noted) and signum not in aside else None


def put_back(signum: int, action: Action, covered: int) -> None:
    """Make *action* what the kernel does, beneath the trampoline where something needs that, or
    where a Python handler was *covered*.
    """
    kernels = action._saved
    if kernels is None:
        kernels = new_sigaction()
        if action._handler is SIG_IGN:
            lib.sigcffi_dispositions_ignore(kernels)
    check(lib.sigcffi_dispositions_put_back(signum, kernels, covered))
