"""What is attached to a signal and acts in C: ``Attachment``.

Law: attaching and closing are one call of C each, in any thread; what an attachment names in C it
keeps alive until it is closed.
"""

from __future__ import annotations

import errno
import gc
from _operator import attrgetter

from sigcffi._changes.installed import notice
from sigcffi._core.arguments import signal_number
from sigcffi._core.exits import exit_of
from sigcffi._core.ffi import check, lib
from sigcffi._core.names import name_of
from sigcffi._core.scope import Single
from sigcffi._dispatch.sections import undisturbed
from sigcffi._handlers.signal import kind_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Self, SupportsIndex

    from sigcffi._core.scope import Exit

__all__ = ["Attachment", "new_cell"]

# By handle: an attachment stays although the program drops it, and what C names must stay with it.
# An attachment stores and removes its own item, by one step each, and no code looks at the whole.
_attached: dict[int, Attachment] = {}


def new_cell() -> int:
    """An int in C for a flag, 0 at first: its number. OSError (ENOSPC) if there are too many."""
    cell = lib.sigcffi_flags_new()
    if cell < 0:
        gc.collect()  # an interpreter without reference counts frees cells of old flags here
        cell = lib.sigcffi_flags_new()
    if cell < 0:
        raise OSError(errno.ENOSPC, "there are too many flags")
    return cell


class Attachment(Single):
    """An action in C that is attached to a signal until ``close``; a context manager.

    Made by ``flag``, ``counter`` and the other functions, as an object of a class of its own.
    ``signum`` is the signal, ``closed`` tells whether it was closed. An attachment that the
    program drops stays attached. In a forked child it is closed if it was not to be inherited.

    Threads: any may call everything.
    """

    __slots__ = ("_at_the_end", "_handle", "_tally", "signum")

    _kind: int  # lib.SIGCFFI_SLOT_*

    def __init__(
        self, signum: SupportsIndex, inherit: bool, number: int = 0, cell: int = -1, nth: int = 0
    ) -> None:
        self._tally = 0, 0  # as it was when the program last looked
        self._at_the_end: tuple[int, int] | None = None
        self._handle = 0
        self.signum: int = signal_number(signum)
        kind_of(self.signum)  # C learns the interpreter's handler by this
        notice(self.signum)
        try:
            with undisturbed:
                handle = self._attach(number, cell, nth, bool(inherit))
                if handle == -errno.ENOSPC:
                    raise OSError(
                        errno.ENOSPC,
                        f"{name_of(self.signum)} has {lib.SIGCFFI_SLOTS} actions already",
                    )
                self._handle = check(handle)
                _attached[handle] = self
        except BaseException:
            self.close()
            raise

    def _attach(self, number: int, cell: int, nth: int, inherit: bool) -> int:
        return lib.sigcffi_attachments_attach(self.signum, self._kind, number, cell, nth, inherit)

    def _tallies(self) -> tuple[int, int]:
        """How often it was taken, and how often that came to nothing."""
        tally = lib.sigcffi_attachments_tally(self.signum, self._handle)
        if tally.count >= 0:
            self._tally = tally.count, tally.missed
        # Another thread may have detached it, and not stored the final tally yet: until then the
        # answer is what was seen last.
        return self._at_the_end or self._tally

    @property
    def closed(self) -> bool:
        """Whether it was closed: it does not act any more."""
        return lib.sigcffi_attachments_tally(self.signum, self._handle).count < 0

    def close(self) -> None:
        """Detach it; a second time changes nothing.

        When this returns it does not act any more: a handler that was at it in another thread has
        ended. If nothing else is attached to the signal and Python does not handle it, exactly what
        was there before is back. Any thread may call it.
        """
        self._tallies()
        tally = lib.sigcffi_attachments_detach(self.signum, self._handle)
        if tally.count >= 0:
            self._at_the_end = tally.count, tally.missed
        _attached.pop(self._handle, None)

    def __enter__(self) -> Self:
        return self

    __exit__: Exit = exit_of(attrgetter("close"))

    def _details(self) -> str:
        return ""

    def __repr__(self) -> str:
        state = "closed" if self.closed else "attached"
        kind = type(self).__name__
        return f"<{kind} of {name_of(self.signum)}{self._details()}, {state}>"
