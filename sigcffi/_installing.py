"""Installing: the one place where what is done about a signal changes.

Law: ``installed`` looks, ``install`` changes. A signal goes through the dispatcher (it has an
entry) exactly as long as something needs it there: a subscriber, or a handler that takes a SigInfo.
Every order of steps below is one in which a signal may come between any two and is neither lost nor
met by a default action that nobody asked for.

Race conditions: the interpreter can only be given the dispatcher by way of the kernel, where its
own handler then stands for a microsecond. The signal is blocked in this thread meanwhile. One that
another thread takes just then is handled without its siginfo.
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]
from errno import EINVAL
from signal import SIG_DFL, SIG_IGN, SIGKILL, SIGSTOP, SIGURG

from sigcffi._action import KERNELS, Action
from sigcffi._blocking import blocked
from sigcffi._changing import changing
from sigcffi._dispatch import dispatch, entries, expect, gather, take_back
from sigcffi._ffi import NULL, check, lib, new_sigaction, words
from sigcffi._mainthread import LOOKS_LATE, run_due_handlers
from sigcffi._registry import Entry
from sigcffi._sections import undisturbed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

__all__ = [
    *("aside", "entry_of", "install", "installed", "notice", "recognise", "register_aside"),
    *("registered", "require_changeable", "require_main_thread", "require_urgent", "subscribe"),
    "unsubscribe",
]

_register = _signal.signal
_lookup = _signal.getsignal

_PYTHON = lib.SIGCFFI_PYTHON
_FOREIGN = lib.SIGCFFI_FOREIGN
_COVERED = lib.SIGCFFI_INTERPOSED
_USUAL = lib.SIGCFFI_USUAL
_KIND = _COVERED - 1
_save = lib.sigcffi_dispositions_save
_dispatched = lib.sigcffi_dispositions_dispatched
_record = lib.sigcffi_channel_record
_NODEFER, _RESETHAND = lib.SA_NODEFER, lib.SA_RESETHAND
_SLOTTED = lib.SIGCFFI_WORD_SLOTTED
_PENDING = lib.SIGCFFI_WORD_PENDING
_PRESSURE = lib.SIGCFFI_WORD_BACKPRESSURE
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
    registered = _lookup(signum)
    if found in _USUAL_ACTIONS and not callable(registered):
        return _USUAL_ACTIONS[found]
    if found & _KIND == _FOREIGN and callable(registered):
        check(recognise(signum))
        found = check(_save(signum, NULL))
    kind = found & _KIND
    if kind == _PYTHON and registered is dispatch and (entry := entries.get(signum)):
        return entry.installed  # type: ignore[no-any-return]
    saved = None
    if not found & _USUAL:
        saved = new_sigaction()
        check(_save(signum, saved))
    handler = registered if kind == _PYTHON else _HANDLERS.get(kind)
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
        lib.sigcffi_dispositions_query(SIGURG) == lib.SIGCFFI_DEFAULT and _lookup(SIGURG) == SIG_DFL
    )
    if at_default and lib.sigcffi_main_thread_is_current():
        for taught in _teaching:
            _register(taught, _nothing)
            try:
                check(lib.sigcffi_interpreter_learn(taught))
            finally:
                _register(taught, int(SIG_DFL))
    return lib.sigcffi_interpreter_recognise(signum)


def _nothing(signum: int, frame: Any) -> None:
    pass


def entry_of(signum: int) -> Entry | None:
    """The entry of a signal that goes through the dispatcher, or has to again: if somebody has
    installed something else without sigcffi, an entry that nobody has subscribed to is gone.
    """
    entry = entries.get(signum)
    if entry is not None and not entry.subscribers and _lookup(signum) is not dispatch:
        del entries[signum]
        _record(signum, 0)
        take_back(signum, called=True)
        return None
    return entry


def notice(signum: int) -> None:
    """The trampoline is going to be put on top of what is there, which somebody may have installed
    without sigcffi: then the dispatcher is not called, and gets no records. Any thread may call it.
    """
    if signum in entries and _lookup(signum) is not dispatch:
        _record(signum, 0)
        if _lookup(signum) is dispatch:  # the main thread was just installing it
            _record(signum, 1)


def registered(signum: int) -> Any:
    """What the interpreter would run for a signal."""
    return _lookup(signum)


def register_aside(signum: int, function: Callable[[int, Any], object]) -> None:
    """Have the interpreter run a function for a signal whenever that has no Python handler, but
    leave the kernel as it is: the signal does not lead to it, only C does.
    """
    with undisturbed:
        _register_beneath(signum, function, installed(signum), recorded=True)
        aside[signum] = function


def _look(signum: int, frame: Any) -> None:
    """What the interpreter runs for SIGURG, for it is called by that in the place of others."""
    lib.sigcffi_attachments_seen(2**64 - 1)
    dispatch(signum, frame)


def require_urgent() -> bool:
    """Have the interpreter look around whenever C calls it for SIGURG; False where it runs another
    function then.
    """
    function = _lookup(SIGURG)
    if function is not _look and function is not dispatch:
        if callable(function):
            return False
        register_aside(SIGURG, _look)
    return True


def _register_beneath(
    signum: int, function: Callable[[int, Any], object], action: Action, *, recorded: bool
) -> None:
    """Have the interpreter run a function for a signal, and the kernel do what *action* says."""
    with blocked(signum):
        _register(signum, function)
        if not recorded:  # here, where the trampoline is not there
            _record(signum, 0)
        check(lib.sigcffi_dispositions_put_back(signum, _kernels(action), action._covered))


def install(signum: int, action: Action) -> None:
    """Do about a signal what *action* says; its subscribers keep what they have."""
    require_changeable(signum)
    _let_come()
    with undisturbed:
        _install(signum, action)


def _let_come() -> None:
    """What has come for a handler reaches it before another takes its place."""
    if words[_PENDING] and lib.sigcffi_deferral_settle():
        run_due_handlers()  # another thread has taken it, or just lifted what kept it out


def _install(signum: int, action: Action) -> None:
    entry = entry_of(signum)
    if entry is not None:
        gather()
    if action._takes_info:
        fresh = entry is None
        if entry is None:
            entry = Entry(signum)
        former = entry.installed, entry.handler, entry.keeps_out
        _enter(entry, action)
        try:
            flags = action._flags & KERNELS
            if not _require_dispatcher(signum, flags):
                check(_dispatched(signum, flags))
        except BaseException:
            if _lookup(signum) is not dispatch:  # nothing has changed
                if fresh:
                    del entries[signum]
                else:
                    with changing:
                        entry.install(*former)
            raise
    elif entry is not None and entry.subscribers:
        _require_dispatcher(signum)
        _enter(entry, action._beneath or action)
        _put_under(signum, action)
    elif action._beneath is not None:
        _put_over(signum, action)
    else:
        _take_over(signum, action)


def _enter(entry: Entry, action: Action) -> None:
    """Put *action* into the entry, in the dispatcher's terms."""
    handler, call, keeps_out = action._handler, None, None
    if action._takes_info:
        keeps_out, flags = action._mask, action._flags
        if not flags & _NODEFER:
            keeps_out |= 1 << (entry.signum - 1)
        call = (_once(entry.signum, action) if flags & _RESETHAND else handler), False
    elif callable(handler):
        call = handler, True
    if entries.get(entry.signum) is entry:
        with changing:
            entry.install(action, call, keeps_out)
    else:  # nobody else has it yet
        entry.install(action, call, keeps_out)
        entries[entry.signum] = entry


