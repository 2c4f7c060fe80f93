"""Sections in which no Python handler starts: ``Section``, ``undisturbed``.

Law: a deferred signal is pending in C, a bit of a word that the trampoline reads. A section makes
no system call unless a signal has come. A change of several steps, which would be wrong for ever if
it stayed half done, is made within ``undisturbed``: a handler that raises runs before or after it.

A handler that was installed without sigcffi, SIGINT's by the interpreter, does not wait before the
trampoline covers it: the first section of a process covers those that are there (``cover_first``).
"""

from __future__ import annotations

from sigcffi._core.exits import ExitOfEach, exit_by
from sigcffi._core.ffi import lib
from sigcffi._core.mainthread import looking, run_due_handlers
from sigcffi._core.scope import Scope

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Section", "cover_first", "undisturbed"]

_defer = lib.sigcffi_deferral_defer
_lift = lib.sigcffi_deferral_lift
_sections = lib.sigcffi_deferral_sections


class Section(Scope, metaclass=ExitOfEach):
    __slots__ = ("__exit__", "_set")

    def __init__(self, word: int) -> None:
        self._set = word
        self.__exit__ = exit_by(_lift, word)

    def __enter__(self) -> None:
        # PyPy may run a handler before the section has begun, too; CPython only behind the call.
        former = _sections() if looking.late else -1
        try:
            if _defer(self._set):
                run_due_handlers()  # before the block, not in it
        except BaseException:
            if _sections() != former:
                self.__exit__(None, None, None)
            raise


undisturbed = Section(2**64 - 1)


def cover_first(cover_all: Callable[[], None]) -> None:
    """Have *cover_all* called before the first section, and cost nothing from then on."""
    enter = Section.__enter__

    def first(self: Section) -> None:
        cover_all()
        Section.__enter__ = enter  # type: ignore[method-assign]
        enter(self)

    Section.__enter__ = first  # type: ignore[method-assign]
