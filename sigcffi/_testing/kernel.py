"""What the kernel does with signals for this process and thread: ``kernel``.

Law: an eye of its own. It asks the C library and the interpreter, and nothing of what the rest of
sigcffi knows: so it sees whether that is right. It changes nothing.

Source: sigaction(2); "signal" in the documentation of Python.
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]
from signal import NSIG, SIG_BLOCK, SIG_DFL, SIG_IGN
from typing import NamedTuple

from sigcffi._core.ffi import NULL, address_of, lib, new_sigaction

__all__ = ["ITIMERS", "Disposition", "Kernel", "disposition", "has_handler", "kernel", "wakeup_fd"]

ITIMERS = {
    name: getattr(_signal, name) for name in ("ITIMER_REAL", "ITIMER_VIRTUAL", "ITIMER_PROF")
}

# A C handler's address, flags, and mask as a word.
Disposition = tuple[int, int, int]


class Kernel(NamedTuple):
    """What the kernel does with signals; of the mask the calling thread's."""

    dispositions: dict[int, Disposition | None]
    mask: frozenset[int]
    itimers: dict[str, tuple[float, float]]
    wakeup_fd: int | None


def disposition(signum: int) -> Disposition | None:
    """The kernel's handler for a signal as an address, its flags and mask; None if it has none.

    Flags and mask of the default action or of ignoring mean nothing, and are left out.
    """
    action = new_sigaction()
    if lib.sigaction(signum, NULL, action) != 0:
        return None
    handler = address_of(action.sa_handler)
    if handler in (SIG_DFL, SIG_IGN):
        return handler, 0, 0
    return handler, action.sa_flags, lib.sigcffi_dispositions_mask_of(action)


def has_handler(signum: int) -> bool:
    """Whether it is neither ignored nor left to its default action."""
    now = disposition(signum)
    return now is not None and now[0] not in (SIG_DFL, SIG_IGN)


def wakeup_fd() -> int | None:
    """The wakeup fd, -1 if there is none; None in other threads than the main thread, where nobody
    can tell. To read it is to take it away for an instant, and then it warns when it is full.
    """
    try:
        fd = _signal.set_wakeup_fd(-1)
    except ValueError:
        return None
    if fd != -1:
        _signal.set_wakeup_fd(fd)
    return int(fd)


def kernel() -> Kernel:
    """All of it, as it is now."""
    return Kernel(
        {signum: disposition(signum) for signum in range(1, NSIG)},
        frozenset(map(int, _signal.pthread_sigmask(SIG_BLOCK, ()))),
        {name: _signal.getitimer(which) for name, which in ITIMERS.items()},
        wakeup_fd(),
    )
