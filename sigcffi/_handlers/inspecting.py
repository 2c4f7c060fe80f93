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

    from sigcffi._dispatch.registry import Handler

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

    Raises ValueError for a number that is not a signal's, TypeError for what is not an integer.

    Threads: any may call it.

    Source: strsignal(3), POSIX.1-2008.
    """
    text = _strsignal(signal_number(signalnum))
    return None if text.startswith("Unknown signal") else text


def deliveries(signalnum: SupportsIndex, /) -> int:
    """How often a signal has reached the process since sigcffi handles it.

    Counts what the kernel delivered to sigcffi's C handler, on any thread: not signals that are
    ignored, by default or by choice, nor those that the kernel merged into one that was pending.
    A forked child counts from 0.

    Raises ValueError for a number that is not a signal's, TypeError for what is not an integer.

    Threads: any may call it; it counts those of the whole process.
    """
    return lib.sigcffi_channel_deliveries(signal_number(signalnum))


def dropped(signalnum: SupportsIndex | None = None, /) -> int:
    """How many deliveries of a signal, or of all signals, no handler will ever see.

    Only those count that were for a handler with a ``SigInfo`` and that neither the ring nor the
    kernel could hold: more than docs/delivery.md says is possible for real-time signals. A forked
    child counts from 0.

    Raises ValueError for a number that is not a signal's, TypeError for what is not an integer.

    Threads: any may call it; it counts those of the whole process.
    """
    if signalnum is None:
        return sum(map(lib.sigcffi_channel_dropped, range(1, NSIG)))
    return lib.sigcffi_channel_dropped(signal_number(signalnum))


class SignalState:
    """What a signal would do now. Made by ``dispositions``.

    ``signum`` and ``name``; ``meaning``, the system's description; ``default_action``: "terminate",
    "core", "ignore", "stop" or "continue"; ``disposition``: "default", "ignored", "Python handler"
    or "foreign"; ``handler`` as ``getsignal`` tells it; ``blocked`` in the calling thread;
    ``pending`` for it or the process; ``deliveries`` so far.

    Threads: any may look at it; "the calling thread" is the one that has asked.
    """

    def __init__(self, signum: int, blocked: set[Signals], pending: set[Signals]) -> None:
        self.signum: int = signum
        self.name: str = name_of(signum)
        self.meaning: str = strsignal(signum) or ""
        self.default_action: str = _DEFAULT_ACTIONS[lib.sigcffi_defaults_action(signum)]
        self.disposition: str = kind_of(signum) or ""
        self.handler: Handler = getsignal(signum)
        self.blocked: bool = signum in blocked
        self.pending: bool = signum in pending
        self.deliveries: int = deliveries(signum)

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
