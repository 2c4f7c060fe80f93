"""``reaches`` and its like, against the interpreter: an exception is raised at every bytecode, and
it is seen whether the end of each open block got to know.

The offset that goes with a bytecode is what a signal's handler would find in ``f_lasti``: on
CPython from 3.11 on and on PyPy that of the bytecode which the exception strikes; on earlier ones
that of the bytecode before it, and where an exception has just been sent to its handler there is no
telling.
"""

from __future__ import annotations

import sys
import types
from collections.abc import Callable
from contextlib import suppress
from opcode import opname
from typing import Any

import pytest
from support import PYPY
from tracing import Tracing

from sigcffi._unwinding import opens_block, passes_by, reaches

LAST = not PYPY and sys.version_info < (3, 11)  # what f_lasti is: the last, or the next


class Marker(BaseException):
    pass


class Block:
    """Knows when it was entered and left, and swallows what it is told to."""

    entered: list[Block]

    def __init__(self, swallowed: tuple[type[BaseException], ...] = ()) -> None:
        self.swallowed = swallowed
        self.left = False

    def __enter__(self) -> Block:
        frame = sys._getframe(1)
        self.code, self.begin = frame.f_code, frame.f_lasti
        Block.entered.append(self)
        return self

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> bool:
        self.left = True
        return isinstance(error, self.swallowed)


# ---- What the blocks stand in. Names are looked up; nothing is called but what is there. ----

SOURCE = """
def plain():
    with Block():
        x = 1
        y = x + 1
    return y

def nested():
    with Block():
        with Block():
            x = 1
        with Block() as b, Block(), Block() as c:
            x = b, c
    return x

def of_no_statements():
    with Block():
        pass

def returns():
    with Block():
        with Block():
            return str(1)

def returns_a_constant():
    with Block():
        return None

def returns_from_a_loop():
    for x in range(3):
        with Block():
            if x == 1:
                return [x for x in range(2)]

def leaves_loops():
    for x in range(4):
        with Block():
            if x == 0:
                continue
            if x == 2:
                break
            y = x
    else:
        y = 0
    return y

def loops():
    with Block():
        for x in range(2):
            with Block():
                y = x
        while x < 3:
            x += 1
        while x:
            x -= 1
            if x == 1:
                continue
        for x in range(3):
            pass
        else:
            x = 1
        while (x := x + 1) < 3: pass
    return y

def a_loop_around():
    x = 0
    while x < 3:
        x += 1
        with Block():
            x += 0
    return x

def a_loop_that_ends_in_a_block():
    x = 3
    while x:
        with Block():
            x -= 1
            if x == 1:
                continue

def a_loop_of_two():
    for x in range(2):
        for y in range(2):
            with Block():
                if y == x:
                    break

def a_try():
    with Block():
        try:
            x = 1
        finally:
            x = 2
        try:
            int("x")
        except ValueError as error:
            x = str(error)
        else:
            x = 3
        finally:
            y = 4
    return x, y

def in_a_try():
    try:
        with Block():
            int("x")
    except ValueError:
        with Block():
            x = 1
    else:
        x = 0
    finally:
        with Block():
            y = 2
    return x, y

def returns_through_finally():
    with Block():
        try:
            with Block():
                return 1
        finally:
            x = 2

def a_finally_that_returns():
    for x in range(2):
        try:
            with Block():
                continue
        finally:
            with Block():
                return x

def an_end_that_swallows():
    with Block():
        with Block((ValueError,)):
            int("x")
        x = 1
        with Block((ValueError,)) as b:
            with Block():
                int("x")
        return x, b

def everything_is_swallowed():
    x = 0
    with Block():
        try:
            x = 1
            with Block():
                x = 2
        except:
            x = 3
        try:
            x = 4
        except BaseException:
            pass
        x = 5
    return x

def an_end_that_swallows_everything():
    x = 0
    with Block((BaseException,)):
        x = 1
        with Block((BaseException,)):
            x = 2
        x = 3
    return x

def swallowed_in_a_loop():
    for x in range(2):
        try:
            with Block():
                y = x
        except BaseException:
            continue

def handlers_in_handlers():
    with Block():
        try:
            int("x")
        except ValueError:
            try:
                int("y")
            except ValueError:
                with Block():
                    x = 1
            except TypeError:
                x = 2
            finally:
                x = 3
    return x

def raises_in_a_handler():
    try:
        with Block():
            try:
                int("x")
            except ValueError as error:
                with Block():
                    raise TypeError from error
    except TypeError:
        return 1

def conditions():
    with Block():
        x = 1 if len("a") else 2
        if x and (x == 1 or x == 2):
            y = x
        elif x:
            y = 0
        assert y
        y = [z for z in range(2) if z]
        y = {z: z for z in y}
    return y

def conditions_around():
    x = len("a")
    if x:
        with Block():
            x = 1
    else:
        x = 2
    if x:
        with Block():
            if x:
                return 1
    return 0

def a_generator():
    with Block():
        x = yield 1
        for y in range(2):
            yield y
        yield from (1, 2)
    yield x

def consumes():
    with Block():
        for x in a_generator():
            with Block():
                y = x
    return y

def holds_variables_for_others():
    with Block() as b:
        def inner():
            with b2:
                return x
        with Block() as b2:
            x = 1
        def more(y=x, *z, w=2):
            return y, b
        return more(1)

def imports_and_deletes():
    with Block():
        import sys
        from sys import path
        x = [1, 2]
        a, *b = x
        del x[0], a
        x[0] += 1
        return f"{x} {b!r:>5}"
"""

