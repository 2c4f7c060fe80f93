"""Critical sections: ``deferred``.

Law: a critical section is a section as the library's own are.
"""

from __future__ import annotations

from sigcffi._core.scope import Known, Scope
from sigcffi._dispatch.sections import Section
from sigcffi._masks.masks import word_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import SupportsIndex

__all__ = ["deferred"]


_known = Known(Section)
_everything = Section(2**64 - 1)


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
