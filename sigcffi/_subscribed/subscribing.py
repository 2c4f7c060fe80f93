"""Several handlers for one signal: ``subscribe``.

Law: a subscriber comes on top of what is installed and takes nothing from it.
"""

from __future__ import annotations

import errno
import time
from _operator import attrgetter
from signal import SIG_BLOCK, SIGKILL, SIGSTOP

from sigcffi._changes import installing
from sigcffi._changes.installed import require_main_thread
from sigcffi._changes.installing import unsubscribe
from sigcffi._core.arguments import signal_number
from sigcffi._core.exits import exit_of
from sigcffi._core.ffi import check, lib
from sigcffi._core.forking import in_child
from sigcffi._core.scope import Single
from sigcffi._subscribed import callbacks

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import FrameType
    from typing import Any, SupportsIndex

    from sigcffi._core.scope import Exit
    from sigcffi._core.siginfo import SigInfo
    from sigcffi._dispatch.action import InfoHandler

__all__ = ["Subscription", "subscribe"]


# By id: those that a forked child closes. Each is stored and removed by one step.
_parents: dict[int, Subscription] = {}


class Subscription(Single):
    """A callback that is called for some signals, until ``close``; a context manager. Made by
    ``subscribe``.

    ``signums`` is a frozenset, ``callback`` the callable, ``where`` the thread, ``inherit`` whether
    a forked child has it, ``closed`` tells whether it was closed, ``since`` when it was made, in
    nanoseconds of ``time.monotonic_ns()``.

    Threads: any may call everything.
    """

    __slots__ = (
        *("_call", "_closed", "_first"),
        *("callback", "inherit", "mask", "signums", "since", "where"),
    )

    def __init__(
        self,
        signums: frozenset[int],
        callback: InfoHandler,
        once: bool,
        where: str = "main",
        inherit: bool = True,
    ) -> None:
        self.signums: frozenset[int] = signums
        self.callback: InfoHandler = callback
        self.where: str = where
        self.inherit: bool = inherit
        self.mask: int = lib.sigcffi_masks_sigmask(SIG_BLOCK, 0)  # in the thread of callbacks
        self.since: int = time.monotonic_ns()  # what came before is not for it
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
        may call it; in another thread than the callback's, the callback may still be at it, and
        what a subscription of the main thread's leaves behind is put in order when the signal comes
        next.
        """
        self._closed = True
        _parents.pop(id(self), None)
        if self.where == "thread":
            callbacks.remove(self)
            return
        for signum in self.signums:
            unsubscribe(signum, self._call)

    def _hand_over(self, info: SigInfo) -> Any:
        """What the callback returns for *info*: for the thread of callbacks."""
        return self._call(info, None)

    def _pass_on(self, info: SigInfo, frame: FrameType | None) -> Any:
        return self.callback(info, frame)

    def _close_and_call(self, info: SigInfo, frame: FrameType | None) -> Any:
        if next(self._first, None) is None:  # another of its signals has interrupted this one
            return None
        self.close()
        return self.callback(info, frame)

    def __enter__(self) -> Subscription:
        return self

    __exit__: Exit = exit_of(attrgetter("close"))

    def __repr__(self) -> str:
        state = "closed" if self._closed else "open"
        return f"<Subscription to {sorted(self.signums)}: {self.callback!r}, {state}>"


def subscribe(
    signums: SupportsIndex | Iterable[SupportsIndex],
    callback: InfoHandler,
    *,
    once: bool = False,
    where: str = "main",
    inherit: bool = True,
) -> Subscription:
    """Call ``callback(info, frame)`` for every delivery of a signal, beside its handler.

    *signums* is a signal or an iterable of signals; *callback* gets a ``SigInfo`` and the
    interrupted frame (or None). There can be any number of subscribers. They are called in the
    order of subscription, then what is installed gets its call: a handler of ``signal`` or
    ``sigaction``, a C library's (at once, by C). While a signal has subscribers its default action
    is not taken. What the callback returns means nothing. With *once* the subscription is closed
    when the first delivery of any of its signals has come.

    With *where* "thread" the callbacks are called in one thread of the library's own, one after the
    other, each delivery once, and *frame* is None. They may take locks, log, print and wait: they
    interrupt nobody. What one raises goes to ``threading.excepthook``. The thread is there while
    there are such subscriptions. It takes no signals while it waits; a callback runs with the mask
    of the thread that has subscribed, and so does a program that it starts (subprocess). At the
    interpreter's end (by atexit) it is given 5 seconds for what has come.

    A forked child has the subscription, too, with a thread of its own where that is needed, unless
    *inherit* is false: then it is closed there before the child takes a signal. (On PyPy, which
    crashes if a thread is started so early, also with *where* "thread".)

    Returns a ``Subscription``.

    Raises ValueError for a number that is not a signal's and an unknown *where*, with "main" also
    outside the main thread of the main interpreter; TypeError for a callback that cannot be called;
    OSError: EINVAL for a signal that cannot be handled, with "thread" also ENOSPC if it has eight
    actions, or EMFILE; RuntimeError where no thread can be started, and once the interpreter's end
    has begun (atexit). Nothing has changed then.

    Threads: with "thread" any may call it, with "main" the main thread.

    Race conditions: as for ``signal``. With "thread" a callback's thread takes signals as any other
    does, and what two threads take at once has no order. Where the order of queued values matters,
    block the signals while you subscribe: ``with blocked(SIGRTMIN): subscribe(...)``.
    """
    if not callable(callback):
        raise TypeError("a callback must be callable")
    try:
        several = iter(signums)  # type: ignore[arg-type]
    except TypeError:
        several = iter((signums,))  # type: ignore[arg-type]
    numbers = frozenset(map(signal_number, several))
    if where not in ("main", "thread"):
        raise ValueError('where is "main" or "thread"')
    if where == "main":
        require_main_thread()
    elif numbers & {SIGKILL, SIGSTOP}:
        check(-errno.EINVAL)
    subscription = Subscription(numbers, callback, once, where, bool(inherit))
    try:
        if not inherit:
            _parents[id(subscription)] = subscription
        if where == "thread":
            if numbers:
                callbacks.add(subscription)
        else:
            for signum in sorted(numbers):
                installing.subscribe(signum, subscription._call)
    except BaseException:
        subscription.close()
        raise
    return subscription


def _in_child() -> None:
    for subscription in list(_parents.values()):
        subscription.close()


in_child(_in_child)
