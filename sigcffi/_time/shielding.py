"""Blocks that no timeout interrupts: ``Shield``.

Law: a shield keeps off the timeouts that were open when it began, and no others; at its end it
raises what they have put off. Main thread only.
"""

from __future__ import annotations

import sys
from time import monotonic_ns

from sigcffi._time.limits import choose
from sigcffi._time.places import Place, shields
from sigcffi._time.schedule import require_main_thread, schedule

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

__all__ = ["Shield"]


class Shield:
    """What ``timeout.shield()`` returns; it can be entered several times."""

    __slots__ = ("_entered",)

    def __init__(self) -> None:
        self._entered: list[tuple[int, Place]] = []

    def __enter__(self) -> None:
        require_main_thread()
        place = Place()
        place._stand(sys._getframe(1))
        entry = (schedule.opened, place)
        self._entered.append(entry)
        shields.append(entry)

    def __exit__(self, kind: Any, error: Any, trace: Any, /) -> None:
        entry = self._entered.pop()
        if entry in shields:
            shields.remove(entry)
        if error is None:
            schedule.look(monotonic_ns())
            block = choose(sys._getframe(1))
            if block is not None:
                raise block._interruption(passes_by=False)
