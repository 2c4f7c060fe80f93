"""Changing what several threads, and handlers, read: ``changing``.

Law: one lock, for threads; it is recursive, for a handler may interrupt the main thread where that
holds it. What a handler could change in between is changed by steps that the interpreter does not
divide, and published until it is what there is. Nothing is kept out meanwhile, of handlers neither:
who has several steps to make is ``undisturbed`` around all of them.

Every structure that more than one thread can reach says beside it which of these protects it:

- the main thread alone touches it;
- it is changed under ``changing``, and read by one load;
- it is one reference, and each store says all there is to say;
- C keeps it, in an atomic word or under its own lock.
"""

from __future__ import annotations

import os
from _thread import RLock

__all__ = ["changing"]

changing = RLock()


def _in_child() -> None:
    """Another thread, which has not come along, may have held it. What it was about to publish it
    has not.
    """
    if not changing._is_owned():  # type: ignore[attr-defined]
        changing._at_fork_reinit()  # type: ignore[attr-defined]


os.register_at_fork(after_in_child=_in_child)
