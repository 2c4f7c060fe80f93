"""The cases of ``timeout_libraries.py``: what a program may want of a timeout.

Law: a case knows of a library nothing but its ``Limits``. It returns None if the library does the
right thing, else what it did; it raises Lacks where there is nothing to be tried.
"""

from __future__ import annotations

import collections
import itertools
import os
import re
import signal
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from time import monotonic, sleep
from typing import Any, NamedTuple

Error = type | None  # the exception that is asked for, None: the library's own
Verdict = str | None


class Lacks(Exception):  # noqa: N818
    """The library has no such thing, and why."""


class Inner(Exception):  # noqa: N818
    pass


class Outer(Exception):  # noqa: N818
    pass


class Limits(NamedTuple):
    """A library, in two forms of use of which it has one at least."""

    block: Callable[[float, Error], AbstractContextManager[Any]] | None
    decorator: Callable[[float, Error], Callable[..., Any]] | None
    raises: type | None = None  # what comes out; None: what was asked for
    unit: float = 0.1  # seconds of the shortest time in a case
    nests: bool = True
    process: Callable[[float], Callable[..., Any]] | None = None  # a decorator: in another process
    kill: Callable[[float, float], AbstractContextManager[Any]] | None = None

    def call(self, units: float, function: Callable[[], Any], error: type = TimeoutError) -> Any:
        seconds = units * self.unit
        if self.block is None:
            assert self.decorator is not None
            return self.decorator(seconds, error)(function)()
        with self.block(seconds, error):
            return function()

    def error(self, error: type = TimeoutError) -> type:
        return self.raises or error

    def busy(self, units: float = 12) -> None:
        """Python code that takes so long, much longer than any limit."""
        until(monotonic() + units * self.unit)

    def need_nesting(self) -> None:
        if not self.nests:
            raise Lacks("one limit for each test")


def interrupted(limits: Limits, body: Callable[[], Any], before: float = 6) -> Verdict:
    """Whether a body that takes long is ended soon after one unit."""
    start = monotonic()
    try:
        limits.call(1, body)
    except limits.error():
        late = monotonic() - start > before * limits.unit
        return "comes when all is over" if late else None
    return "nothing comes out"


# ---- Nesting ----


def inner_earlier(limits: Limits) -> Verdict:
    limits.need_nesting()
    seen = []

    def outer() -> None:
        try:
            limits.call(1, limits.busy, Inner)
        except limits.error(Inner):
            seen.append("inner")
        limits.busy()

    try:
        limits.call(4, outer, Outer)
    except limits.error(Outer):
        seen.append("outer")
    return None if seen == ["inner", "outer"] else f"expired: {' and '.join(seen) or 'none'}"


def outer_earlier(limits: Limits) -> Verdict:
    limits.need_nesting()
    seen = []

    def outer() -> None:
        try:
            limits.call(5, limits.busy, Inner)
        except limits.error(Inner):
            seen.append("inner")

    start = monotonic()
    try:
        limits.call(1, outer, Outer)
    except limits.error(Outer):
        seen.append("outer")
    if seen != ["outer"]:
        return f"expired: {' and '.join(seen) or 'none'}"
    return "late" if monotonic() - start > 4 * limits.unit else None


def three_deep(limits: Limits) -> Verdict:
    limits.need_nesting()
    seen = []

    def level(number: int) -> None:
        try:
            limits.call(2 * number, lambda: below(number), KeyError)
        except limits.error(KeyError):
            seen.append(str(number))

    def below(number: int) -> None:
        if number > 1:
            level(number - 1)
        limits.busy()

    level(3)
    return None if seen == ["1", "2", "3"] else f"expired: {' and '.join(seen) or 'none'}"


def a_hundred(limits: Limits) -> Verdict:
    """The fiftieth is the only one whose time is short."""
    limits.need_nesting()
    seen = []

    def level(number: int) -> None:
        if number > 100:
            limits.busy()
        elif number == 50:
            start = monotonic()
            try:
                limits.call(1, lambda: level(number + 1), Inner)
            except limits.error(Inner):
                seen.append(monotonic() - start)
        else:
            limits.call(60, lambda: level(number + 1), Outer)

    level(1)
    return None if seen and seen[0] < 6 * limits.unit else "that one does not expire"


# ---- What else the program uses ----


def alarm_survives(limits: Limits) -> Verdict:
    rung = []
    signal.signal(signal.SIGALRM, lambda signum, frame: rung.append(1))
    signal.setitimer(signal.ITIMER_REAL, 3 * limits.unit)
    limits.call(2, lambda: None)
    end = monotonic() + 8 * limits.unit
    while not rung and monotonic() < end:
        sleep(0.01)
    return None if rung else "it never rings"


def handler_is_back(limits: Limits) -> Verdict:
    def handler(signum: int, frame: object) -> None:
        pass

    signal.signal(signal.SIGALRM, handler)
    limits.call(5, lambda: None)
    return None if signal.getsignal(signal.SIGALRM) is handler else "it is gone"


# ---- What the body does ----


def except_exception(limits: Limits) -> Verdict:
    def body() -> None:
        with suppress(Exception):
            limits.busy()

    return interrupted(limits, body)


def except_everything(limits: Limits) -> Verdict:
    def body() -> None:
        for _ in range(3):
            with suppress(BaseException):
                limits.busy(4)

    return interrupted(limits, body)


def in_a_finally(limits: Limits) -> Verdict:
    def body() -> None:
        try:
            raise KeyError
        finally:
            limits.busy()

    return interrupted(limits, body)


