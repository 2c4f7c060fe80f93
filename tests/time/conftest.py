"""What tests of timers share."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from support import with_room

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
