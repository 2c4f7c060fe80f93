"""Signals as they are, to be compared and put back: ``snapshot``, ``differences``.

Law: a snapshot is what a program can tell from outside, so that one which has only used sigcffi,
and has ended that, differs in nothing: which handler is in force with its flags and mask, and not
whether the trampoline is on top; whether an interval timer is armed, and not how much is left.
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]
import faulthandler
from contextlib import suppress
from functools import partial
from signal import (
    SIG_BLOCK,
    SIG_SETMASK,
    SIGABRT,
    SIGBUS,
    SIGFPE,
    SIGILL,
    SIGKILL,
    SIGSEGV,
    SIGSTOP,
)

from sigcffi._attached import attaching, dead_man, receiving
from sigcffi._attached.dead_man import DeadMansSwitch
from sigcffi._changes.installed import installed, require_main_thread
from sigcffi._changes.installing import install
from sigcffi._core.ffi import address_of, lib
from sigcffi._core.mainthread import run_due_handlers
from sigcffi._core.names import name_of
from sigcffi._dispatch.registry import entries
from sigcffi._handlers import patching
from sigcffi._handlers import signal as handlers
from sigcffi._masks.masks import members, valid_signals
from sigcffi._subscribed import callbacks
from sigcffi._testing.kernel import ITIMERS, disposition, wakeup_fd
from sigcffi._time import limits, timers
from sigcffi._time.schedule import NEVER, schedule
from sigcffi._waits.waiting import sigtimedwait

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from sigcffi._dispatch.action import Action

__all__ = ["Snapshot", "differences", "snapshot"]

_CHANGEABLE = sorted(map(int, valid_signals() - {SIGKILL, SIGSTOP}))
_FAULTHANDLERS = {SIGABRT, SIGBUS, SIGFPE, SIGILL, SIGSEGV}


class Snapshot:
    """What is in force, of the process and of the thread that has looked. Made by ``snapshot``.

    ``dispositions`` are Actions, as ``sigaction`` tells them, by signal; ``mask`` and ``pending``
    frozensets of signals, those that the thread blocks, and those that wait for it or the process;
    ``deferred`` those that critical sections of the thread defer; ``itimers`` pairs ``(delay,
    interval)`` by name; ``wakeup_fd`` is a descriptor, -1, or None in other threads than the main
    thread; ``patched`` tells whether the standard module is. ``open`` is what was made and not
    closed, cancelled or left: attachments of ``sigcffi.actions`` and ``force_quit``, subscriptions,
    receivers, timers, dead man's switches, timeouts; a dict with words for each as its values.

    Threads: any may look at it; ``restore`` is the main thread's.
    """

    def __init__(self) -> None:
        self.dispositions: dict[int, Action] = {signum: installed(signum) for signum in _CHANGEABLE}
        self._kernels = {signum: disposition(signum) for signum in self.dispositions}
        self._stood_for = handlers._stood_for.copy()
        self.mask: frozenset[int] = frozenset(map(int, _signal.pthread_sigmask(SIG_BLOCK, ())))
        self.pending: frozenset[int] = frozenset(map(int, _signal.sigpending()))
        self.deferred: frozenset[int] = frozenset(map(int, members(lib.sigcffi_deferral_set())))
        self.itimers: dict[str, tuple[float, float]] = {
            name: _signal.getitimer(which) for name, which in ITIMERS.items()
        }
        self.wakeup_fd: int | None = wakeup_fd()
        self.patched: bool = bool(patching._replaced)
        self._tracebacks = faulthandler.is_enabled()
        self.open: dict[object, str] = {each: words for each, (words, _) in _open().items()}

    def restore(self) -> None:
        """Have signals as they were: what was made since is closed, what was changed is put back.

        First run handlers that are due, and if one raises nothing is changed. What was pending
        before stays, what has become pending since is thrown away. What cannot be put back, and is
        told by ``differences`` afterwards: what was closed since, also a wakeup fd, and critical
        sections (``deferred``), which end where they were entered.

        ValueError outside the main thread of the main interpreter.
        """
        require_main_thread()
        run_due_handlers()
        for each, (_, close) in _open().items():
            if each not in self.open:
                close()
        for name, (delay, interval) in self.itimers.items():
            if _is_another(self.itimers[name], _signal.getitimer(ITIMERS[name])):
                _signal.setitimer(ITIMERS[name], delay, interval)
        if patching._replaced and not self.patched:
            patching.unpatch_stdlib()
        elif self.patched:
            patching.patch_stdlib()
        if faulthandler.is_enabled() and not self._tracebacks:
            faulthandler.disable()  # "kill_after" has enabled it
        self._restore_dispositions()
        new = frozenset(map(int, _signal.sigpending())) - self.pending
        while new and sigtimedwait(new, 0) is not None:
            pass
        _signal.pthread_sigmask(SIG_SETMASK, self.mask)
        if self.wakeup_fd is not None and wakeup_fd() != self.wakeup_fd:
            with suppress(OSError, ValueError):  # it was closed since
                _signal.set_wakeup_fd(self.wakeup_fd)

    def _restore_dispositions(self) -> None:
        for signum, action in self.dispositions.items():
            if signum == schedule.signum and not schedule.is_empty():
                continue  # a timeout that was open before
            now = installed(signum)
            if _is_timeouts(now):
                schedule.arm(NEVER)  # it is armed after a block's end, and must not meet SIG_DFL
            if now != action or disposition(signum) != self._kernels[signum]:
                install(signum, action)
        handlers._stood_for.clear()
        handlers._stood_for.update(self._stood_for)

    def adopt(self, before: Snapshot, after: Snapshot) -> None:
        """Take over what has changed between two others, *before* and *after*: for what is to stay,
        as a fixture of many tests, and when it has gone, the other way round.
        """
        for name in ("dispositions", "_kernels", "itimers", "open"):
            mine, former, later = (vars(each)[name] for each in (self, before, after))
            for key in former.keys() | later.keys():
                if former.get(key) != later.get(key):
                    mine.pop(key, None)
                    if key in later:
                        mine[key] = later[key]
        for name in ("mask", "pending", "deferred"):
            mine, former, later = (vars(each)[name] for each in (self, before, after))
            setattr(self, name, mine - (former - later) | later - former)
        for name in ("wakeup_fd", "patched"):
            if vars(before)[name] != vars(after)[name]:
                setattr(self, name, vars(after)[name])


def snapshot() -> Snapshot:
    """What is in force now: dispositions, this thread's mask, interval timers, the wakeup fd, and
    what was attached, subscribed or opened and not closed.

    Threads: any may call it. The wakeup fd can be read in the main thread only, and by taking it
    away for an instant.
    """
    return Snapshot()


def differences(before: Snapshot, after: Snapshot) -> list[str]:
    """What *after* has otherwise than *before*: a list of words for people, a str for each
    difference, empty if there is none.

    What sigcffi itself keeps is none of these: the signal of timeouts, SIGURG, and faulthandler,
    which ``kill_after`` enables. Raises nothing for two snapshots.

    Threads: any may call it.
    """
    lines = []
    tracebacks = before._tracebacks != after._tracebacks
    for signum, former in before.dispositions.items():
        now = after.dispositions[signum]
        is_ours = _is_timeouts(former) or _is_timeouts(now)
        if not is_ours and not (tracebacks and signum in _FAULTHANDLERS):
            lines += _differences(name_of(signum), former, now)
    for what in ("blocked", "pending", "deferred"):
        name = "mask" if what == "blocked" else what
        was, is_ = vars(before)[name], vars(after)[name]
        lines += [f"{name_of(signum)} is {what}" for signum in sorted(is_ - was)]
        if what != "pending":  # one that was accepted since is no harm
            lines += [f"{name_of(signum)} is not {what} any more" for signum in sorted(was - is_)]
    for name, setting in after.itimers.items():
        if _is_another(before.itimers[name], setting):
            lines.append(f"{name} was {_armed(before.itimers[name])}, is {_armed(setting)}")
    if None not in (before.wakeup_fd, after.wakeup_fd) and before.wakeup_fd != after.wakeup_fd:
        lines.append(f"the wakeup fd was {before.wakeup_fd}, is {after.wakeup_fd}")
    if before.patched != after.patched:
        lines.append(f"the standard module is {'' if after.patched else 'not '}patched")
    lines += [f"{text}: left open" for each, text in after.open.items() if each not in before.open]
    lines += [f"{text}: closed" for each, text in before.open.items() if each not in after.open]
    return lines


# ---- Dispositions ----


def _differences(name: str, former: Action, now: Action) -> list[str]:
    was, is_ = _handler(former), _handler(now)
    if was != is_:
        return [f"{name}: the handler was {was}, is {is_}"]
    lines = []
    if former.flags != now.flags:
        lines.append(f"{name}: the flags were {former.flags:#x}, are {now.flags:#x}")
    if former.mask != now.mask:
        masks = [", ".join(map(name_of, sorted(each.mask))) or "empty" for each in (former, now)]
        lines.append(f"{name}: the handler's mask was {masks[0]}, is {masks[1]}")
    return lines


def _handler(action: Action) -> str:
    if action.handler is None:
        return f"a C library's at {address_of(action._saved.sa_handler):#x}"
    return getattr(action.handler, "name", None) or repr(action.handler)


def _is_timeouts(action: Action) -> bool:
    return action.handler is limits._expire


# ---- Interval timers ----


def _is_another(before: tuple[float, float], after: tuple[float, float]) -> bool:
    """Whether a timer was set, and not only ran on."""
    if bool(before[0]) != bool(after[0]):
        return True
    return bool(after[0]) and (before[1] != after[1] or after[0] > max(before))


def _armed(setting: tuple[float, float]) -> str:
    delay, interval = setting
    if not delay:
        return "not armed"
    return f"armed for {delay:.3f} s" + (f", every {interval:.3f} s" if interval else "")


# ---- What is open ----


def _open() -> dict[object, tuple[str, Callable[[], Any]]]:
    """What was made and not closed: words for each, and how to close it."""
    found: dict[object, tuple[str, Callable[[], Any]]] = {}
    for attachment in list(attaching._attached.values()):
        found[attachment] = repr(attachment), attachment.close
    for entry in list(entries.values()):
        for call in list(entry.subscribers.values()):
            subscription = getattr(call, "__self__", None)
            if subscription is not None:
                found[subscription] = repr(subscription), subscription.close
    for subscriber in list(callbacks._subscribers.values()):
        found[subscriber] = repr(subscriber), subscriber.close
    library = getattr(callbacks._position.callbacks, "receiver", None)
    for reference in list(receiving._open.values()):
        receiver = reference()
        if receiver is not None and receiver is not library and not receiver.closed:
            found[receiver] = repr(receiver), receiver.close
    for handle in timers._open.copy():
        if schedule.timer is None or schedule.timer._handle != handle:
            text = f"<Timer {handle & 0x7FFFFFFF}>"
            found["timer", handle] = text, partial(_close_timer, handle)
    for switch in list(dead_man._deadlines):
        if isinstance(switch, DeadMansSwitch):
            found[switch] = repr(switch), switch.cancel
    for block in schedule.blocks():
        if block._frame is not None and not block._was_left():
            frame = block._generators[0][0] if block._generators else block._frame
            text = f"{block!r}, of {frame.f_code.co_qualname} (line {frame.f_lineno})"
            found[block] = text, block._leave
    return found


def _close_timer(handle: int) -> None:
    lib.sigcffi_timers_delete(handle)
    timers._open.discard(handle)
