"""``sigaction``, and blocks in which a signal is handled otherwise: ``handling``, ``ignoring``.

Law: what a call replaces it returns, and what was returned restores exactly that.

Source: sigaction(2), POSIX.1-2008.
"""

from __future__ import annotations

from signal import SIG_DFL, SIG_IGN

from sigcffi._changes.installed import installed, require_changeable, require_main_thread
from sigcffi._changes.installing import install
from sigcffi._core.arguments import signal_number
from sigcffi._core.exits import exit_of
from sigcffi._core.ffi import lib
from sigcffi._core.scope import Scope, warn
from sigcffi._dispatch.action import Action
from sigcffi._dispatch.sections import undisturbed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import SupportsIndex

    from sigcffi._core.scope import Exit
    from sigcffi._dispatch.action import AnyHandler

__all__ = ["Replacing", "handling", "ignoring", "sigaction"]


def sigaction(
    signum: SupportsIndex,
    handler: AnyHandler | Action | None = None,
    *,
    mask: Iterable[SupportsIndex] = (),
    flags: SupportsIndex = 0,
) -> Action:
    """Say what is done about a signal, and learn what was done before.

    *handler* is a callable ``h(info, frame)``, which gets a ``SigInfo`` and the interrupted frame
    (or None) once for every delivery, in the order of arrival; ``SIG_DFL`` or ``SIG_IGN``; or an
    ``Action`` (its mask and flags count then, and none may be given beside it). Without a handler
    nothing changes. *mask* and *flags* as for ``Action``: while the handler runs, Python handlers
    of the signal itself and of those in *mask* wait.

    Returns the ``Action`` that was in force, as the kernel has it. Given to ``sigaction`` again, it
    restores exactly that: also a handler of a C library, with its flags and mask.

    Raises ValueError for a number that is not a signal's and, if something is to be changed,
    outside the main thread of the main interpreter; TypeError for a handler that is none; OSError
    (EINVAL) for a signal that cannot be handled and for unknown flags. Nothing has changed then.

    Threads: the handler runs in the main thread, whichever thread takes the signal. Asking is
    possible in any.

    Race conditions: as for ``signal``. Deliveries that had been kept out, by ``deferred`` or a
    running handler, go to what is installed when they are let in; with ``SIG_DFL`` the default
    action is taken then.

    Source: sigaction(2), POSIX.1-2008.
    """
    number = signal_number(signum)
    if isinstance(handler, Action):
        if mask or flags:
            raise TypeError("an Action has its own mask and flags")
        action = handler
    elif handler is not None:
        action = Action(handler, mask, flags)
    elif mask or flags:
        raise TypeError("mask and flags are a handler's")
    else:
        return installed(number)
    require_main_thread()
    former = installed(number)
    install(number, action)
    return former


class Replacing(Scope):
    """A block in which some signals have another action."""

    __slots__ = ("_action", "_signums", "_stack")

    def __init__(self, signums: Iterable[SupportsIndex], action: Action) -> None:
        self._signums = [signal_number(signum) for signum in signums]
        self._action = action
        self._stack: list[dict[int, Action]] = []

    def __enter__(self) -> None:
        changed: dict[int, Action] = {}
        try:
            self._stack.append(changed)
            for signum in self._signums:
                require_main_thread()
                require_changeable(signum)
                changed.setdefault(signum, installed(signum))
                install(signum, self._action)
        except BaseException:
            self._undo([changed])  # the last one, too: a handler that was due may have raised
            raise

    def _undo_last(self) -> None:
        """Put back what was there, if that was not done already."""
        if self._stack:
            self._undo(self._stack[-1:])

    def _hand_down(self, later: Replacing) -> None:
        """End before *later*, which has the same action, and has found it there: what was
        there before is *later*'s to put back.
        """
        with undisturbed:
            for mine, its in zip(self._stack, later._stack, strict=False):
                for signum in mine.keys() & its.keys():
                    former = mine.pop(signum)
                    if its[signum] is self._action:
                        its[signum] = former

    def _undoing(self) -> Callable[[], None]:
        entered: list[dict[int, Action]] = []
        return lambda: self._undo(entered)

    __exit__: Exit = exit_of(_undoing)

    def _undo(self, entered: list[dict[int, Action]]) -> None:
        """Put back what was there, in the place of our own. *entered* is what has to be undone, or
        is told that: what was entered last.
        """
        if not entered:
            entered.append(self._stack[-1])
        changed, others = entered[0], []
        while changed:
            signum = next(reversed(changed))
            former, now = changed[signum], installed(signum)
            if self._is_ours(now) or now == former:
                install(signum, former)
            else:
                others.append(signum)
            changed.pop(signum)
        if self._stack and self._stack[-1] is changed:
            self._stack.pop()
        if others:
            warn(
                f"the handler of signal {', '.join(map(str, others))} was replaced within the "
                "block and not put back: it stays",
                RuntimeWarning,
                stacklevel=4,
            )

    def _is_ours(self, now: Action) -> bool:
        ours = self._action
        if ours.flags & lib.SA_RESETHAND and now.handler == SIG_DFL:
            return True  # it has run
        return now is ours if ours._takes_info else now.handler == ours.handler


class handling(Replacing):
    """A block in which a signal is handled by *handler*: context manager and decorator.

    The arguments are those of ``sigaction``: *handler* is called with a ``SigInfo`` and the frame,
    or is an ``Action``; *mask* and *flags* are as there. At its end exactly what was there before
    is restored, also if that was no Python handler. If other code has replaced the handler
    meanwhile, that stays and a RuntimeWarning says so. Blocks nest; one object can be used again.

    Raises what ``sigaction`` raises, the arguments' errors when it is made, and ValueError outside
    the main thread when it is entered.

    Threads: the main thread enters and leaves it.
    """

    __slots__ = ()

    def __init__(
        self,
        signum: SupportsIndex,
        handler: AnyHandler | Action,
        *,
        mask: Iterable[SupportsIndex] = (),
        flags: SupportsIndex = 0,
    ) -> None:
        if isinstance(handler, Action):
            if mask or flags:
                raise TypeError("an Action has its own mask and flags")
        else:
            handler = Action(handler, mask, flags)
        super().__init__((signum,), handler)


class ignoring(Replacing):
    """A block in which signals are ignored: context manager and decorator.

    At its end exactly what was there before is restored, as ``handling`` does it; *signums* are the
    signals. Raises what ``handling`` raises.

    Threads: the main thread enters and leaves it.
    """

    __slots__ = ()

    def __init__(self, *signums: SupportsIndex) -> None:
        super().__init__(signums, Action(SIG_IGN))
