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
    from collections.abc import Callable
    from types import FrameType
    from typing import Any

    Handler = Callable[[int, FrameType | None], Any] | int | Handlers | None

    # A handler, and whether it takes the signal's number and not a SigInfo.
    Call = tuple[Callable[..., Any], bool]

__all__ = ["DEFAULT", "FOREIGN", "IGNORED", "PYTHON", "Entry", "entries", "in_force"]


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
    no signal but its own waits; else None, and ``run`` is what the dispatcher has made of one.
    ``interpreters`` is the handler if it is called only where the interpreter's C handler was come
    to, and not wherever another handler stands on that and has not called it.
    ``installed`` is whatever was given, None at first.

    Changed by one thread at a time: its owner sees to that. Read at any time: what handlers and
    other threads read is one reference each, to an object that does not change any more.
    """

    __slots__ = (
        *("calls", "handler", "installed", "interpreters", "keeps_out", "only", "run", "signum"),
        "subscribers",
    )

    def __init__(
        self,
        signum: int,
        installed: Any = None,
        handler: Call | None = None,
        keeps_out: int | None = None,
    ) -> None:
        self.signum = signum
        self.run: tuple[Any, Any] = None, None
        # By id: equal callbacks are different ones. A dict: a handler that comes in between finds
        # each change made or not begun.
        self.subscribers: dict[int, Callable[..., Any]] = {}
        self.install(installed, handler, keeps_out)

    def install(
        self,
        installed: Any,
        handler: Call | None,
        keeps_out: int | None = None,
        *,
        always: bool = False,
    ) -> None:
        """Put *installed* in the place of what was there; *handler* is None if it calls nothing in
        Python, and *always* called as if it were a subscriber.
        """
        self.installed = installed
        self.handler = handler
        self.interpreters = None if always else handler
        self.keeps_out = 1 << (self.signum - 1) if keeps_out is None else keeps_out
        self._publish()

    def subscribe(self, callback: Callable[..., Any]) -> None:
        """Add a callback behind those that are there; it is not yet one of them."""
        self.subscribers[id(callback)] = callback
        self._publish()

    def unsubscribe(self, callback: Callable[..., Any]) -> bool:
        """Take out one callback; whether it was there."""
        found = self.subscribers.pop(id(callback), None) is not None
        self._publish()
        return found

    def _publish(self) -> None:
        own = 1 << (self.signum - 1)
        while True:
            handler, subscribers = self.handler, self.subscribers.copy()
            calls: tuple[Call, ...] = () if handler is None else (handler,)
            if subscribers:
                calls = (*((callback, False) for callback in subscribers.values()), *calls)
            simple = len(calls) == 1 and not calls[0][1] and self.keeps_out | own == own
            self.calls = calls
            self.only = calls[0][0] if simple else None
            # A handler that has changed something meanwhile has published it before this.
            if self.handler is handler and list(self.subscribers) == list(subscribers):
                return


# By signal. The main thread alone changes it; any thread may look an entry up.
entries: dict[int, Entry] = {}
