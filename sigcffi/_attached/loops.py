"""Event loops: waiting for a descriptor under asyncio and trio, and so under anyio.

Law: imports neither. Which of the two is running is known from what the program has imported.

A loop watches a copy of the receiver's descriptor, which its ``_Watch`` owns: if a thread closed a
shared one, the number could come to mean another file while the loop still watches it.

Rejected: one more task or thread that reads and hands over. The program would have to start and end
it, and signals that it had read would be lost when it is cancelled.
"""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

__all__ = ["Watches", "running_loop", "trio_here"]


def trio_here() -> Any:
    """The module ``trio.lowlevel`` within one of trio's tasks, else None.

    Trio comes first: as a guest it runs inside of a callback of asyncio.
    """
    trio = sys.modules.get("trio")
    if trio is not None:
        try:
            trio.lowlevel.current_task()
        except RuntimeError:
            return None
        return trio.lowlevel
    return None


def running_loop() -> Any:
    """The running loop of asyncio; RuntimeError if there is none."""
    events = sys.modules.get("asyncio.events")
    loop = None if events is None else events._get_running_loop()
    if loop is None:
        raise RuntimeError("no event loop of asyncio or trio is running")
    return loop


class _Watch:
    """A descriptor in a loop of asyncio, and the tasks that wait for it there. It stays in the loop
    from one wait to the next: taking it out each time would cost more than all the rest.
    """

    __slots__ = ("_count", "_fd", "_loop", "_reading", "_waiters")

    def __init__(self, loop: Any, fd: int, count: Callable[[], int]) -> None:
        self._fd = fd
        self._loop = loop
        self._count = count
        self._waiters: dict[Any, None] = {}  # in the order in which they came
        self._reading = False

    async def readable(self) -> None:
        waiter = self._loop.create_future()
        self._waiters[waiter] = None
        try:
            if not self._reading:
                self._loop.add_reader(self._fd, self._wake)
                self._reading = True
            await waiter
        finally:
            self._waiters.pop(waiter, None)

    def _wake(self) -> None:
        """Called by the loop while the descriptor can be read."""
        if self._count() == 0:
            return  # another reader was quicker, and has lowered it
        # All of them: one that is cancelled now would not pass it on.
        waiters, self._waiters = self._waiters, {}
        for waiter in waiters:
            if not waiter.done():
                waiter.set_result(None)
        if not waiters:
            self._loop.remove_reader(self._fd)  # or this would be called all the time
            self._reading = False

    def __del__(self, close: Callable[[int], None] = os.close) -> None:
        # The loop, too, has let go of it, or was closed.
        close(self._fd)


class Watches:
    """The waiting tasks, by loop, for a descriptor that can be read while there is something, and
    for ever once it is closed.

    *count* tells how much there is, *copy* makes one more descriptor; less than 0 means that it was
    closed.
    """

    __slots__ = ("_copy", "_count", "_watches")

    def __init__(self, count: Callable[[], int], copy: Callable[[], int]) -> None:
        self._count = count
        self._copy = copy
        self._watches: dict[Any, _Watch] = {}  # by loop

    async def readable(self, trio: Any) -> None:
        """Wait until there may be something, or it was closed: under *trio* (what ``trio_here``
        has returned), or in the running loop of asyncio. RuntimeError if there is none.
        """
        if trio is not None:
            fd = self._copy()
            if fd >= 0:
                try:
                    await trio.wait_readable(fd)
                finally:
                    os.close(fd)
            return
        loop = running_loop()
        watch = self._watches.get(loop)
        if watch is None:
            for other in list(self._watches):
                if other.is_closed():
                    self._watches.pop(other, None)
            fd = self._copy()
            if fd < 0:
                return
            watch = self._watches[loop] = _Watch(loop, fd, self._count)
        await watch.readable()

    def close(self) -> None:
        """Forget the loops: there is nothing to wait for any more, and the descriptor has woken the
        tasks that wait. Any thread may call it.
        """
        self._watches.clear()
