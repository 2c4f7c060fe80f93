"""Several handlers for one signal: ``subscribe``.

Law: a subscriber comes on top of what is installed and takes nothing from it.
"""

from __future__ import annotations

from _operator import attrgetter

from sigcffi._changes import installing
from sigcffi._changes.installed import require_main_thread
from sigcffi._changes.installing import unsubscribe
from sigcffi._core.arguments import signal_number
from sigcffi._core.exits import exit_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import FrameType
    from typing import Any, SupportsIndex

    from sigcffi._core.siginfo import SigInfo
    from sigcffi._dispatch.action import InfoHandler

__all__ = ["Subscription", "subscribe"]


class Subscription:
    """A callback that is called for some signals, until ``close``; a context manager.

    ``signums`` is a frozenset, ``callback`` the callable, ``closed`` tells whether it was closed.
    """

    __slots__ = ("_call", "_closed", "_first", "callback", "signums")

    def __init__(self, signums: frozenset[int], callback: InfoHandler, once: bool) -> None:
        self.signums = signums
        self.callback = callback
        self._closed = False
        self._first = iter((True,))  # taken by one step
        # An object of this subscription: one callback can be in two, of which one is closed.
        self._call = self._close_and_call if once else self._pass_on

    @property
    def closed(self) -> bool:
        """Whether it was closed: the callback is not called any more."""
        return self._closed

    def close(self) -> None:
        """Call the callback no more; a second time changes nothing.

        Where it was the last subscriber of a signal with a default action, that is back. Any thread
        may call it; in another thread than the main thread, a callback that is running may still be
        at it, and what the subscription leaves behind is put in order when the signal comes next.
        """
        self._closed = True
        for signum in self.signums:
            unsubscribe(signum, self._call)

    def _pass_on(self, info: SigInfo, frame: FrameType | None) -> Any:
        return self.callback(info, frame)

    def _close_and_call(self, info: SigInfo, frame: FrameType | None) -> Any:
        if next(self._first, None) is None:  # another of its signals has interrupted this one
            return None
        self.close()
        return self.callback(info, frame)

    def __enter__(self) -> Subscription:
        return self

    __exit__ = exit_of(attrgetter("close"))

    def __repr__(self) -> str:
        state = "closed" if self._closed else "open"
        return f"<Subscription to {sorted(self.signums)}: {self.callback!r}, {state}>"


def subscribe(
    signums: SupportsIndex | Iterable[SupportsIndex],
    callback: InfoHandler,
    *,
    once: bool = False,
) -> Subscription:
    """Call ``callback(info, frame)`` for every delivery of a signal, beside its handler.

    *signums* is a signal or an iterable of signals; *callback* gets a ``SigInfo`` and the
    interrupted frame (or None). There can be any number of subscribers. They are called in the
    order of subscription, then what is installed gets its call: a handler of ``signal`` or
    ``sigaction``, a C library's (at once, by C). While a signal has subscribers its default action
    is not taken. What the callback returns means nothing. With *once* the subscription is closed
    when the first delivery of any of its signals has come.

    Raises ValueError outside the main thread of the main interpreter and for a number that is not a
    signal's, TypeError for a callback that cannot be called, OSError (EINVAL) for a signal that
    cannot be handled. Nothing has changed then.

    Race conditions: as for ``signal``.
    """
    if not callable(callback):
        raise TypeError("a callback must be callable")
    try:
        several = iter(signums)  # type: ignore[arg-type]
    except TypeError:
        several = iter((signums,))  # type: ignore[arg-type]
    numbers = frozenset(map(signal_number, several))
    require_main_thread()
    subscription = Subscription(numbers, callback, once)
    try:
        for signum in sorted(numbers):
            installing.subscribe(signum, subscription._call)
    except BaseException:
        subscription.close()
        raise
    return subscription