SOURCE_STAR = """
def groups():
    with Block():
        try:
            with Block():
                raise ExceptionGroup("x", [ValueError(1), TypeError(2)])
        except* ValueError:
            with Block():
                x = 1
        except* TypeError as error:
            x = 2
        finally:
            x = 3
    return x
"""

SOURCE_MATCH = """
def matches():
    with Block():
        match [1, 2]:
            case [1, x] if x == 3:
                return x
            case [1, x]:
                with Block():
                    return x
"""


def corpus() -> list[Callable[[], Any]]:
    names: dict[str, Any] = {"Block": Block}
    exec(SOURCE + SOURCE_MATCH + SOURCE_STAR, names)
    return [each for each in names.values() if isinstance(each, types.FunctionType)]


def consume(function: Callable[[], Any]) -> None:
    Block.entered = []
    outcome = function()
    if isinstance(outcome, types.GeneratorType):
        for _ in outcome:
            pass


def newest(code: types.CodeType) -> list[Block]:
    """Of the blocks with one beginning, those that were entered last."""
    return list({each.begin: each for each in Block.entered if each.code is code}.values())


class Raising:
    """Raises at the bytecode number *at*, and writes down what is said of the blocks there."""

    def __init__(self, at: int) -> None:
        self.at = at
        self.count = 0
        self.previous: int | None = None
        self.said: list[tuple[Block, bool]] = []

    def __call__(self, frame: types.FrameType, event: str) -> None:
        if event == "exception":
            self.previous = None
            return
        code = frame.f_code
        here = self.previous if LAST else frame.f_lasti
        # Who raises again causes no event.
        raises = opname[code.co_code[frame.f_lasti]] in ("RAISE_VARARGS", "RERAISE")
        self.previous = None if raises else frame.f_lasti
        self.count += 1
        if self.count == self.at:
            if here is not None:
                self.look(code, here)
            raise Marker

    def look(self, code: types.CodeType, here: int) -> None:
        for block in newest(code):
            assert opens_block(code, block.begin)
            reached = reaches(code, block.begin, here)
            assert not (reached and passes_by(code, block.begin, here)), here
            if block.left:
                assert not reached, here
            else:
                self.said.append((block, reached))


@pytest.mark.parametrize("function", corpus(), ids=lambda function: function.__name__)
def test_the_end_of_a_block_hears_of_what_is_said_to_reach_it(function: Callable[[], Any]) -> None:
    heard = 0
    with Tracing(lambda code: code is function.__code__) as tracing:
        count = tracing.count(lambda: consume(function))
        for at in range(1, count + 1):
            raising = Raising(at)
            with suppress(Marker, UnboundLocalError):  # what was passed by may be missed
                tracing.call(lambda: consume(function), raising)
            assert raising.count >= at
            assert [each.left for each, _ in raising.said] == [told for _, told in raising.said], at
            heard += sum(told for _, told in raising.said)
    assert heard > 0
