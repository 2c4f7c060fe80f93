"""Functions with blocks in every place where a block can stand, and blocks that say how they ended.

Law: names are looked up, and nothing is called but what is there: so a function is the bytecode of
its statements, and a test may raise at each.
"""

from __future__ import annotations

import sys
import types
import warnings
from collections.abc import Callable, Iterator
from typing import Any

from programs import generators, statements

from sigcffi._time.unwinding import opens_block, passes_by, reaches


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

    def again(self) -> None:
        pass


class Soon:
    """Is waited for once. No coroutine: those complain if nobody waits for them."""

    def __init__(self, result: Any = None, error: BaseException | None = None) -> None:
        self.result = result
        self.error = error

    def __await__(self) -> Iterator[None]:
        yield
        if self.error is not None:
            raise self.error
        return self.result


class Manager:
    def __aenter__(self) -> Soon:
        return Soon(self)

    def __aexit__(self, *error: object) -> Soon:
        return Soon(False)


class Several:
    def __init__(self) -> None:
        self.left = 2

    def __aiter__(self) -> Several:
        return self

    def __anext__(self) -> Soon:
        self.left -= 1
        return Soon(self.left) if self.left >= 0 else Soon(error=StopAsyncIteration())


def corpus() -> list[Callable[[], Any]]:
    names = {each.__name__: each for each in (Block, Soon, Manager, Several)}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SyntaxWarning)  # "return" in "finally", from 3.14 on
        exec(statements.SOURCE + generators.SOURCE, names)
    return [each for each in names.values() if isinstance(each, types.FunctionType)]


def consume(function: Callable[[], Any]) -> None:
    Block.entered = []
    outcome = function()
    if isinstance(outcome, types.AsyncGeneratorType):
        outcome = exhaust(outcome)
    if isinstance(outcome, types.CoroutineType):
        outcome = outcome.__await__()
    if isinstance(outcome, Iterator):
        for _ in outcome:
            pass


async def exhaust(generator: types.AsyncGeneratorType[Any, Any]) -> None:
    async for _ in generator:
        pass


def newest(code: types.CodeType) -> list[Block]:
    """Of the blocks with one beginning, those that were entered last."""
    return list({each.begin: each for each in Block.entered if each.code is code}.values())


class Marker(BaseException):
    pass


class Raising:
    """Raises at the bytecode number *at*, and writes down what is said of the blocks there."""

    def __init__(self, at: int) -> None:
        self.at = at
        self.count = 0
        self.raised = False
        self.said: list[tuple[Block, bool]] = []

    def __call__(self, frame: types.FrameType) -> None:
        self.count += 1
        if self.count == self.at:
            self.here = frame.f_lasti
            self.look(frame.f_code, self.here)
            self.raised = True
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