def in_a_generator(limits: Limits) -> Verdict:
    """It is interrupted while it runs, and what it yields to is not."""
    if limits.block is None:
        raise Lacks("a decorator only")
    block = limits.block

    def generator() -> Any:
        with block(limits.unit, None):
            yield
            limits.busy()

    running = generator()
    next(running)
    try:
        limits.busy(3)
    except BaseException:
        return "it strikes the consumer"
    start = monotonic()
    try:
        next(running, None)
    except BaseException:
        return None if monotonic() - start < 6 * limits.unit else "late"
    return "nothing comes out"


def in_sleep(limits: Limits) -> Verdict:
    return interrupted(limits, lambda: sleep(12 * limits.unit))


def in_a_read(limits: Limits) -> Verdict:
    reading, writing = os.pipe()
    threading.Timer(12 * limits.unit, os.close, (writing,)).start()
    return interrupted(limits, lambda: os.read(reading, 1))


def in_a_regex(limits: Limits) -> Verdict:
    return interrupted(limits, lambda: re.match("(a+)+$", "a" * 40 + "b"))


def endless() -> None:
    collections.deque(itertools.repeat(0, 10**12), maxlen=0)


def in_c(limits: Limits) -> Verdict:
    """That the process ends counts if it was asked for."""
    if limits.process:
        start = monotonic()
        try:
            limits.process(limits.unit)(endless)()
        except Exception:
            return None if monotonic() - start < 20 * limits.unit else "late"
        return "nothing comes out"
    if limits.kill:
        with limits.kill(limits.unit, limits.unit):
            endless()
        return "it returns"
    raise Lacks("nothing that acts while C code runs on")


# ---- The edges ----


def until(end: float) -> None:
    count = 0
    while monotonic() < end:
        count += 1


def at_the_end(limits: Limits, tries: int = 5000) -> Verdict:
    """Bodies that end just when their time is over: nothing may come out behind the block, and
    afterwards SIGALRM is handled as it was.
    """
    if limits.unit >= 1:
        raise Lacks("whole seconds, too long for many tries")
    limits.call(5, lambda: None)
    before = signal.getsignal(signal.SIGALRM)
    leaks = left = other = 0
    seconds = 0.001
    for number in range(tries):
        ended = False
        try:
            try:
                # The deadline is some 5 to 50 us behind one millisecond from here.
                end = monotonic() + seconds + (number % 100 - 20) * 1e-6
                if limits.block is None:
                    limits.call(seconds / limits.unit, lambda end=end: until(end))
                else:
                    with limits.block(seconds, TimeoutError):
                        # CPython 3.13 forgets all handlers for the jump of "while monotonic() ...".
                        while True:
                            if monotonic() >= end:
                                break
                ended = True
                limits.busy(0.0002 / limits.unit)
            except limits.error():
                leaks += ended
            except BaseException:
                other += 1
            limits.busy(0.0002 / limits.unit)
        except BaseException:
            leaks += 1
        if signal.getsignal(signal.SIGALRM) != before:
            left += 1
            signal.signal(signal.SIGALRM, before)
    found = {"leaks": leaks, "other exceptions": other, "handlers left behind": left}
    return ", ".join(f"{count} {what}" for what, count in found.items() if count) or None


def no_time(limits: Limits) -> Verdict:
    try:
        limits.call(0, lambda: limits.busy(3))
    except limits.error():
        return None
    return "no limit at all"


def as_a_decorator(limits: Limits) -> Verdict:
    """It gives each call a time of its own, and the function keeps its name."""
    if limits.decorator is None:
        raise Lacks("a mark on a test" if not limits.nests else "a block only")

    def work() -> str:
        limits.busy()
        return "done"

    decorated = limits.decorator(limits.unit, None)(work)
    for _ in range(2):
        try:
            if decorated() == "done":
                return "not interrupted"
        except BaseException:
            pass
    return None if decorated.__name__ == "work" else "the function's name is lost"


def in_a_thread(limits: Limits) -> Verdict:
    verdict: list[Verdict] = []

    def run() -> None:
        try:
            verdict.append(interrupted(limits, limits.busy))
        except Exception as error:
            verdict.append(f"refused: {type(error).__name__}")

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    return verdict[0]


def what_comes_out(limits: Limits) -> Verdict:
    """Not a verdict: the type, and the first of its bases that is not the library's."""
    make = limits.block
    try:
        if make:
            with make(limits.unit, None):
                limits.busy()
        elif limits.decorator:
            limits.decorator(limits.unit, None)(limits.busy)()
    except BaseException as error:
        names = [kind.__name__ for kind in type(error).__mro__ if kind.__module__ == "builtins"]
        name = type(error).__name__
        return f"`{name}`" if name == names[0] else f"`{name}({names[0]})`"
    return "nothing"


CASES: dict[str, Callable[[Limits], Verdict]] = {
    "two nested, the inner earlier: each expires in its own block": inner_earlier,
    "two nested, the outer earlier: only that expires": outer_earlier,
    "three nested, each expires in turn": three_deep,
    "a hundred nested, one with a short time": a_hundred,
    "the program's own alarm rings after the block": alarm_survives,
    "the program's SIGALRM handler is back": handler_is_back,
    "`except Exception: pass` in the body": except_exception,
    "`except BaseException: pass` in the body, three times": except_everything,
    "the body is in a `finally`": in_a_finally,
    "the block is in a generator that yields": in_a_generator,
    "`time.sleep`": in_sleep,
    "`os.read` of an empty pipe": in_a_read,
    "a regular expression that runs away": in_a_regex,
    "a loop in C that never looks": in_c,
    "the body ends when its time does, 5,000 tries: nothing leaks": at_the_end,
    "0 seconds are over at once": no_time,
    "as a decorator": as_a_decorator,
    "in another thread than the main one": in_a_thread,
}
