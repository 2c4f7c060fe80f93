"""What ``with`` blocks and decorators have in common, and what stands for something in C.

Law: one object can be entered several times, also while it is entered; what it undoes is kept in
the order of entering. What there is once has one object: that is not copied.
"""

from __future__ import annotations

# The half of ``warnings`` that every interpreter has built in: a warning may be due when a signal
# has come, or at the interpreter's end, where nothing can be imported.
from _warnings import warn

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType
    from typing import Any, NoReturn, Protocol, TypeVar

    F = TypeVar("F", bound=Callable[..., Any])

    class Exit(Protocol):
        """The ``__exit__`` of a block that exceptions leave."""

        def __call__(
            self,
            kind: type[BaseException] | None,
            error: BaseException | None,
            trace: TracebackType | None,
            /,
        ) -> None: ...

    class SwallowingExit(Protocol):
        """The ``__exit__`` of a block at which some exceptions end."""

        def __call__(
            self,
            kind: type[BaseException] | None,
            error: BaseException | None,
            trace: TracebackType | None,
            /,
        ) -> bool: ...


__all__ = ["Known", "Scope", "Single", "warn", "warn_unclosed"]

_GENERATOR, _COROUTINE, _ASYNC_GENERATOR = 0x20, 0x80, 0x200  # CO_* of the module inspect


class Scope:
    """A context manager that is also a decorator, of functions and coroutine functions."""

    __slots__ = ()

    def __enter__(self) -> Any:
        raise NotImplementedError

    __exit__: Exit

    def __call__(self, function: F, /) -> F:
        """Decorate: every call is in the block from its beginning to its end."""
        from functools import wraps  # which takes longer to import than all of this

        flags = getattr(getattr(function, "__code__", None), "co_flags", 0)
        if flags & (_GENERATOR | _ASYNC_GENERATOR):
            raise TypeError("a generator is not a block: use 'with' inside of it")
        if flags & _COROUTINE:

            @wraps(function)
            async def inside(*args: Any, **kwargs: Any) -> Any:
                with self:
                    return await function(*args, **kwargs)

        else:

            @wraps(function)
            def inside(*args: Any, **kwargs: Any) -> Any:
                with self:
                    return function(*args, **kwargs)

        return inside  # type: ignore[return-value]


class Single:
    """What stands for something that there is once: a copy's end would be the end of that."""

    __slots__ = ()

    def __reduce__(self) -> NoReturn:  # copy and pickle ask it
        raise TypeError(f"cannot copy or pickle a {type(self).__name__!r} object")


class Known(dict[int, "Scope"]):
    """Blocks by their signals, as a word: programs use few, and one serves any number of ``with``
    statements. Two threads that look for one word at once may make two blocks, which are as good as
    each other: the later store stays.
    """

    def __init__(self, make: Callable[[int], Scope]) -> None:
        self._make = make

    def __missing__(self, word: int) -> Scope:
        if len(self) >= 256:
            self.clear()
        block = self[word] = self._make(word)
        return block


def warn_unclosed(source: object, text: str) -> None:
    """Say that *source* was not closed; for ``__del__``, where it has been closed since."""
    warn(f"unclosed {text}", ResourceWarning, source=source, stacklevel=3)
