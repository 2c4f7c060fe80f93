"""Who handles a signal, in Python's terms.

Law: decides from plain values; knows neither C nor the interpreter, so that every case can be tried
without a signal.

Two sources speak of a handler. The kernel knows what it will do, but not which Python callable an
interpreter's handler stands for. The interpreter knows the callable, but not whether a C library
has replaced its handler since. The kernel is right about the kind, the interpreter about the name.
"""

from __future__ import annotations

from signal import SIG_DFL, SIG_IGN, Handlers

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import FrameType
    from typing import Any, Callable, Optional, Union

    Handler = Union[Callable[[int, Optional[FrameType]], Any], int, Handlers, None]

__all__ = ["DEFAULT", "FOREIGN", "IGNORED", "PYTHON", "in_force"]


# What the kernel does with a signal, seen from Python.
DEFAULT = "default"
IGNORED = "ignored"
PYTHON = "Python handler"
FOREIGN = "foreign"

_WITHOUT_HANDLER: dict[str | None, Handler] = {DEFAULT: SIG_DFL, IGNORED: SIG_IGN}


def in_force(kind: str | None, registered: Handler) -> Handler:
    """The handler in force: a callable, ``SIG_DFL``, ``SIG_IGN``, or None if it is not Python's.

    *kind* is what the kernel does (None: it does not say), *registered* what the interpreter has
    noted for the signal.
    """
    if kind == PYTHON and callable(registered):
        return registered
    return _WITHOUT_HANDLER.get(kind)
