"""Critical sections: ``deferred``.

Law: what is deferred waits in C, as a word that the trampoline reads. No system call is made where
nothing has come.
"""

from __future__ import annotations

from operator import attrgetter

from sigcffi._exits import Exit, exit_by
from sigcffi._ffi import lib
from sigcffi._handlers import cover_all
from sigcffi._mainthread import LOOKS_LATE, run_due_handlers
from sigcffi._masks import word_of
from sigcffi._scope import Known, Scope

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import SupportsIndex

__all__ = ["deferred"]

_defer = lib.sigcffi_defer
_lift = lib.sigcffi_lift
_sections = lib.sigcffi_sections
_ALL = 2**64 - 1
_uncovered = True  # handlers that were installed without sigcffi, SIGINT's by the interpreter


class _Deferred(Scope):
    __slots__ = ("_exit", "_set")

    def __init__(self, word: int) -> None:
        self._set = word
        self._exit = exit_by(_lift, word)

    def __enter__(self) -> None:
        global _uncovered
        if _uncovered:
            cover_all()
            _uncovered = False
        # PyPy may run a handler before the section has begun, too; CPython only behind the call.
        former = _sections() if LOOKS_LATE else -1
        try:
            if _defer(self._set):
                run_due_handlers()  # before the block, not in it
        except BaseException:
            if _sections() != former:
                self._exit(None, None, None)
            raise

    __exit__ = Exit(attrgetter("_exit"))


_known = Known(_Deferred)
_everything = _Deferred(_ALL)


def deferred(*signums: SupportsIndex) -> Scope:
    """A critical section: no Python handler of these signals, or of any if none is named, starts
    within the block. Context manager and decorator.

    When the block ends they run, in the order of arrival, with what their signals carried; an
    exception of one leaves the ``with`` statement. The section is for the whole process, whichever
    thread enters it, and KeyboardInterrupt waits too. Sections nest and overlap: a signal waits for
    the end of the last. What acts in C (a C library's handler, a default action) does not wait.

    Handlers installed through the standard module are included if they were there when the first
    section of the process was entered, or if ``patch_stdlib`` was called.

    Raises ValueError for a number that is not a signal's, TypeError for what is not an integer.

    Threads: handlers run in the main thread. If another thread enters a section, a handler that is
    due there at that moment may still start.
    """
    return _known[word_of(signums)] if signums else _everything
