"""Looking: what every signal would do now, and how often it has come.

Law: reads, and changes nothing.

Source: signal(7) for the default actions.
"""

from __future__ import annotations

from collections import namedtuple
from signal import NSIG, SIG_BLOCK, SIGRTMAX, SIGRTMIN, Signals

from sigcffi._arguments import index
from sigcffi._ffi import lib, strsignal as _strsignal
from sigcffi._handlers import getsignal, kind_of
from sigcffi._masks import pthread_sigmask, sigpending, valid_signals

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import SupportsIndex

__all__ = ["SignalState", "deliveries", "dispositions", "strsignal"]

_DEFAULT_ACTIONS = {
    "core": "ABRT BUS FPE ILL QUIT SEGV SYS TRAP XCPU XFSZ",
    "ignore": "CHLD URG WINCH",
    "stop": "STOP TSTP TTIN TTOU",
    "continue": "CONT",
}
_ACTION_OF = {
    f"SIG{name}": action for action, names in _DEFAULT_ACTIONS.items() for name in names.split()
}


def strsignal(signalnum: SupportsIndex, /) -> str | None:
    """The system's description of a signal, None if it has none.

    ValueError for a number that is not a signal's, TypeError for what is not an integer.
    """
    signum = index(signalnum)
    if not 0 < signum < NSIG:
        raise ValueError("signal number out of range")
    text = _strsignal(signum)
    return None if text.startswith("Unknown signal") else text


def deliveries(signalnum: SupportsIndex, /) -> int:
    """How often a signal has reached the process since sigcffi handles it.

    Counts what the kernel delivered to sigcffi's C handler, on any thread: not signals that are
    ignored, by default or by choice, nor those that the kernel merged into one that was pending.
    A forked child counts from 0. ValueError for a number that is not a signal's.
    """
    signum = index(signalnum)
    if not 0 < signum < NSIG:
        raise ValueError("signal number out of range")
    return lib.sigcffi_deliveries(signum)


class SignalState(
    namedtuple(
        "SignalState",
        "signum name meaning default_action disposition handler blocked pending deliveries",
    )
):
    """What a signal would do now.

    ``signum`` and ``name``; ``meaning``, the system's description; ``default_action``: "terminate",
    "core", "ignore", "stop" or "continue"; ``disposition``: "default", "ignored", "Python handler"
    or "foreign"; ``handler`` as ``getsignal`` tells it; ``blocked`` in the calling thread; ``pending``
    for it or the process; ``deliveries`` so far.
    """

    __slots__ = ()


def name_of(signum: int) -> str:
    """The name of a signal; a real-time signal is named by its distance from the first."""
    try:
        return Signals(signum).name
    except ValueError:
        if SIGRTMIN < signum < SIGRTMAX:
            return f"SIGRTMIN+{signum - SIGRTMIN}"
        return f"SIG{signum}"


def dispositions() -> list[SignalState]:
    """The state of every signal that a program may use, in ascending order.

    Threads: ``blocked`` is the calling thread's. The entries are read one after the other, not all
    at one instant.
    """
    blocked, pending = pthread_sigmask(SIG_BLOCK, ()), sigpending()
    rows = []
    for signum in sorted(valid_signals()):
        name = name_of(signum)
        kind = kind_of(signum)
        rows.append(
            SignalState(
                signum=int(signum),
                name=name,
                meaning=strsignal(signum) or "",
                default_action=_ACTION_OF.get(name, "terminate"),
                disposition=kind.value if kind else "",
                handler=getsignal(signum),
                blocked=signum in blocked,
                pending=signum in pending,
                deliveries=deliveries(signum),
            )
        )
    return rows
