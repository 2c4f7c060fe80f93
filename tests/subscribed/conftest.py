"""Fixtures of what is called back."""

from __future__ import annotations

from collections.abc import Iterator
from queue import SimpleQueue
from typing import Any

import pytest

from sigcffi._subscribed import callbacks


@pytest.fixture
def heard() -> Iterator[SimpleQueue[Any]]:
    yield SimpleQueue()
    assert not callbacks._subscribers
    callbacks._end()  # waits for the thread
