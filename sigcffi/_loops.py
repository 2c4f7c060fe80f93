"""Event loops: waiting for a descriptor under asyncio and trio, and so under anyio.

Law: imports neither. Which of the two is running is known from what the program has imported.

Rejected: one more task or thread that reads and hands over. It would have to be started, ended and
cancelled by somebody, and be a way for signals to get lost.
"""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable

__all__ = ["Watches", "checkpoint"]


def _in_trio() -> Any:
    """The module ``trio.lowlevel`` within one of its tasks, else None."""
    trio = sys.modules.get("trio")
    if trio is not None:
        try:
            trio.lowlevel.current_task()
        except RuntimeError:
            return None
        return trio.lowlevel
    return None


def _asyncio_loop() -> Any:
    """The running loop of asyncio, else None."""
    events = sys.modules.get("asyncio.events")
    return None if events is None else events._get_running_loop()


async def checkpoint() -> None:
    """What every asynchronous call has to do under trio, also where it need not wait."""
    lowlevel = _in_trio()
    if lowlevel is not None:
        await lowlevel.checkpoint()


class _Watch:
    """A descriptor in a loop of asyncio, and who waits for it there. It stays in the loop from one
    wait to the next: taking it out each time would cost more than all the rest.
    """

    def __init__(self, loop: Any, fd: int, count: Callable[[], int]) -> None:
        self.loop = loop
        self.fd = os.dup(fd)  # to be closed when the loop has let go of it, and not before
        self.count = count
        self.waiters: list[Any] = []
        self.reading = False

    async def readable(self) -> None:
        if not self.reading:
            self.loop.add_reader(self.fd, self.wake)
            self.reading = True
        waiter = self.loop.create_future()
        self.waiters.append(waiter)
        try:
            await waiter
        finally:
            if waiter in self.waiters:
                self.waiters.remove(waiter)

    def wake(self) -> None:
        """Called by the loop."""
        count = self.count()
        if count == 0:
            return  # somebody was quicker, and has lowered it
        waiters, self.waiters = self.waiters, []
        for waiter in waiters:
            if not waiter.done():
                waiter.set_result(None)
        if self.reading and (count < 0 or not waiters):
            self.loop.remove_reader(self.fd)  # or this would be called all the time
            self.reading = False
        if count < 0:
            self.close()

    def close(self) -> None:
        fd, self.fd = self.fd, -1
        if fd >= 0:
            os.close(fd)


class Watches:
    """Who waits in which loop for a descriptor that can be read while there is something.

    *count* tells how much there is, less than 0 if it was closed.
    """

    __slots__ = ("_count", "_watches")

    def __init__(self, count: Callable[[], int]) -> None:
        self._count = count
        self._watches: dict[Any, _Watch] = {}  # by loop

    async def readable(self, fileno: Callable[[], int]) -> None:
        """Wait in the running loop until there may be something, or it was closed."""
        lowlevel = _in_trio()
        if lowlevel is not None:
            fd = os.dup(fileno())
            try:
                await lowlevel.wait_readable(fd)
            finally:
                os.close(fd)
            return
        loop = _asyncio_loop()
        if loop is None:
            raise RuntimeError("no event loop of asyncio or trio is running")
        watch = self._watches.get(loop)
        if watch is None:
            self.forget_closed_loops()
            watch = self._watches[loop] = _Watch(loop, fileno(), self._count)
        await watch.readable()

    def forget_closed_loops(self) -> None:
        """Close the descriptors of loops that are no more."""
        for loop in list(self._watches):
            if loop.is_closed():
                self._watches.pop(loop).close()

    def close(self) -> None:
        """There is nothing to wait for any more: wake everybody. Any thread may call it."""
        self.forget_closed_loops()
        for loop, watch in list(self._watches.items()):
            try:
                loop.call_soon_threadsafe(watch.wake)
            except RuntimeError:  # it was closed meanwhile
                watch.close()
