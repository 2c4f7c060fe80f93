"""Installing: the one place where what is done about a signal changes.

Law: a signal goes through the dispatcher (it has an entry) exactly as long as something needs it
there: a subscriber, or a handler that takes a SigInfo. What has come for a handler reaches it
before another takes its place.
"""

from __future__ import annotations

from sigcffi._changes.installed import entry_of, installed, registered, require_changeable
from sigcffi._changes.steps import change
from sigcffi._core.ffi import NULL, check, lib, words
from sigcffi._core.mainthread import looking, run_due_handlers
from sigcffi._dispatch.action import Action
from sigcffi._dispatch.changing import changing
from sigcffi._dispatch.deliveries import gather
from sigcffi._dispatch.dispatcher import dispatch
from sigcffi._dispatch.registry import entries
from sigcffi._dispatch.sections import undisturbed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

__all__ = ["install", "subscribe", "unsubscribe"]

_save = lib.sigcffi_dispositions_save
_COVERED = lib.SIGCFFI_INTERPOSED
_PENDING = lib.SIGCFFI_WORD_PENDING


def install(signum: int, action: Action) -> None:
    """Do about a signal what *action* says; its subscribers keep what they have."""
    require_changeable(signum)
    _let_come()
    with undisturbed:
        _install(signum, action)


def _let_come() -> None:
    """What has come for a handler reaches it before another takes its place: also if another thread
    has taken it, or just lifted what kept it out, or the interpreter has to be asked to look.
    """
    if (words[_PENDING] and lib.sigcffi_deferral_settle()) or looking.late:
        run_due_handlers()


def _install(signum: int, action: Action) -> None:
    entry = entry_of(signum)
    if entry is not None:
        gather()
    change(signum, action, entry, subscribed=entry is not None and bool(entry.subscribers))


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
        or registered(signum) is not dispatch
        or not _save(signum, NULL) & _COVERED  # a C library has taken it
    ):
        change(signum, installed(signum), entry, subscribed=True)
        entry = entries[signum]
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
        change(signum, installed(signum), entry, subscribed=False)


def _put_in_order(info: Any, frame: Any) -> None:
    """A signal has come whose last subscriber was closed in another thread: it is not for Python,
    and goes on to what is installed.
    """
    signum = int(info.si_signo)
    entry = entries.get(signum)
    if entry is not None and not entry.subscribers:
        _let_come()
        change(signum, installed(signum), entry, subscribed=False)
        lib.sigcffi_deferral_pend_again(signum, 1)
