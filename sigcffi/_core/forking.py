"""Forks that Python makes, and what a child does before it takes a signal: ``in_child``.

Law: the thread that forks takes no signals from before the fork until a child has done all that is
registered here. An interpreter forgets in the child which handlers were due, and so it would one
that became due since; and what a child does not inherit must not be called there.

C sees to its own part (process.c), whoever forks.

Source: "os.register_at_fork" in Python's documentation.
"""

from __future__ import annotations

import os

from sigcffi._core.ffi import lib

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["in_child"]

_functions: list[Callable[[], object]] = []


def in_child(function: Callable[[], object]) -> None:
    """Call *function* in each child that Python forks from now on, behind those that are there."""
    _functions.append(function)


def _begin() -> None:
    for function in _functions:
        function()


# What begins and ends is C's: an exception that strikes Python's code cannot come in between.
os.register_at_fork(
    before=lib.sigcffi_masks_fork_begins,
    after_in_parent=lib.sigcffi_masks_fork_ends,
    after_in_child=_begin,
)
os.register_at_fork(after_in_child=lib.sigcffi_masks_fork_ends)
