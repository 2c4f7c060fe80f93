"""Looking: what every signal would do now, and how often it has come.

Law: reads, and changes nothing.
"""

from __future__ import annotations

from signal import NSIG, SIG_BLOCK

from sigcffi._core.arguments import signal_number
from sigcffi._core.ffi import lib
from sigcffi._core.ffi import strsignal as _strsignal
from sigcffi._core.names import name_of
from sigcffi._handlers.signal import getsignal, kind_of
from sigcffi._masks.masks import pthread_sigmask, sigpending, valid_signals

TYPE_CHECKING = False
if TYPE_CHECKING:
    from signal import Signals
    from typing import SupportsIndex

__all__ = ["SignalState", "deliveries", "dispositions", "dropped", "strsignal"]

_DEFAULT_ACTIONS = {
    lib.SIGCFFI_TERMINATES: "terminate",
    lib.SIGCFFI_DUMPS_CORE: "core",
    lib.SIGCFFI_IS_IGNORED: "ignore",
    lib.SIGCFFI_STOPS: "stop",
    lib.SIGCFFI_CONTINUES: "continue",
}


def strsignal(signalnum: SupportsIndex, /) -> str | None:
    """The system's description of a signal, None if it has none.

    ValueError for a number that is not a signal's, TypeError for what is not an integer.
    """
    text = _strsignal(signal_number(signalnum))
    return None if text.startswith("Unknown signal") else text


def deliveries(signalnum: SupportsIndex, /) -> int:
    """How often a signal has reached the process since sigcffi handles it.

    Counts what the kernel delivered to sigcffi's C handler, on any thread: not signals that are
    ignored, by default or by choice, nor those that the kernel merged into one that was pending.
    A forked child counts from 0. ValueError for a number that is not a signal's.
    """
    return lib.sigcffi_channel_deliveries(signal_number(signalnum))


def dropped(signalnum: SupportsIndex | None = None, /) -> int:
    """How many deliveries of a signal, or of all signals, no handler will ever see.

    Only those count that were for a handler with a ``SigInfo`` and that neither the ring nor the
    kernel could hold: more than docs/delivery.md says is possible for real-time signals. A forked
    child counts from 0. ValueError for a number that is not a signal's.
    """
    if signalnum is None:
        return sum(map(lib.sigcffi_channel_dropped, range(1, NSIG)))
    return lib.sigcffi_channel_dropped(signal_number(signalnum))


class SignalState:
    """What a signal would do now.

    ``signum`` and ``name``; ``meaning``, the system's description; ``default_action``: "terminate",
    "core", "ignore", "stop" or "continue"; ``disposition``: "default", "ignored", "Python handler"
    or "foreign"; ``handler`` as ``getsignal`` tells it; ``blocked`` in the calling thread;
    ``pending`` for it or the process; ``deliveries`` so far.
    """

    def __init__(self, signum: int, blocked: set[Signals], pending: set[Signals]) -> None:
        self.signum = signum
        self.name = name_of(signum)
        self.meaning = strsignal(signum) or ""
        self.default_action = _DEFAULT_ACTIONS[lib.sigcffi_defaults_action(signum)]
        self.disposition = kind_of(signum) or ""
        self.handler = getsignal(signum)
        self.blocked = signum in blocked
        self.pending = signum in pending
        self.deliveries = deliveries(signum)

    def __repr__(self) -> str:
        fields = ", ".join(f"{name}={value!r}" for name, value in vars(self).items())
        return f"SignalState({fields})"


def dispositions() -> list[SignalState]:
    """The state of every signal that a program may use, in ascending order.

    Threads: ``blocked`` is the calling thread's. The entries are read one after the other, not all
    at one instant.
    """
    blocked, pending = pthread_sigmask(SIG_BLOCK, ()), sigpending()
    return [SignalState(int(signum), blocked, pending) for signum in sorted(valid_signals())]
