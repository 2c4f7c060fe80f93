"""Every test gives signals back as it found them, and this is checked against the kernel."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from support import Snapshot


@pytest.fixture(autouse=True)
def signals_as_found() -> Iterator[None]:
    before = Snapshot()
    yield
    before.restore()
    before.check()
