"""Handlers: ``signal``, ``getsignal``, ``siginterrupt``.

Law: the interpreter registers the callable and runs it; the trampoline goes on top, so that the
call reaches the main thread whichever thread the kernel chose. No Python frame stands between a
signal and its handler. Whatever can be refused is refused before anything has changed.

Source: Python's documentation of ``signal``, sigaction(2), siginterrupt(3).
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]
import errno
from signal import NSIG, Signals
from types import BuiltinFunctionType, FunctionType, MethodType, NoneType

from sigcffi._changes.installed import (
    aside,
    entry_of,
    installed,
    notice,
    recognise,
    require_main_thread,
)
from sigcffi._changes.installing import install
from sigcffi._core.arguments import index, signal_number
from sigcffi._core.ffi import check, lib
from sigcffi._core.mainthread import run_due_handlers
from sigcffi._dispatch.action import Action, disposition
from sigcffi._dispatch.dispatcher import dispatch
from sigcffi._dispatch.registry import DEFAULT, FOREIGN, IGNORED, PYTHON, entries, in_force
from sigcffi._dispatch.sections import cover_first

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, SupportsIndex

    from sigcffi._dispatch.registry import Handler

__all__ = ["cover_all", "getsignal", "kind_of", "siginterrupt", "signal"]

_PYTHON = lib.SIGCFFI_PYTHON
_FOREIGN = lib.SIGCFFI_FOREIGN
_SLOTTED = lib.SIGCFFI_SLOTTED
_KINDS = {
    lib.SIGCFFI_DEFAULT: DEFAULT,
    lib.SIGCFFI_IGNORED: IGNORED,
    lib.SIGCFFI_PYTHON: PYTHON,
    lib.SIGCFFI_FOREIGN: FOREIGN,
}

_query = lib.sigcffi_dispositions_query
_query_slotted = lib.sigcffi_dispositions_query_slotted
_registered = lib.sigcffi_dispositions_registered
_register = _signal.signal
_lookup = _signal.getsignal

# By signal, the handler that was not installed from Python for which None was returned last.
_stood_for: dict[int, Action] = {}

# Handlers of these types cannot be mistaken for a number.
_FUNCTIONS = frozenset({FunctionType, MethodType, BuiltinFunctionType})
_NUMBERS = frozenset({int, Signals})
_OTHERS = frozenset({Action, NoneType})


def _number(value: Any) -> Any:
    """*value* as an int if it can be one, as the standard module sees it: "2" and 2.0 are 2."""
    try:
        return int(value)
    except (ValueError, TypeError):
        return value


def signal(signalnum: Signals | int, handler: Handler) -> Handler:
    """Set the handler of a signal; it stays until it is set again.

    *handler* is a callable that takes two arguments, the signal number and the interrupted frame
    (or None), or ``SIG_DFL`` or ``SIG_IGN``. System calls that the signal interrupts are not
    restarted by the kernel (``siginterrupt`` changes that); Python itself retries most of them (PEP
    475).

    Returns the handler that was in force, as ``getsignal`` tells it. That is None for one that was
    not installed from Python, a C library's, and None as *handler* puts exactly that one back.

    Raises ValueError outside the main thread of the main interpreter or for a number that is not a
    signal's, TypeError for a handler that is neither, and for None if it was not returned for this
    signal, OSError (EINVAL) for a signal whose handling cannot be changed. Nothing has changed
    then.

    Threads: the handler runs in the main thread, between two bytecodes, also if the kernel delivers
    the signal to another thread; a blocking call in the main thread is interrupted for it.

    Race conditions: handlers of signals that have arrived run first; if one raises, the call may
    end with its exception before or after the new handler is installed.

    Source: Python's documentation of ``signal.signal``; sigaction(2), POSIX.1-2008.
    """
    signum = signalnum if type(signalnum) in _NUMBERS else _number(signalnum)
    action = handler if type(handler) in _FUNCTIONS else _number(handler)
    if (
        (signum in entries and entry_of(signum)) or signum in aside or type(action) in _OTHERS
    ) and (action is not None or signum in _stood_for):
        return _beside_others(signum, action)
    kind = _query_slotted(signum)
    if kind >= _FOREIGN:
        if kind & _SLOTTED:
            return _beside_others(signum, action)
        kind = _recognised(signum)
    foreign = installed(signum) if kind == _FOREIGN else None
    try:
        former = _register(signum, action)
        if callable(action):
            result = _registered(signum)
            if result < 0:  # PyPy does not notice that SIGKILL cannot be handled
                _register(signum, former)
                check(result)
    except BaseException:
        _cover_if_installed(signum, action)
        raise
    if foreign is not None:
        _stood_for[signum] = foreign
    return former if kind == _PYTHON else in_force(_KINDS.get(kind), former)


def _beside_others(signum: int, handler: Any) -> Handler:
    """``signal`` for a signal that goes through the dispatcher or has actions in C, or for a
    handler that has to.
    """
    if handler is None and signum in _stood_for:
        handler = _stood_for[signum]
    elif not callable(handler):
        handler = disposition(handler)
    require_main_thread()
    run_due_handlers()
    former = getsignal(signum)
    foreign = installed(signum) if former is None else None
    install(signum, handler if isinstance(handler, Action) else Action.found(handler))
    if foreign is not None:
        _stood_for[signum] = foreign
    return former


def _cover_if_installed(signum: int, handler: Handler) -> None:
    """``signal`` has failed, or a handler that was due raised within it: perhaps after the
    interpreter had installed *handler*, and before the trampoline was on top.
    """
    try:
        installed = _lookup(signum)
    except (TypeError, ValueError):
        return
    if callable(installed) and installed is handler:
        lib.sigcffi_interpose_interpreter(signum)


def getsignal(signalnum: Signals | int) -> Handler:
    """The handler of a signal that is in force: a callable, ``SIG_DFL``, ``SIG_IGN``, or None for a
    handler that was not installed from Python.

    The answer is the kernel's: a handler that a C library has put in the place of a Python one is
    None, too, and a signal that it ignores is ``SIG_IGN``.

    Raises ValueError for a number that is not a signal's, TypeError for what is not an integer.

    Threads: any may call it.

    Source: Python's documentation of ``signal.getsignal``; sigaction(2), POSIX.1-2008.
    """
    registered: Handler = _lookup(signalnum)
    try:
        kind = _query(signalnum)
    except TypeError:  # cffi asks for __int__, where the interpreter asks for __index__
        return getsignal(index(signalnum))
    if kind == _PYTHON or (kind == _FOREIGN and _recognised(signalnum) == _PYTHON):
        if registered is dispatch and signalnum in entries:
            action = installed(index(signalnum))
            return action if action._takes_info else action._handler
        return registered
    return in_force(_KINDS.get(kind), registered)


def _recognised(signum: Signals | int) -> int:
    """The kind of a signal whose handler seems to be foreign. The interpreter's own C handler has
    no name; it is known from the first signal that was seen to have a Python handler.
    """
    return recognise(signum) if callable(_lookup(signum)) else _FOREIGN


def kind_of(signum: Signals | int) -> str | None:
    """What the kernel does with a signal; None if the C library keeps the signal for itself."""
    kind = _query(signum)
    return _KINDS.get(_recognised(signum) if kind == _FOREIGN else kind)


def siginterrupt(signalnum: SupportsIndex, flag: SupportsIndex, /) -> None:
    """Say whether a signal interrupts system calls (*flag* true) or the kernel restarts them.

    ``signal`` sets it to true. Python retries most interrupted calls itself, after the handler.

    Raises ValueError for a number that is not a signal's, OSError (EINVAL) for a signal that cannot
    be handled, TypeError for what is not an integer.

    Threads: any may call it; it holds for all.

    Source: siginterrupt(3), POSIX.1-2008.
    """
    signum, interrupt = index(signalnum), index(flag)
    if lib.siginterrupt(signal_number(signum), interrupt) != 0:
        check(-errno.EINVAL)  # the one error it has


def cover_all() -> None:
    """Put the trampoline on top of every Python handler that was installed without it: by the
    interpreter at its start (SIGINT), or through the standard module.
    """
    for signum in range(1, NSIG):
        if callable(_lookup(signum)) and kind_of(signum) is PYTHON:
            notice(signum)
            lib.sigcffi_interpose_interpreter(signum)


cover_first(cover_all)
