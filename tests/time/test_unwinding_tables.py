"""The exception tables by which ``reaches`` and its like tell: those of this interpreter are
understood, others are not, and what timeouts do then.
"""

from __future__ import annotations

import sys
import types
from collections.abc import Callable
from contextlib import suppress
from opcode import opmap, opname
from typing import Any

import pytest
from programs.blocks import Block, Marker, Raising, consume, newest
from support import PYPY, run_python

from sigcffi._testing.bytecodes import Tracing
from sigcffi._time import unwinding as _unwinding
from sigcffi._time.unwinding import opens_block, passes_by, reaches

pytestmark = pytest.mark.usefixtures("without_jit")

# ---- Tables ----


def regions(table: bytes) -> list[list[int]]:
    """Begin, length, handler, and depth with a bit beside it, in units."""
    numbers: list[int] = []
    value = 0
    for byte in table:
        value = value << 6 | byte & 63
        if not byte & 64:
            numbers.append(value)
            value = 0
    return [numbers[at : at + 4] for at in range(0, len(numbers), 4)]


def table(of: list[list[int]]) -> bytes:
    encoded = bytearray()
    for region in of:
        for place, value in enumerate(region):
            digits = [value >> shift & 63 for shift in range(0, value.bit_length() or 1, 6)][::-1]
            encoded += bytes(digit | 64 for digit in digits[:-1])
            encoded.append(digits[-1])
            if place == 0:
                encoded[-len(digits)] |= 128
    return bytes(encoded)


def without_jumps_back(code: types.CodeType) -> tuple[types.CodeType, set[int]]:
    """Code whose table leaves its jumps back to no handler, and their offsets."""
    bytecode = code.co_code
    jumps = {at for at in range(0, len(bytecode), 2) if "JUMP_BACKWARD" in opname[bytecode[at]]}
    of: list[list[int]] = []
    for begin, length, *handler in regions(code.co_exceptiontable):
        for at in range(begin, begin + length):
            if 2 * at not in jumps:
                of.append([at, 1, *handler])
    return code.replace(co_exceptiontable=table(of)), jumps


LOOPS_BACK = f"""
def loops_back():
    x = 3
    with Block():
        while x:
            x -= 1
        for _ in range(2):
            with Block():
                while x := (x + 1) % 3:
                    x += 0
                {"y = x + 1; " * 60}
            # One byte does not tell how far it is back to the loop's beginning.
"""


@pytest.mark.skipif(PYPY, reason="its jumps are absolute, and it looks for signals behind them")
def test_a_jump_back_that_the_table_forgets_is_said_to_pass_by() -> None:
    names: dict[str, Any] = {"Block": Block}
    exec(LOOPS_BACK, names)
    code, jumps = without_jumps_back(names["loops_back"].__code__)
    function = types.FunctionType(code, names)
    passed = set()
    with Tracing(lambda each: each is code) as tracing:
        for at in range(1, tracing.count(lambda: consume(function)) + 1):
            raising = Raising(at)
            with suppress(Marker):
                tracing.call(lambda: consume(function), raising)
            here = raising.here
            for block in newest(code):
                if passes_by(code, block.begin, here):
                    assert here in jumps
                    assert not block.left
                    passed.add((here, block.begin))
                elif here in jumps:
                    assert block.left
    # Of the loops, and of the outer block in the inner loop. CPython 3.11 traces the EXTENDED_ARG
    # in the place of its jump.
    assert len(passed) >= (3 if sys.version_info < (3, 12) else 4)


def mutilated(change: Callable[[list[list[int]]], None]) -> bytes:
    """The table of the blocks by which the module finds out, after a change."""
    of = regions(_unwinding._blocks.__code__.co_exceptiontable)
    change(of)
    return table(of)


def blocks_of(which: list[list[int]]) -> list[list[int]]:
    """The regions of which the handler tells an ``__exit__``."""
    bytecode = _unwinding._blocks.__code__.co_code
    return [each for each in which if bytecode[2 * each[2] + 2] == opmap["WITH_EXCEPT_START"]]


