"""Blocks in which signals are held back from a thread: ``blocked``.

Law: what a block has changed is kept in C, for each thread; the object keeps nothing but its
signals. So one object can be entered any number of times, by any number of threads.

Source: pthread_sigmask(3), POSIX.1-2008.
"""

from __future__ import annotations

from sigcffi._core.exits import ExitOfEach, exit_by
from sigcffi._core.ffi import lib
from sigcffi._core.mainthread import looking, run_due_handlers
from sigcffi._core.scope import Known, Scope
from sigcffi._masks.masks import Mask, word_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import SupportsIndex

__all__ = ["blocked"]

_blocks = lib.sigcffi_masks_blocks
_block = lib.sigcffi_masks_block
_unblock = lib.sigcffi_masks_unblock


class _Blocked(Scope, metaclass=ExitOfEach):
    __slots__ = ("__exit__", "_set")

    def __init__(self, word: int) -> None:
        self._set = word
        self.__exit__ = exit_by(_unblock, word)

    def __enter__(self) -> Mask:
        former = _blocks()
        try:
            word = _block(self._set)
            if word == 2**64 - 1:
                raise MemoryError("nowhere to keep what a block of this thread has changed")
            mask = Mask(word)
            if looking.late:
                run_due_handlers()  # before the block, not in it
            return mask
        except BaseException:
            # A handler has raised, and the ``with`` statement does not call ``__exit__``: undo
            # here what may just have been done.
            if _blocks() != former:
                self.__exit__(None, None, None)
            raise


_known = Known(_Blocked)


def blocked(*signums: SupportsIndex) -> Scope:
    """Hold back signals from the calling thread: they are in its mask within the block, and what
    arrives waits in the kernel. Context manager and decorator; ``as`` gives the former mask.

        with blocked(SIGUSR1) as former:
            while not done:
                sigsuspend(former)

    When the block ends, the signals that it has blocked are unblocked; those that were blocked
    before stay so, and what else has been done to the mask is left alone. Handlers of what has
    arrived have run when it has ended, if this is the main thread; an exception of one leaves the
    ``with`` statement. Blocks nest and overlap: a signal waits for the end of the last. The former
    mask is an immutable set, made when the program looks into it; ``pthread_sigmask`` and
    ``sigsuspend`` take it. SIGKILL and SIGSTOP have no effect, and without signals nothing is
    blocked.

    Raises ValueError for a number that is not a signal's, TypeError for what is not an integer.

    Threads: each has its own mask, and a block belongs to the thread that has entered it. A signal
    for the process goes to a thread that does not block it, if there is one, and its handler then
    runs in the main thread, blocked there or not: ``deferred`` is what keeps handlers out of the
    whole process.

    Race conditions: none for the blocked signals: a handler that runs as the block begins may
    raise, and nothing is blocked then. Whatever a handler of *another* signal raises, at the very
    moment at which the block ends, the signals are unblocked; on PyPy they may stay blocked, as
    with all context managers there.

    A generator that is left waiting within a block leaves its signals blocked for everybody in that
    thread; and a block in an async function is one for the whole event loop while it waits.

    Source: pthread_sigmask(3), POSIX.1-2008.
    """
    return _known[word_of(signums)]
