"""What is done about a signal, as a value: ``Action``, and the flags it may have.

Law: a value; nothing here asks or changes anything. What only restoring needs (the kernel's own
struct) travels along unseen.

Source: sigaction(2), POSIX.1-2008.
"""

from __future__ import annotations

import errno
from signal import SIG_DFL, SIG_IGN

from sigcffi._core.arguments import index
from sigcffi._core.ffi import lib
from sigcffi._core.siginfo import SigInfo
from sigcffi._masks.masks import members, word_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from signal import Signals
    from types import FrameType
    from typing import Any, SupportsIndex

    from sigcffi._dispatch.registry import Handler

    InfoHandler = Callable[[SigInfo, FrameType | None], Any]
    AnyHandler = InfoHandler | Handler

_FLAGS = {name: getattr(lib, name) for name in dir(lib) if name.startswith("SA_")}
globals().update(_FLAGS)

__all__ = ["Action", *_FLAGS]

ALWAYS: int = lib.SA_ONSTACK | lib.SA_SIGINFO
KERNELS: int = lib.SA_RESTART | lib.SA_NOCLDSTOP | lib.SA_NOCLDWAIT
_KNOWN = 0
for _flag in _FLAGS.values():
    _KNOWN |= _flag
del _flag


class Action:
    """What is done about a signal: ``handler``, ``mask`` and ``flags``.

    *handler* is a callable ``h(info, frame)`` that takes a ``SigInfo`` and the interrupted frame
    (or None), ``SIG_DFL`` or ``SIG_IGN``. In an Action that ``sigaction`` returned it can also be a
    handler ``h(signum, frame)`` that ``signal`` installed (``SA_SIGINFO`` is not in the flags
    then), or None: a handler that was not installed from Python.

    *mask* is an iterable of signals whose Python handlers wait while this one runs, and becomes a
    frozenset. *flags* is a combination of:

    - ``SA_RESTART``: the kernel restarts system calls that the signal interrupts;
    - ``SA_NODEFER``: the signal itself does not wait while its handler runs (on PyPy all do);
    - ``SA_RESETHAND``: before the handler runs, the signal gets its default action back;
    - ``SA_NOCLDSTOP``, ``SA_NOCLDWAIT``: for SIGCHLD, none for stopped children; no zombies;
    - ``SA_ONSTACK`` and ``SA_SIGINFO``, which are always on.

    Actions are immutable and compare by these three. One that ``sigaction`` returned restores
    exactly what was there, more than the three can tell.

    Raises TypeError for a handler that is none and for flags and signals that are no integers,
    ValueError for a number in *mask* that is not a signal's, OSError (EINVAL) for unknown flags.

    Threads: any may make one and look at it.

    Source: sigaction(2), POSIX.1-2008.
    """

    # Inside the library: _takes_info tells a handler of a SigInfo from one of a number; _saved is
    # the kernel's struct where handler, mask and flags do not say all; _covered whether the
    # trampoline was on top; _beneath the Python handler's Action, or None, where the kernel does
    # not lead to it, but a C library's handler may, or put back what does.
    __slots__ = ("_beneath", "_covered", "_flags", "_handler", "_mask", "_saved", "_takes_info")

    def __init__(
        self, handler: AnyHandler, mask: Iterable[SupportsIndex] = (), flags: SupportsIndex = 0
    ) -> None:
        self._takes_info = callable(handler)
        self._handler: Any = handler if self._takes_info else disposition(handler)
        self._mask = word_of(mask) if mask != () else 0
        self._flags: Any = (index(flags) if flags else 0) | ALWAYS  # None: not asked for yet
        if self._flags & ~_KNOWN:
            raise OSError(errno.EINVAL, "unknown flags")
        self._saved: Any = None
        self._covered: int = 0
        self._beneath: Action | None = None

    @classmethod
    def found(cls, handler: Handler, saved: Any = None, covered: int = True) -> Action:
        """An action that was not made by ``sigaction``: *saved* is the kernel's struct, *covered*
        tells whether the trampoline was on top.
        """
        self = cls.__new__(cls)
        self._handler = handler
        self._saved = saved
        self._covered = covered
        self._beneath = None
        self._takes_info = False
        self._mask = 0
        self._flags = None
        return self

    @property
    def handler(self) -> AnyHandler:
        """A callable, ``SIG_DFL``, ``SIG_IGN`` or None."""
        handler: AnyHandler = self._handler
        return handler

    @property
    def flags(self) -> int:
        """A combination of SA_* flags."""
        if self._flags is None:
            if self._saved is not None:
                self._flags = self._saved.sa_flags & _KNOWN
            else:
                self._flags = (
                    lib.sigcffi_interpreter_flags() & _KNOWN if callable(self._handler) else 0
                )
        flags: int = self._flags
        return flags

    @property
    def mask(self) -> frozenset[Signals]:
        """The signals that wait while the handler runs."""
        return frozenset(members(self._word()))

    def _word(self) -> int:
        return self._mask if self._saved is None else lib.sigcffi_dispositions_mask_of(self._saved)

    def __call__(self, signum: int, frame: FrameType | None) -> object:
        """Call the handler as the interpreter would call one: an Action that takes the place of a
        handler, in ``signal.signal(signum, action)`` or a chain, does what it says.
        """
        if not callable(self._handler):
            raise TypeError("this action has no handler that Python could call")
        return self._handler(SigInfo(signum, None) if self._takes_info else signum, frame)

    def _key(self) -> tuple[object, int, int]:
        return self._handler, self._word(), self.flags

    def __eq__(self, other: object) -> bool:
        return self._key() == other._key() if isinstance(other, Action) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._key())

    def __repr__(self) -> str:
        names = " | ".join(name for name, flag in _FLAGS.items() if self.flags & flag)
        mask = sorted(int(signum) for signum in self.mask)
        return f"Action({self._handler!r}, mask={mask}, flags={names or 0})"


def disposition(handler: object) -> Any:
    """``SIG_DFL`` or ``SIG_IGN``; TypeError for what is neither, nor a callable."""
    for known in (SIG_DFL, SIG_IGN):
        if handler == known:
            return known
    raise TypeError("signal handler must be signal.SIG_IGN, signal.SIG_DFL, or a callable object")
