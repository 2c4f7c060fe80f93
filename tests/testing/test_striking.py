"""``strike``: a signal at every place of a function in turn finds what a handler's exception there
leaves undone.
"""

from __future__ import annotations

import contextlib
import os
import signal as standard
import sys
import threading
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

import pytest
from support import PYPY, in_thread, join, python_says

import sigcffi as signal
from sigcffi.testing import Strike, strike

S = signal.SIGUSR1

traced_as_it_runs = pytest.mark.skipif(
    sys.version_info >= (3, 15),
    reason="CPython 3.15, while it traces bytecodes, looks for signals before a with block begins",
)


class Struck(BaseException):
    pass


def handler(signum: int, frame: FrameType | None) -> None:
    raise Struck


@pytest.fixture(autouse=True)
def installed() -> Iterator[None]:
    before = standard.signal(S, handler)
    yield
    standard.signal(S, before)


lock = threading.Lock()


def with_a_window() -> None:
    lock.acquire()
    try:
        abs(-1)
    finally:
        lock.release()


def mended() -> None:
    with lock:
        abs(-1)


def left_locked(function: Callable[[], None], **how: Any) -> tuple[int, list[Strike]]:
    """How often it was struck, and by which strikes the lock was left locked."""
    strikes, found = 0, []
    for each in strike(S, function, **how):
        strikes += 1
        if lock.locked():
            lock.release()
            found.append(each)
    return strikes, found


@pytest.mark.parametrize("at", ["every bytecode", "every line"])
def test_it_finds_the_window_between_a_lock_and_its_try(at: str) -> None:
    _, found = left_locked(with_a_window, at=at)
    assert found
    first = with_a_window.__code__.co_firstlineno
    for each in found:
        assert isinstance(each.exception, Struck)
        assert each.result is None
        assert each.place is not None
        assert each.place.name == "with_a_window"
        assert each.place.filename == __file__
        assert each.place.line in ("lock.acquire()", "try:", "lock.release()")
        assert each.place.lineno is not None
        assert first < each.place.lineno <= first + 5
    if at == "every bytecode":
        for each in found:
            [again] = left_locked(with_a_window, at=each.number)[1]
            assert again.number == each.number


@pytest.mark.skipif(
    PYPY, reason="PyPy looks between any two bytecodes of a with statement, where nobody can help"
)
@pytest.mark.skipif(
    sys.version_info[:2] == (3, 14),
    reason="CPython 3.14 looks behind an __enter__ in C, and then calls no __exit__",
)
@pytest.mark.parametrize(
    "at", [pytest.param("every bytecode", marks=traced_as_it_runs), "every line"]
)
def test_it_finds_nothing_where_the_window_is_mended(at: str) -> None:
    strikes, found = left_locked(mended, at=at)
    assert strikes > 2
    assert found == []


def test_each_place_is_struck_once_in_order_until_the_function_is_too_short() -> None:
    came = []
    standard.signal(S, lambda signum, frame: came.append(signum))
    strikes = list(strike(S, lambda: sorted([3, 1, 2], key=lambda number: abs(number))))
    assert [each.number for each in strikes] == list(range(1, len(strikes) + 1))
    assert came == [S] * len(strikes)
    assert {tuple(each.result) for each in strikes} == {(1, 2, 3)}
    assert {each.exception for each in strikes} == {None}
    names = {each.place.name for each in strikes if each.place is not None}
    assert len(names) == 2  # what is called is struck, too
    assert "returned [1, 2, 3]" in repr(strikes[0])


def test_some_places_are_struck_as_they_are_named() -> None:
    def program() -> int:
        return abs(abs(abs(-1)))

    assert [each.number for each in strike(S, program, at=2)] == [2]
    assert [each.number for each in strike(S, program, at=range(1, 6, 2))] == [1, 3, 5]
    assert list(strike(S, program, at=100_000)) == []


def test_lines_are_fewer_than_bytecodes() -> None:
    def program() -> int:
        one = abs(-1)
        return one + abs(-2)

    lines = [each.place.lineno for each in strike(S, program, at="every line") if each.place]
    first = program.__code__.co_firstlineno
    assert sorted(set(lines)) == [first + 1, first + 2]
    assert len(lines) <= 3  # the function's end may count, too
    assert len(list(strike(S, program))) > 4


def test_what_the_function_raises_unstruck_is_raised() -> None:
    def program() -> None:
        raise KeyError("its own")

    with pytest.raises(KeyError, match="its own"):
        list(strike(S, program))


def test_a_trace_function_that_was_there_is_there_again() -> None:
    before = sys.gettrace()
    with contextlib.closing(strike(S, lambda: abs(-1))) as strikes:  # type: ignore[type-var]
        next(strikes)
        assert sys.gettrace() is before
    assert sys.gettrace() is before


def test_bad_input_is_refused_before_anything_is_called() -> None:
    called: list[int] = []

    def program() -> None:
        called.append(1)

    bad: list[tuple[type[Exception], tuple[Any, ...], dict[str, Any]]] = [
        (ValueError, (0, program), {}),
        (TypeError, ("SIGUSR1", program), {}),
        (TypeError, (S, None), {}),
        (ValueError, (S, program), {"at": "now and then"}),
        (ValueError, (S, program), {"at": 0}),
        (ValueError, (S, program), {"at": [1, -1]}),
        (TypeError, (S, program), {"at": 1.5}),
        (ValueError, (signal.SIGUSR2, program), {}),  # has no handler
        (ValueError, (signal.SIGKILL, program), {}),
    ]
    for error, arguments, how in bad:
        with pytest.raises(error):
            strike(*arguments, **how)
    with signal.blocked(S), pytest.raises(ValueError, match="blocked"):
        strike(S, program)
    raised: list[Exception] = []

    def elsewhere() -> None:
        try:
            strike(S, program)
        except ValueError as error:
            raised.append(error)

    join(in_thread(elsewhere))
    assert len(raised) == 1
    assert called == []


def test_a_program_proves_that_ctrl_c_leaves_its_files_in_order() -> None:
    """In an interpreter of its own: with the handler of SIGINT that is there from the beginning."""
    code = """
        import os, sys
        from signal import SIGINT
        from sigcffi.testing import strike

        os.chdir(sys.argv[1])

        def save(text):
            with open("new", "w") as file:
                file.write(text)
            os.replace("new", "settings")

        open("settings", "w").close()
        struck = 0
        for each in strike(SIGINT, lambda: save("text"), only=lambda code: code is save.__code__):
            with open("settings") as file:
                assert file.read() in ("", "text"), each
            struck += isinstance(each.exception, KeyboardInterrupt)
            open("settings", "w").close()
        print("struck" if struck > 3 else struck)
    """
    assert python_says(code, os.getcwd()) == "struck\n"
