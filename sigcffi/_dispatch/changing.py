"""Changing what several threads, and handlers, read: ``changing``.

Law: one lock keeps threads from each other. It is recursive, because a handler may interrupt the
main thread while that holds the lock. The lock keeps no handler out: a structure that handlers
change, too, is changed by steps that the interpreter does not divide, and a change of several steps
is made within ``undisturbed``.

Every structure that more than one thread can reach says beside it which of these protects it:

- the main thread alone touches it;
- it is changed under ``changing``, and read by one load;
- it is one reference, and each store is of a complete object;
- C keeps it, in an atomic word or under its own lock.
"""

from __future__ import annotations

from _thread import RLock

from sigcffi._core.forking import in_child

__all__ = ["changing"]

changing = RLock()


def _in_child() -> None:
    """Make the lock free: a thread that held it does not exist in the child, and what that thread
    had not published is not there.
    """
    if not changing._is_owned():  # type: ignore[attr-defined]
        changing._at_fork_reinit()  # type: ignore[attr-defined]


in_child(_in_child)
