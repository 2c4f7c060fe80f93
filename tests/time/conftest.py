"""What tests of timers share."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from support import PYPY, with_room

import sigcffi


@pytest.fixture
def make() -> Iterator[Callable[..., Any]]:
    """Timers that are closed after the test."""
    timers: list[Any] = []

    def call(*args: Any, **kwargs: Any) -> Any:
        timers.append(with_room(lambda: sigcffi.Timer(*args, **kwargs)))
        return timers[-1]

    yield call
    for timer in timers:
        timer.close()


@pytest.fixture(scope="module")
def without_jit() -> Iterator[None]:
    """PyPy compiles what is looked at before every bytecode over and over: 100 times as long, in a
    process that has run other tests, as not to compile took.
    """
    if not PYPY:
        yield
        return
    import pypyjit

    pypyjit.set_param("off")
    yield
    pypyjit.set_param("default")
