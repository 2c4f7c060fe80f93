"""What ``with`` blocks and decorators have in common.

Law: one object can be entered several times, also while it is entered; what it undoes is kept in
the order of entering.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, TypeVar

    F = TypeVar("F", bound=Callable[..., Any])

__all__ = ["Scope", "warn_unclosed"]

_GENERATOR, _COROUTINE, _ASYNC_GENERATOR = 0x20, 0x80, 0x200  # CO_* of the module inspect


class Scope:
    """A context manager that is also a decorator, of functions and coroutine functions."""

    __slots__ = ()

    def __enter__(self) -> Any:
        raise NotImplementedError

    def __exit__(self, kind: Any, error: Any, trace: Any, /) -> None:
        raise NotImplementedError

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


def warn_unclosed(source: object, text: str) -> None:
    """Say that *source* was not closed; for ``__del__``, where it has been closed since."""
    try:
        import warnings
    except ImportError:  # the interpreter is at its end
        return
    warnings.warn(f"unclosed {text}", ResourceWarning, source=source, stacklevel=3)
