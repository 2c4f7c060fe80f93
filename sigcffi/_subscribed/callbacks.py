"""The thread in which callbacks may lock, log and wait: ``Callbacks``.

Law: one receiver has the signals of all subscriptions, and one thread reads it: so each delivery is
handed over once, in the order of arrival, and nothing is lost while a callback takes its time.
There is a thread while there are subscriptions. It takes no signals but among callbacks, each of
which has the mask of the thread that has subscribed: what it starts by exec begins with that. So
it is one more thread that takes signals, and then no order is between its own and those of others.

It is a thread of the interpreter's own also where gevent or eventlet have put greenlets in the
place of threads: it waits in C, where greenlets cannot switch.

Rejected: a thread of ``threading``. What those libraries have put into that module starts a
greenlet; and the interpreter's end waits for such a thread before it calls what ends this one.
"""

from __future__ import annotations

import _imp
import atexit
import os
import sys
from contextlib import suppress
from importlib.machinery import BuiltinImporter
from signal import SIG_SETMASK

from sigcffi._attached.receiving import Receiver
from sigcffi._core.ffi import lib
from sigcffi._core.forking import in_child
from sigcffi._dispatch.calls import report
from sigcffi._dispatch.changing import changing
from sigcffi._dispatch.sections import undisturbed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Protocol

    from sigcffi._core.siginfo import SigInfo

    class Subscriber(Protocol):
        """What is called for some signals, from a moment of the monotonic clock on."""

        signums: frozenset[int]
        since: int
        mask: int
        inherit: bool

        def _hand_over(self, info: SigInfo) -> object: ...

        def close(self) -> None: ...


__all__ = ["add", "remove"]

CAPACITY = 1024
PATIENCE = 5.0  # seconds that the interpreter's end waits for callbacks

# While PyPy tells a forked child that it is one: a thread that is started then crashes.
_CANNOT_START_THREADS = sys.implementation.name == "pypy"


def _interpreters_own() -> Any:
    """``_thread`` as the interpreter has made it, whatever others have put into it since."""
    spec = BuiltinImporter.find_spec("_thread")
    assert spec is not None
    module = _imp.create_builtin(spec)
    _imp.exec_builtin(module)
    return module


_thread = _interpreters_own()


class _Callbacks:
    """A receiver, and the thread that reads it, from its *former*'s end on. A forked child has its
    own.
    """

    def __init__(self, receiver: Receiver, former: _Callbacks | None) -> None:
        self.receiver = receiver
        self.pid = os.getpid()
        self.ended = _thread.allocate_lock()
        self.ended.acquire()
        mask = lib.sigcffi_masks_take_no_signals()  # the thread begins with that
        try:
            _thread.start_new_thread(self._run, (former,))
        finally:
            lib.sigcffi_masks_sigmask(SIG_SETMASK, mask)

    def _run(self, former: _Callbacks | None) -> None:
        try:
            if former is not None:
                former.ended.acquire()
            while infos := self.receiver._wait_for_all():
                if not self._hand_over(infos):
                    return
            if unread := self.receiver.unread:
                self._hand_over(unread)
        finally:
            self.ended.release()

    def _hand_over(self, infos: list[SigInfo]) -> bool:
        """Whether this is still the thread: a callback may have forked."""
        import threading  # is there already, see add()

        # Not when the thread begins: in a forked child threading may be sorting its threads.
        with suppress(Exception):
            threading.current_thread().name = "sigcffi"
        try:
            return all(self._call(info) for info in infos)
        finally:
            lib.sigcffi_masks_take_no_signals()

    def _call(self, info: SigInfo) -> bool:
        """Call those whom this is for. Each call of C lets other threads have the interpreter, and
        may wait long until they give it back: so there are few.
        """
        for subscriber in list(_subscribers.values()):
            if info._signo not in subscriber.signums or id(subscriber) not in _subscribers:
                continue  # the second: an earlier one may have closed it
            time_ns = info.time_ns
            if time_ns is not None and time_ns < subscriber.since:
                continue  # it came before
            lib.sigcffi_masks_sigmask(SIG_SETMASK, subscriber.mask)
            try:
                subscriber._hand_over(info)
            except BaseException as error:
                _tell(error, subscriber)
            if os.getpid() != self.pid:
                _end()  # the child's own: it would keep the process alive
                return False
        return True


def _tell(error: BaseException, subscriber: Subscriber) -> None:
    """As ``threading`` tells of what a thread's function has raised."""
    import threading

    try:
        threading.excepthook(
            threading.ExceptHookArgs(
                (type(error), error, error.__traceback__, threading.current_thread())
            )
        )
    except BaseException as another:
        report(another, subscriber)


class _Position:
    """What there is one of; changed under ``changing``."""

    callbacks: _Callbacks | None = None  # the last one, whose receiver may be closed
    ends_at_exit = False
    is_over = False


_position = _Position()

# By id, in the order of subscription; changed under ``changing``, by steps that nobody divides.
_subscribers: dict[int, Subscriber] = {}


def _signums() -> frozenset[int]:
    return frozenset().union(*(each.signums for each in list(_subscribers.values())))


def add(subscriber: Subscriber) -> None:
    """Call a subscriber for its signals from now on. OSError as for a receiver, RuntimeError where
    no thread can be started, or nobody would wait for it; nothing has changed then. Any thread may
    call it.
    """
    # Slow to import, and wanted by nobody else. Not in the thread: a child that is forked meanwhile
    # would have half of the module, and a lock on it that nobody gives back.
    import threading

    main = threading.main_thread()
    with undisturbed, changing:
        # While atexit calls its functions it takes no more of them.
        if _position.is_over or (threading.current_thread() is main and not main.is_alive()):
            raise RuntimeError("no callback is called after the interpreter's end has begun")
        _subscribers[id(subscriber)] = subscriber
        try:
            former = _position.callbacks
            if former is not None and not former.receiver.closed:
                former.receiver._change(_signums())
                return
            receiver = Receiver(_signums(), CAPACITY, "block", True)
            try:
                _position.callbacks = _Callbacks(receiver, former)
            except BaseException:
                receiver.close()
                raise
            if not _position.ends_at_exit:
                _position.ends_at_exit = True
                atexit.register(_at_exit)
        except BaseException:
            _subscribers.pop(id(subscriber), None)
            raise


def remove(subscriber: Subscriber) -> None:
    """Call it no more; a second time changes nothing. Any thread may call it."""
    with undisturbed, changing:
        found = _subscribers.pop(id(subscriber), None)
        callbacks = _position.callbacks
        if found is None or callbacks is None or callbacks.receiver.closed:
            return
        if _subscribers:
            callbacks.receiver._change(_signums())
        else:
            callbacks.receiver.close()


def _at_exit() -> None:
    _position.is_over = True
    _end()


def _end() -> None:
    with undisturbed, changing:
        callbacks, _position.callbacks = _position.callbacks, None
    if callbacks is not None:
        callbacks.receiver.close()
        callbacks.ended.acquire(True, PATIENCE)


def _in_child() -> None:
    """The thread has not come along: a child that has inherited something gets one of its own."""
    former, _position.callbacks = _position.callbacks, None
    for key, subscriber in list(_subscribers.items()):
        if not subscriber.inherit:
            del _subscribers[key]
    if former is None or former.receiver.closed:
        return
    if _CANNOT_START_THREADS:
        _subscribers.clear()
    if not _subscribers:
        former.receiver.close()
        return
    former.receiver._change(_signums())
    _position.callbacks = _Callbacks(former.receiver, None)


in_child(_in_child)