def begin_late(of: list[list[int]]) -> None:
    for region in blocks_of(of):
        region[:2] = region[0] + 1, region[1] - 1


def know_no_end(of: list[list[int]]) -> None:
    ends = {region[2] for region in blocks_of(of)}
    of[:] = [region for region in of if region[2] not in ends]


def end_early(of: list[list[int]]) -> None:
    for region in blocks_of(of):
        region[1] -= 1


def lose_a_block(of: list[list[int]]) -> None:
    of.remove(blocks_of(of)[0])


MUTILATIONS = [list.clear, begin_late, end_early, know_no_end, lose_a_block]


def test_the_tables_of_this_interpreter_are_understood() -> None:
    assert _unwinding.UNDERSTOOD
    assert mutilated(lambda of: None) == _unwinding._blocks.__code__.co_exceptiontable


@pytest.mark.parametrize("change", MUTILATIONS, ids=lambda change: change.__name__)
def test_a_table_that_says_something_else_is_not_understood(change: Any) -> None:
    code = _unwinding._blocks.__code__.replace(co_exceptiontable=mutilated(change))
    assert not _unwinding.is_understood(types.FunctionType(code, vars(_unwinding)))


MUTILATE = """
    import importlib.util, sys, types, warnings
    from importlib.machinery import SourceFileLoader

    class Loader(SourceFileLoader):
        \"\"\"A compiler that writes other tables.\"\"\"

        def get_code(self, name):
            def mutilate(code):
                known = code.co_consts
                consts = tuple(mutilate(c) if isinstance(c, types.CodeType) else c for c in known)
                code = code.replace(co_consts=consts)
                return code.replace(co_exceptiontable=b"") if code.co_name == "_blocks" else code

            return mutilate(super().get_code(name))

    class Finder:
        def find_spec(self, name, path, target=None):
            if name != "sigcffi._time.unwinding":
                return None
            file = path[0] + "/unwinding.py"
            return importlib.util.spec_from_file_location(name, file, loader=Loader(name, file))

    sys.meta_path.insert(0, Finder())
    import sigcffi as signal
"""


def test_where_tables_are_not_understood_timeouts_interrupt_and_say_so_once() -> None:
    code = """
    lines = []

    def interrupted():
        try:
            lines.append(sys._getframe().f_lineno + 1)
            with signal.timeout(0.01) as block:
                with block.shield():
                    block.reschedule(block.deadline)
                while True:
                    pass
        except signal.TimedOut:
            return "TimedOut"

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        print(interrupted(), interrupted())
    print(*((each.category.__name__, each.lineno == lines[0]) for each in caught))
    """
    run = run_python(MUTILATE + code)
    assert run.stdout == "TimedOut TimedOut\n('RuntimeWarning', True)\n", run


def test_it_is_said_before_the_first_block_has_begun() -> None:
    """Where warnings are errors no block is entered, and ``import sigcffi`` is no error."""
    code = """
    for _ in range(2):
        try:
            with signal.timeout(60):
                print("entered")
        except RuntimeWarning:
            print("RuntimeWarning", signal._time.schedule.schedule.heap)
    """
    run = run_python(MUTILATE + code)
    assert run.stdout == "RuntimeWarning []\n" * 2, run


def test_however_many_functions_there_are_few_tables_are_kept() -> None:
    for number in range(300):
        names: dict[str, Any] = {"Block": Block}
        begins = "def function():\n    x = 1\n" + "    x += 1\n" * number
        exec(f"{begins}    with Block():\n        x = 1", names)
        code = names["function"].__code__
        Block.entered = []
        names["function"]()
        begin = Block.entered[0].begin
        assert opens_block(code, begin)
        assert not reaches(code, begin, 0)
    assert len(_unwinding._known) <= 256
