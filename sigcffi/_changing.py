"""Changing what several threads, and handlers, read: ``changing``.

Law: one lock, and no handler while it is held. A handler may interrupt the main thread anywhere,
also where that holds a lock, and would wait for it for ever; so handlers are kept out first, as by
``deferred``, and the lock is taken then. Who reads takes none: what is read is published by one
store of a reference, to an object that nobody changes any more.

Every structure that more than one thread can reach says beside it which of these protects it:

- the main thread alone touches it;
- it is changed under ``changing``, and read by one load;
- it is one reference, and each store says all there is to say;
- C keeps it, in an atomic word or under its own lock.

Nothing rests on how much of Python's code is one step: on a build without a GIL nothing is.
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]
import os
from _thread import RLock

from sigcffi._ffi import lib

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

__all__ = ["changing"]

_ALL = 2**64 - 1
_defer = lib.sigcffi_defer
_lift = lib.sigcffi_lift
_look_for_handlers, _BLOCK = _signal.pthread_sigmask, _signal.SIG_BLOCK

# Recursive for destructors, and for handlers that are not kept out because they were installed
# without sigcffi: what they find is what was published last.
_lock = RLock()


class _Changing:
    __slots__ = ()

    def __enter__(self) -> None:
        try:
            if _defer(_ALL):
                # Those that are due, before the change and not in it. Here and not in a function:
                # a timeout knows by the module's name that it must not interrupt.
                _look_for_handlers(_BLOCK, ())
            _lock.acquire()
        except BaseException:
            _lift(_ALL)
            raise

    def __exit__(self, kind: Any, error: Any, trace: Any, /) -> None:
        _lock.release()
        _lift(_ALL)


changing = _Changing()


def _in_child() -> None:
    """Another thread, which has not come along, may have held it. What it was about to publish it
    has not.
    """
    global _lock
    if not _lock._is_owned():  # type: ignore[attr-defined]
        _lock = RLock()


os.register_at_fork(after_in_child=_in_child)
