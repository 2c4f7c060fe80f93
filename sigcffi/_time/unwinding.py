"""Where an exception would come out: ``reaches``.

Law: pure; looks at a code object and nothing else. All of it rests on one function, ``_catching``:
which handlers see an exception that is raised at this offset of this code. The exception table of
the code tells, for every interpreter. A timeout raises between any two bytecodes and has to know,
because the last bytecodes of a ``with`` block, and all that follow them, are not in it any more.

A block is known by its handler, the one that begins with ``WITH_EXCEPT_START``, and how it is
opened is told by the table too: names of bytecodes that open blocks change with each year's
interpreter. That the table means what is read here is checked once, by ``is_understood``.

Offsets are those of ``f_lasti``: the bytecode that an exception strikes.

Rejected: the module ``dis``. It would be imported when a signal comes, perhaps while the program is
half-way through importing it.

Source: "Objects/exception_handling_notes.txt" of CPython; the module ``opcode``.
"""

from __future__ import annotations

import sys
from opcode import EXTENDED_ARG, hasjrel, opmap

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import CodeType, FrameType
    from typing import Any

    Region = tuple[int, int, int, int]  # begin, end and handler, as offsets; depth of the stack

__all__ = ["UNDERSTOOD", "is_understood", "opens_block", "passes_by", "reaches", "yields_within"]

_WITH_EXCEPT_START = opmap.get("WITH_EXCEPT_START")
_YIELDS = [opmap[name] for name in ("YIELD_VALUE", "YIELD_FROM") if name in opmap]

# By exception table: a key of bytes keeps no code alive. Only the main thread asks.
_known: dict[bytes, list[Region]] = {}

UNDERSTOOD = True  # unless the end of this file finds otherwise


def reaches(code: CodeType, begin: int, at: int) -> bool:
    """Whether an exception raised at the offset *at* would reach the end of the block that the
    call at *begin* opens, or if that opens none, of the innermost one around it: an ExitStack's,
    perhaps. True if there is none: a program that calls ``__enter__`` itself handles the exception
    itself. True, too, if tables are not understood: a block whose time is over is to end.
    """
    end = _end_of(code, begin)
    return end is None or end in _catching(code, at)


def passes_by(code: CodeType, begin: int, at: int) -> bool:
    """Whether the bytecode at *at* is in that block, and an exception raised there leaves the
    function all the same: CPython 3.13 and 3.14 forget the handlers for the jump back of a loop
    that ends with an ``if`` or a ``while``, and 3.13 for that of ``while condition:``, too.
    """
    bytecode = code.co_code
    if bytecode[at] not in hasjrel:
        return False
    end = _end_of(code, begin)
    back = _behind(bytecode, at) - 2 * _argument(bytecode, at)
    return end is not None and end not in _catching(code, at) and end in _catching(code, back)


def yields_within(code: CodeType, begin: int) -> bool:
    """Whether a generator yields within that block."""
    bytecode = code.co_code
    end = _end_of(code, begin)
    return end is not None and any(
        bytecode[at] in _YIELDS and end in _catching(code, at) for at in range(0, len(bytecode), 2)
    )


def opens_block(code: CodeType, at: int) -> bool:
    """Whether the call at this offset is that of ``__enter__`` by a ``with`` statement."""
    return _opened(code, at) is not None


# ---- The table ----


def _catching(code: CodeType, at: int) -> Iterator[int]:
    """The handlers that an exception raised at the offset *at* comes to if each raises it again,
    from the innermost on: a handler may itself be in the region of another.
    """
    regions = _regions(code)
    for _ in regions:
        region = _innermost(regions, at)
        if region is None:
            return
        at = region[2]
        yield at


def _end_of(code: CodeType, begin: int) -> int | None:
    """The handler of the block that the call at *begin* opens, or else is in."""
    if not UNDERSTOOD:
        return None
    opened = _opened(code, begin)
    if opened is not None:
        return opened
    return next((each for each in _catching(code, begin) if _is_end(code, each)), None)


def _opened(code: CodeType, at: int) -> int | None:
    """The handler of the block that the call at *at* opens: the region of a ``with`` begins
    directly behind the call of ``__enter__``, and deeper in the stack, where ``__exit__`` lies.
    """
    regions = _regions(code)
    region = _innermost(regions, _behind(code.co_code, at))
    if region is None or not _is_end(code, region[2]):
        return None
    around = _innermost(regions, at)
    return region[2] if around is None or around[3] < region[3] else None


def _is_end(code: CodeType, handler: int) -> bool:
    """Whether this handler begins by telling an ``__exit__`` of the exception."""
    bytecode = code.co_code
    return handler + 2 < len(bytecode) and bytecode[handler + 2] == _WITH_EXCEPT_START


def _innermost(regions: list[Region], at: int) -> Region | None:
    return next((each for each in regions if each[0] <= at < each[1]), None)


def _regions(code: CodeType) -> list[Region]:
    """As they stand in the table: of one offset there is one at most."""
    table = code.co_exceptiontable
    regions = _known.get(table)
    if regions is None:
        if len(_known) >= 256:
            _known.clear()
        numbers = _numbers(table)
        regions = [
            (2 * begin, 2 * (begin + length), 2 * handler, depth >> 1)
            for begin, length, handler, depth in zip(*[numbers] * 4, strict=False)
        ]
        _known[table] = regions
    return regions


def _numbers(table: bytes) -> Iterator[int]:
    value = 0
    for byte in table:
        value = value << 6 | byte & 63
        if not byte & 64:
            yield value
            value = 0


# ---- Bytecode ----


def _behind(bytecode: bytes, at: int) -> int:
    """The offset of the next instruction; zeros stand for caches."""
    at += 2
    while at < len(bytecode) and bytecode[at] == 0:
        at += 2
    return at


def _argument(bytecode: bytes, at: int) -> int:
    """That of the instruction at this offset; EXTENDED_ARG stands before it."""
    argument, bits = bytecode[at + 1], 8
    while at >= 2 and bytecode[at - 2] == EXTENDED_ARG:
        at -= 2
        argument |= bytecode[at + 1] << bits
        bits += 8
    return argument


# ---- Whether that is so ----


class _Witness:
    """Of ``with`` blocks of our own: whether what is said of them is what is known of them."""

    def __init__(self) -> None:
        self.agrees = True

    def __enter__(self) -> None:
        frame = sys._getframe(1)
        self.begin = frame.f_lasti
        self.hear(False, frame)

    def __exit__(self, *error: object) -> bool:
        self.hear(False, sys._getframe(1))
        return True

    def hear(self, inside: bool, frame: FrameType | None = None) -> bool:
        frame = frame or sys._getframe(1)
        code, at = frame.f_code, frame.f_lasti
        self.agrees &= reaches(code, self.begin, at) is inside
        self.agrees &= opens_block(code, at) is (at == self.begin)
        return self.agrees


def _blocks(outer: _Witness, inner: _Witness) -> Any:
    with outer:
        outer.hear(True)
        with inner:
            outer.hear(True)
            inner.hear(True)
        outer.hear(True)
        inner.hear(False)
        with inner:
            raise ValueError
        try:
            raise ValueError
        except ValueError:
            outer.hear(True)
    outer.hear(False)
    with outer, inner:
        return inner.hear(True)


def is_understood(blocks: Callable[[_Witness, _Witness], Any] = _blocks) -> bool:
    """Whether the table of these blocks says what is known of them."""
    outer, inner = _Witness(), _Witness()
    try:
        blocks(outer, inner)
    except ValueError:
        return False
    return outer.agrees and inner.agrees


UNDERSTOOD = is_understood()
