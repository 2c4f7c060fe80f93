"""Every test gives signals back as it found them, and this is checked against the kernel."""

from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest
from support import kernel, restore


@pytest.fixture(autouse=True)
def signals_as_found() -> Iterator[None]:
    before = kernel()
    handlers = {
        signum: signal.getsignal(signum)
        for signum in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}
    }
    yield
    restore(before, handlers)
    after = kernel()
    assert after == before
    assert {signum: signal.getsignal(signum) for signum in handlers} == handlers
