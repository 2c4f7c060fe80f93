"""Signal masks: ``pthread_sigmask``, ``sigpending``, ``valid_signals``.

Law: a set of signals is one word inside the library, bit (signum - 1) for signum, and becomes a
Python set only at the border.

Source: pthread_sigmask(3), sigpending(2), POSIX.1-2008.
"""

from __future__ import annotations

import errno

# collections.abc under the name by which every interpreter has it loaded.
from _collections_abc import Set
from signal import NSIG, Sigmasks, Signals

from sigcffi._core.arguments import index
from sigcffi._core.ffi import check, lib
from sigcffi._core.mainthread import looking, run_due_handlers
from sigcffi._core.names import member
from sigcffi._core.scope import warn

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import Any, SupportsIndex

__all__ = ["Mask", "members", "pthread_sigmask", "sigpending", "valid_signals", "word_of"]

_sigmask = lib.sigcffi_masks_sigmask
_sigpending = lib.sigcffi_masks_sigpending

_ALL_ONES = 2**64 - 1
_VALID = lib.sigcffi_masks_valid_signals()
_BITS = {signum: 1 << (signum - 1) for signum in range(1, NSIG) if _VALID >> (signum - 1) & 1}


def word_of(sigset: Iterable[SupportsIndex]) -> int:
    """A set of signals as a word.

    ValueError for a number that is not a signal's, TypeError for what is not an integer. A signal
    that the C library keeps for itself is left out, with a RuntimeWarning.
    """
    word = 0
    for signum in map(index, sigset):
        try:
            word |= _BITS[signum]
        except KeyError:
            if not 0 < signum < NSIG:
                raise ValueError(f"signal number {signum} out of range [1; {NSIG - 1}]") from None
            warn(
                f"invalid signal number {signum}, please use valid_signals()",
                RuntimeWarning,
                stacklevel=3,
            )
    return word


# Programs use few masks, and enum look-ups are slow. A set that is in here is never changed. Two
# threads that look for one word at once, and do not find it, make two equal sets: the later store
# stays.
_sets: dict[int, set[Signals]] = {}


def members(word: int) -> set[Signals]:
    """A word as a set of its own: ``Signals`` members, and ints for the signals without a name."""
    known = _sets.get(word)
    if known is None:
        known = {member(signum) for signum in range(1, NSIG) if word >> (signum - 1) & 1}
        if len(_sets) >= 256:
            _sets.clear()
        _sets[word] = known
    return known.copy()


class Mask(Set[Signals]):
    """A mask as an immutable set of signals. The set is made when the program looks into it."""

    __slots__ = ("_word",)

    def __init__(self, word: int) -> None:
        self._word = word

    def __contains__(self, signum: object, /) -> bool:
        return signum in members(self._word)

    def __iter__(self) -> Iterator[Signals]:
        return iter(members(self._word))

    def __len__(self) -> int:
        return len(members(self._word))

    def __hash__(self) -> int:
        return self._hash()  # as that of a frozenset, which may be equal

    @classmethod
    def _from_iterable(cls, signums: Iterable[Any], /) -> set[Any]:
        return set(signums)  # what operators make of it

    def __repr__(self) -> str:
        return f"Mask({members(self._word) or ''})"


def pthread_sigmask(how: SupportsIndex, mask: Iterable[SupportsIndex]) -> set[Signals]:
    """Change the calling thread's signal mask: the signals that are held back from it.

    *how* is ``SIG_BLOCK`` (add the signals in *mask*), ``SIG_UNBLOCK`` (take them out) or
    ``SIG_SETMASK`` (have these and no others); *mask* is any iterable of signal numbers. SIGKILL
    and SIGSTOP in it have no effect.

    Returns the former mask as a set. A handler of a signal that becomes deliverable has run when
    the call returns in the main thread.

    Raises OSError (EINVAL) for another *how*, ValueError for a number that is not a signal's,
    TypeError for what is not an integer or not iterable. Nothing has changed then.

    Threads: each has its own mask and hands a copy to the threads it starts. A handler of a signal
    that the main thread blocks still runs, if another thread does not block it.

    Source: pthread_sigmask(3), POSIX.1-2008.
    """
    former = _sigmask(how if type(how) is Sigmasks else index(how), word_of(mask))
    if former == _ALL_ONES:
        check(-errno.EINVAL)
    if looking.late:
        run_due_handlers()
    known = _sets.get(former)
    return members(former) if known is None else known.copy()


def sigpending() -> set[Signals]:
    """The signals that are blocked and have arrived, for the calling thread or the process: a set.

    Threads: what was sent to another thread is told there only.

    Source: sigpending(2), POSIX.1-2008.
    """
    pending = _sigpending()
    known = _sets.get(pending)
    return members(pending) if known is None else known.copy()


def valid_signals() -> set[Signals]:
    """The signals that a program may use on this platform, real-time signals included: a set of its
    own for each call. The two or three that the C library keeps for itself are not among them.

    Threads: any may call it.

    Source: sigfillset(3), POSIX.1-2008.
    """
    return members(_VALID)
