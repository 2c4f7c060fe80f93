"""The standard module's functions replaced: ``patch_stdlib``, ``unpatch_stdlib``.

Law: which functions those are is found out, not listed; what is undone is exactly what was done.
Nothing here calls a function of the standard module, nor does any other module of the library: what
it needs of the interpreter it takes from ``_signal``, which stays as it is.
"""

from __future__ import annotations

import signal as _standard
import sys
from types import FunctionType

from sigcffi._core.scope import warn

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

__all__ = ["patch_stdlib", "unpatch_stdlib"]

_replaced: dict[str, tuple[Any, Any]] = {}  # by name, what was there and ours


def patch_stdlib() -> None:
    """Let the functions of the standard module ``signal`` be sigcffi's, for the whole process.

    Afterwards ``signal.signal()`` of any library (asyncio, subprocess, a server) goes through
    sigcffi: what is attached to the signal stays in place. Replaced are the functions that sigcffi
    has of its own; names that the standard module does not have are not added to it; classes and
    constants are the same objects anyway. While patched, a second call changes nothing.

    Not affected: code that did ``from signal import signal`` before, which keeps the original, and
    C code.

    Threads: any may call it, one at a time.
    """
    if _replaced:
        return
    package = sys.modules["sigcffi"]
    for name, ours in list(vars(package).items()):
        if not isinstance(ours, FunctionType) or ours.__module__ != package.__name__:
            continue  # the standard module's: set_wakeup_fd, say, or what other code put there
        theirs = vars(_standard).get(name, ours)
        if theirs is not ours and not name.startswith("_"):
            _replaced[name] = theirs, ours
            setattr(_standard, name, ours)


def unpatch_stdlib() -> None:
    """Undo ``patch_stdlib``: every function is the object that it was.

    A function that other code has replaced since, or removed, is left alone, and a RuntimeWarning
    names it. Without a patch nothing happens.

    Threads: any may call it, one at a time.
    """
    lost = []
    while _replaced:
        name, (theirs, ours) = _replaced.popitem()
        if vars(_standard).get(name) is ours:
            setattr(_standard, name, theirs)
        else:
            lost.append(f"signal.{name}")
    if lost:  # told when all is done: a warning may be an exception
        warn(
            f"replaced by somebody else since patch_stdlib, and left alone: {', '.join(lost)}",
            RuntimeWarning,
            stacklevel=2,
        )
