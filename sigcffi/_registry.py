"""Who handles a signal, in Python's terms.

Law: decides from plain values; knows neither C nor the interpreter, so that every case can be tried
without a signal. An entry stands for a signal that goes through the dispatcher; a signal without
one is between the kernel and the interpreter.

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

    # A handler, and whether it takes the signal's number and not a SigInfo.
    Call = tuple[Callable[..., Any], bool]

__all__ = ["DEFAULT", "FOREIGN", "IGNORED", "PYTHON", "Entry", "in_force"]


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


class Entry:
    """What is called for one signal, in this order: its subscribers, then the installed handler.

    ``calls`` is that as the dispatcher needs it, ``keeps_out`` the set of signals, as a word, whose
    handlers wait meanwhile; ``only`` the one handler where there is one, it takes a SigInfo, and
    no signal but its own waits; else None. ``installed`` is whatever was given, None at first.
    """

    __slots__ = ("calls", "handler", "installed", "keeps_out", "only", "signum", "subscribers")

    def __init__(self, signum: int) -> None:
        self.signum = signum
        self.subscribers: tuple[Callable[..., Any], ...] = ()
        self.install(None, None)

    def install(self, installed: Any, handler: Call | None, keeps_out: int | None = None) -> None:
        """Put *installed* in the place of what was there; *handler* is None if it calls nothing in
        Python.
        """
        self.installed = installed
        self.handler = handler
        self.keeps_out = 1 << (self.signum - 1) if keeps_out is None else keeps_out
        self._publish()

    def subscribe(self, callback: Callable[..., Any]) -> None:
        """Add a callback behind those that are there."""
        while True:
            former = self.subscribers
            if self._replace(former, (*former, callback)):
                return

    def unsubscribe(self, callback: Callable[..., Any]) -> bool:
        """Take out one callback; whether it was there. Any thread may call it."""
        while True:
            former = self.subscribers
            found = [number for number, known in enumerate(former) if known is callback]
            if not found:
                return False
            if self._replace(former, former[: found[0]] + former[found[0] + 1 :]):
                return True

    def _replace(
        self, former: tuple[Callable[..., Any], ...], subscribers: tuple[Callable[..., Any], ...]
    ) -> bool:
        # Another thread, or a handler that runs in between, may do the same. Nobody can come
        # between a comparison and the assignment that follows it.
        if self.subscribers is former:
            self.subscribers = subscribers
            self._publish()
            return True
        return False

    def _publish(self) -> None:
        handler = self.handler
        installed: tuple[Call, ...] = () if handler is None else (handler,)
        own = 1 << (self.signum - 1)
        while True:
            subscribers = self.subscribers
            calls = installed
            if subscribers:
                calls = (*((callback, False) for callback in subscribers), *installed)
            self.calls = calls
            simple = len(calls) == 1 and not calls[0][1] and self.keeps_out | own == own
            self.only = calls[0][0] if simple else None
            if self.subscribers is subscribers:
                return
