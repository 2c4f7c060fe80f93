"""The standard module's functions replaced: ``patch_stdlib``, ``unpatch_stdlib``.

Law: which functions those are is found out, not listed; what is undone is exactly what was done.
"""

from __future__ import annotations

import signal as _standard
import sys
from types import BuiltinFunctionType, FunctionType

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

__all__ = ["patch_stdlib", "unpatch_stdlib"]

_FUNCTIONS = (FunctionType, BuiltinFunctionType)
_replaced: dict[str, tuple[Any, Any]] = {}  # by name, the standard object and ours


def patch_stdlib() -> None:
    """Let the functions of the standard module ``signal`` be sigcffi's, for the whole process.

    Afterwards ``signal.signal()`` of any library goes through sigcffi: what is attached to the
    signal stays in place. Names that the standard module does not have are not added to it. A
    second call changes nothing. Classes and constants are the same objects anyway. Code that did
    ``from signal import signal`` before keeps the original, and C code is not affected.
    """
    package = sys.modules["sigcffi"]
    for name, theirs in list(vars(_standard).items()):
        ours = getattr(package, name, theirs)
        if name.startswith("_") or name in _replaced or ours is theirs or not isinstance(theirs, _FUNCTIONS):
            continue
        _replaced[name] = theirs, ours
        setattr(_standard, name, ours)


def unpatch_stdlib() -> None:
    """Undo ``patch_stdlib``: every function is the object that it was.

    One that somebody else has replaced since is left alone, with a RuntimeWarning. Without a patch
    nothing happens.
    """
    while _replaced:
        name, (theirs, ours) = _replaced.popitem()
        if getattr(_standard, name, None) is ours:
            setattr(_standard, name, theirs)
        else:
            import warnings

            warnings.warn(
                f"signal.{name} was replaced by somebody else and stays so",
                RuntimeWarning,
                stacklevel=2,
            )
