"""Where an exception would come out: ``reaches``.

Law: pure; looks at bytecode and nothing else. It answers one question: would an exception raised at
this point of a function reach the end of that ``with`` block? Who raises exceptions between any two
bytecodes has to know, because the last bytecodes of a block, and all of what comes then, are not in
it any more.

From CPython 3.11 on a table in the code object tells which bytecodes a handler is for. Before, and
on PyPy, blocks are opened and closed by bytecodes, which are followed along every path.

Rejected: the module ``dis``. It would be imported when a signal comes, perhaps while the program is
half-way through importing it.

Source: "Objects/exception_handling_notes.txt" of CPython; the module ``opcode``.
"""

from __future__ import annotations

import sys
from opcode import EXTENDED_ARG, hasjabs, hasjrel, opname

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import CodeType

__all__ = ["opens_block", "passes_by", "reaches"]

_PYPY = sys.implementation.name == "pypy"

_OPENING = ("SETUP_WITH", "BEFORE_WITH")

# By code and the offset at which a block begins: for which offsets it is.
_known: dict[tuple[CodeType, int], Callable[[int], bool]] = {}


def reaches(code: CodeType, begin: int, at: int) -> bool:
    """Whether an exception raised at the offset *at* would reach the end of the block that the
    bytecode at *begin* opens, or if that opens none, of the innermost one around it: an
    ExitStack's, perhaps. True if there is none: who has entered by hand sees to it himself.
    """
    return _inside(code, begin)(at)


def _inside(code: CodeType, begin: int) -> Callable[[int], bool]:
    inside = _known.get((code, begin))
    if inside is None:
        if len(_known) >= 256:
            _known.clear()
        inside = _find(code, begin) if opens_block(code, begin) else _find_around(code, begin)
        _known[code, begin] = inside
    return inside


def _find_around(code: CodeType, at: int) -> Callable[[int], bool]:
    for begin in range(at - 2, -1, -2):
        if opens_block(code, begin):
            inside = _find(code, begin)
            if inside(at):
                return inside
    return lambda at: True


def passes_by(code: CodeType, begin: int, at: int) -> bool:
    """Whether the bytecode at *at* is in the block that the one at *begin* opens, and an exception
    raised there leaves the function all the same: CPython 3.13 forgets the handlers for the jump
    back to the beginning of ``while condition:``, and of some ``for`` loops.
    """
    if sys.version_info < (3, 13) or not opens_block(code, begin):
        return False
    if opname[code.co_code[at]] != "JUMP_BACKWARD":
        return False
    inside = _inside(code, begin)
    target = at + 4 - 2 * _argument(code.co_code, at)
    return not inside(at) and inside(at - 2) and inside(target)


def _argument(bytecode: bytes, at: int) -> int:
    """That of the instruction at this offset; EXTENDED_ARG stands before it."""
    argument, bits = bytecode[at + 1], 8
    while at >= 2 and bytecode[at - 2] == EXTENDED_ARG:
        at -= 2
        argument |= bytecode[at + 1] << bits
        bits += 8
    return argument


def opens_block(code: CodeType, at: int) -> bool:
    """Whether the bytecode at this offset opens a ``with`` block."""
    return opname[code.co_code[at]] in _OPENING


if sys.version_info >= (3, 11) and not _PYPY:

    def _regions(table: bytes) -> Iterator[tuple[int, int, int]]:
        """Begin, end and handler of each region, as offsets."""

        def number(bytes_: Iterator[int]) -> int:
            byte = next(bytes_)
            value = byte & 63
            while byte & 64:
                byte = next(bytes_)
                value = value << 6 | byte & 63
            return value

        rest = iter(table)
        while True:
            try:
                begin = number(rest)
            except StopIteration:
                return
            length, handler, _ = number(rest), number(rest), number(rest)
            yield 2 * begin, 2 * (begin + length), 2 * handler

    def _find(code: CodeType, begin: int) -> Callable[[int], bool]:
        regions = list(_regions(code.co_exceptiontable))

        def handler(at: int) -> int | None:
            return next((to for start, end, to in regions if start <= at < end), None)

        wanted = handler(begin + 2)

        def inside(at: int) -> bool:
            # Handlers of inner blocks are themselves in regions of outer ones.
            for _ in regions:
                to = handler(at)
                if to is None or to == wanted:
                    return to is not None
                at = to
            return False

        return inside

else:
    _UNIT = 2 if sys.version_info >= (3, 10) else 1  # bytes that a jump counts

    def _find(code: CodeType, begin: int) -> Callable[[int], bool]:
        bytecode = code.co_code
        depths: dict[int, int] = {}  # by offset, of blocks before it, from this one on
        closing = set()
        paths = [(begin + 2, 1)]
        while paths:
            offset, depth = paths.pop()
            if depth == 0 or offset in depths:
                continue
            depths[offset] = depth
            opcode = bytecode[offset]
            name = opname[opcode]
            after = depth + name.startswith("SETUP_") - (name in ("POP_BLOCK", "POP_EXCEPT"))
            if after == 0:
                closing.add(offset)
            # A handler stands in a block of its own.
            if opcode in hasjrel:
                paths.append((offset + 2 + _UNIT * _argument(bytecode, offset), after))
            elif opcode in hasjabs:
                paths.append((_UNIT * _argument(bytecode, offset), after))
            if name not in (
                *("JUMP_FORWARD", "JUMP_ABSOLUTE", "RETURN_VALUE"),
                *("RAISE_VARARGS", "RERAISE"),
            ):
                paths.append((offset + 2, after))
        if _PYPY:  # says which bytecode is next
            return depths.__contains__
        # CPython says which was last.
        inside = (depths.keys() - closing) | {begin}
        return inside.__contains__