def _once(signum: int, action: Action) -> Callable[[Any, Any], object]:
    def reset_and_call(info: Any, frame: Any) -> object:
        if entries[signum].installed is action:
            install(signum, Action(SIG_DFL))
        return action._handler(info, frame)

    return reset_and_call


def _require_dispatcher(signum: int, flags: int = 0) -> bool:
    """Have the interpreter run the dispatcher for a signal; whether it did not yet."""
    if _lookup(signum) is dispatch:
        return False
    take_back(signum, called=True)  # recorded while somebody had another handler installed
    with blocked(signum):
        _register(signum, dispatch)
        pending = lib.sigcffi_deferral_take_pending(
            signum
        )  # here nothing comes to it: no trampoline
        expect(signum, pending)
        check(_dispatched(signum, flags))
    if pending:
        lib.sigcffi_deferral_settle()
    if LOOKS_LATE:
        run_due_handlers()
    return True


def _put_under(signum: int, action: Action) -> None:
    """Make *action*, which takes no SigInfo, what is under the trampoline."""
    if action._saved is None and callable(action._handler):
        check(_dispatched(signum, 0))
    else:
        by_urgent = action._handler is None and require_urgent()
        lib.sigcffi_channel_call_by_urgent(1 << signum - 1, by_urgent)
        check(lib.sigcffi_dispositions_put_back(signum, _kernels(action), 1))


def _kernels(action: Action) -> Any:
    """The kernel's struct for a disposition."""
    if action._saved is not None:
        return action._saved
    plain = new_sigaction()
    if action._handler is SIG_IGN:
        lib.sigcffi_dispositions_ignore(plain)
    return plain


def _register_beside_slots(signum: int, handler: Callable[..., Any]) -> None:
    """Nothing that is attached to the signal shall miss it meanwhile."""
    with blocked(signum):
        _register(signum, handler)
        _record(signum, 0)  # first: where the trampoline stands, it leads to the dispatcher
        check(lib.sigcffi_dispositions_registered(signum))
    if LOOKS_LATE:
        run_due_handlers()


