"""CPython 3.13 and 3.14 forget the handlers of exceptions for some jumps back: that of a loop whose
last statement is an ``if`` or a ``while``, and in 3.13 that of ``while condition:``. Signals are
looked for there, so what a handler raises leaves the function past its ``with``, ``except`` and
``finally``. No function of ours has such a jump where a handler may raise.
"""

from __future__ import annotations

import dis
import sys
from collections.abc import Iterator
from pathlib import Path
from types import CodeType

import pytest
from support import PYPY

import sigcffi

# Where none raises, and why.
UNSTRUCK = {
    "Replacing._hand_down": "it is undisturbed: no handler starts",
    "Stages.close": "it is undisturbed: no handler starts",
    "_Callbacks._run": "handlers run in the main thread, and this in another one",
    "_Callbacks._hand_over": "likewise",
}


def functions(code: CodeType) -> Iterator[CodeType]:
    yield code
    for each in code.co_consts:
        if isinstance(each, CodeType):
            yield from functions(each)


def bare_jumps(code: CodeType) -> list[int]:
    """Lines of jumps back to where an ``except`` or ``with`` is in force, which is not at the jump.
    What the compiler puts around generators and comprehensions is none.
    """
    names = {each.offset: each.opname for each in dis.get_instructions(code)}
    table = dis._parse_exception_table(code)  # type: ignore[attr-defined]
    ours = [each for each in table if names[each.target] == "PUSH_EXC_INFO"]

    def handlers(at: int) -> set[int]:
        return {each.target for each in ours if each.start <= at < each.end}

    return [
        each.positions.lineno or 0
        for each in dis.get_instructions(code)
        if each.opname == "JUMP_BACKWARD" and each.positions is not None
        if not handlers(each.argval) <= handlers(each.offset)
    ]


@pytest.mark.skipif(PYPY, reason="PyPy has tables of another kind")
@pytest.mark.skipif(sys.version_info < (3, 13), reason="signals are looked for behind the jump")
def test_no_jump_back_leaves_the_handlers_of_exceptions() -> None:
    found = {}
    files = list(Path(sigcffi.__file__).parent.rglob("*.py"))
    assert len(files) > 50
    for path in files:
        for code in functions(compile(path.read_text(), path, "exec")):
            if lines := bare_jumps(code):
                found[code.co_qualname] = path.name, lines
    assert found.keys() <= UNSTRUCK.keys(), found


@pytest.mark.skipif(
    sys.version_info[:2] not in ((3, 13), (3, 14)), reason="no other compiler forgets"
)
def test_a_bare_jump_is_found() -> None:
    code = compile("try:\n  for a in b:\n    if a: c()\nfinally: d()", "here", "exec")
    assert bare_jumps(code) == [3]
