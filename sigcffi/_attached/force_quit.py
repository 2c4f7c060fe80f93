"""``force_quit``: a way out of a program that does not get to its handlers.

Law: C counts the signals, and ends the process; Python tells C when it has seen one. It tells by a
function that the interpreter runs for SIGURG: the trampoline has the interpreter call that along
with each of these signals, because the interpreter has no other way to tell. In the kernel SIGURG
stays what it is, ignored by default.
"""

from __future__ import annotations

from signal import SIG_DFL, SIG_IGN, SIGINT, SIGURG

from sigcffi._attached.attaching import Attachment
from sigcffi._changes.installed import installed, registered, require_urgent
from sigcffi._core.arguments import index, signal_number
from sigcffi._core.exits import made
from sigcffi._core.ffi import lib
from sigcffi._dispatch.dispatcher import dispatch

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import SupportsIndex

__all__ = ["ForceQuit", "force_quit"]


class ForceQuit(Attachment):
    """Ends the process by a signal that Python does not get to see. Made by ``force_quit``.

    ``after`` is how many it takes, ``unseen`` how many there are.

    Threads: any may call everything.
    """

    __slots__ = ("after",)
    _kind = lib.SIGCFFI_SLOT_FORCE_QUIT

    def __init__(self, signum: int, after: int, inherit: bool) -> None:
        self.after: int = after
        super().__init__(signum, inherit, nth=after)

    @property
    def unseen(self) -> int:
        """How many signals have come that Python has not seen."""
        return self._tallies()[0]

    def _details(self) -> str:
        return f" after {self.after}"


def force_quit(
    signum: SupportsIndex = SIGINT, *, after: SupportsIndex = 2, inherit: bool = True
) -> ForceQuit:
    """End the process by the default action of a signal when it has come *after* times and Python
    has not seen one of them: also if the main thread never returns to Python.

    When the interpreter has got to the handlers that are due, or a receiver of this signal was
    read, the count starts anew. So with SIGINT, Ctrl-C is KeyboardInterrupt as always, and a second
    Ctrl-C ends a program that is stuck in C, in a critical section (``deferred``) or in the
    handler of the first. What the process's parent sees is a death by that signal.

    A forked child has it, too, with nothing counted, unless *inherit* is false.

    Returns a ``ForceQuit``, which can be closed and is a context manager. For SIGTERM and the like
    install a handler, or open a receiver: without either Python never sees them, and the *after*-th
    ends the process.

    Raises ValueError for a number that is not a signal's and for *after* less than 1; OSError:
    EINVAL for a signal that cannot be handled, ENOSPC if it has eight actions; RuntimeError if
    SIGURG has a handler of its own, which this needs. Nothing is attached then.

    Threads: the first call must be made in the main thread (ValueError), any other in any.

    Race conditions: a signal that comes in the instant between the handler of the one before and
    the end of the count may still count with it. If a handler raises, that is when the interpreter
    next looks for signals: on PyPy perhaps not before the next blocking call is over. If a handler
    for SIGURG is installed afterwards, every signal is taken for seen as long as it is there; if
    it is taken away again without sigcffi (``patch_stdlib`` avoids that), C does not learn any more
    what Python has seen.
    """
    number, times = signal_number(signum), index(after)
    if not 0 < times < 2**31:
        raise ValueError("after must be at least 1")
    taken = installed(SIGURG).handler not in (SIG_DFL, SIG_IGN) or registered(SIGURG) is dispatch
    if taken or not require_urgent():
        raise RuntimeError("SIGURG has a handler already")
    return made(ForceQuit, ForceQuit.close, number, times, inherit)