def _take_over(signum: int, action: Action) -> None:
    """The signal leaves the dispatcher: what it does now is between kernel and interpreter."""
    handler = action._handler
    python = callable(handler)
    slotted = words[_SLOTTED] >> (signum - 1) & 1
    if signum == SIGURG and python:
        lib.sigcffi_channel_call_by_urgent(
            2**64 - 1, 0
        )  # first: it stands for nobody else any more
    # Not a foreign handler: the interpreter's table keeps what it has. And not the default action
    # where something in C stands on it, which would be without for an instant.
    if python and slotted:
        _register_beside_slots(signum, handler)
    elif python:
        _register(signum, handler)
    elif handler is not None and not slotted:
        if words[_PRESSURE]:
            lib.sigcffi_resume_main_channel()
        _register(signum, int(handler))
    elif action._saved is None:
        check(lib.sigcffi_dispositions_put_back(signum, _kernels(action), 0))
    if handler is not None and not python and signum in aside:
        register_aside(signum, aside[signum])
    _record(signum, 0)
    if action._saved is not None:
        check(lib.sigcffi_dispositions_put_back(signum, action._saved, action._covered))
    elif python and action._covered and not slotted:
        check(lib.sigcffi_dispositions_registered(signum))
    _leave_dispatcher(signum)


def _put_over(signum: int, action: Action) -> None:
    """Make *action* what the kernel does, which may come to the Python handler beneath."""
    beneath: Any = action._beneath
    if not beneath._takes_info:
        _register_beneath(signum, beneath._handler, action, recorded=False)
        _leave_dispatcher(signum)
        return
    _enter(entries.get(signum) or Entry(signum), beneath)
    with blocked(signum):
        _require_dispatcher(signum)
        _record(signum, 0)  # for that the trampoline need not be on top
        check(lib.sigcffi_dispositions_put_back(signum, _kernels(action), action._covered))
        _record(signum, 1)


def _leave_dispatcher(signum: int) -> None:
    if entries.pop(signum, None) is not None:
        take_back(signum)
        if words[_PENDING]:
            lib.sigcffi_deferral_settle()
    if words[_PRESSURE]:
        lib.sigcffi_resume_main_channel()


def _beneath(signum: int) -> Action | None:
    """The Python handler of a signal that does not lead to it: what a C library has put in its
    place may call it. None if there is none.
    """
    registered = _lookup(signum)
    if registered is dispatch:
        entry = entries.get(signum)
        action = entry.installed if entry is not None else None
        return action if action is not None and callable(action._handler) else None
    return Action.found(registered) if callable(registered) and signum not in aside else None


def subscribe(signum: int, callback: Callable[..., Any]) -> None:
    """Have the dispatcher call *callback* for a signal, beside what is installed."""
    require_changeable(signum)
    with undisturbed:
        _subscribe(signum, callback)


def _subscribe(signum: int, callback: Callable[..., Any]) -> None:
    entry = entry_of(signum)
    if (
        entry is None
        or entry.handler == (_put_in_order, False)
        or _lookup(signum) is not dispatch
        or not _save(signum, NULL) & _COVERED  # a C library has taken it
    ):
        former = installed(signum)
        entry = entry or Entry(signum)
        _enter(entry, former._beneath or former)
        try:
            if not _require_dispatcher(signum):
                _record(signum, 1)
        except BaseException:
            if _lookup(signum) is not dispatch:
                del entries[signum]
            raise
        if not former._takes_info:
            _put_under(signum, former)
    else:
        check(lib.sigcffi_interpose(signum))  # put back by signal(2), C would be told nothing
    with changing:
        entry.subscribe(callback)


def unsubscribe(signum: int, callback: Callable[..., Any]) -> None:
    """Call *callback* no more. In another thread than the main thread, what the last subscriber
    leaves behind is put in order when the signal comes next.
    """
    if lib.sigcffi_main_thread_is_current():
        _let_come()
    with undisturbed:
        _unsubscribe(signum, callback)


def _unsubscribe(signum: int, callback: Callable[..., Any]) -> None:
    entry = entries.get(signum)
    if entry is None:
        return
    elsewhere = not lib.sigcffi_main_thread_is_current()
    with changing:
        entry.unsubscribe(callback)
        if entry.subscribers or entry.installed._takes_info:
            return
        if elsewhere and entry.handler is None:
            entry.install(entry.installed, (_put_in_order, False), always=True)
    if not elsewhere:
        found = installed(signum)
        (_take_over if found._beneath is None else _put_over)(signum, found)


def _put_in_order(info: Any, frame: Any) -> None:
    """A signal has come whose last subscriber was closed in another thread: it is not for Python,
    and goes on to what is installed.
    """
    signum = int(info.si_signo)
    entry = entries.get(signum)
    if entry is not None and not entry.subscribers:
        _let_come()
        _take_over(signum, installed(signum))
        lib.sigcffi_deferral_pend_again(signum, 1)
