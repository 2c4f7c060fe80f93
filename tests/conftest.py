"""Every test gives signals back as it found them, and this is checked against the kernel."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from support import Snapshot, compile_foreign

# What a shell starts in the background ignores SIGINT, and so does all that it starts in turn: a
# test that waits for Ctrl-C to end something would wait for ever.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True, scope="session")
def away_from_the_sources(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Interpreters that tests start look where they are first: not at the source tree."""
    os.chdir(tmp_path_factory.mktemp("cwd"))


@pytest.fixture(autouse=True)
def signals_as_found() -> Iterator[None]:
    before = Snapshot()
    yield
    before.restore()
    before.check()


@pytest.fixture(scope="session")
def foreign_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A C library that installs handlers of its own, as a file to be loaded."""
    return compile_foreign(tmp_path_factory.mktemp("foreign"))


@pytest.fixture(scope="session")
def foreign(foreign_path: Path) -> ctypes.CDLL:
    return ctypes.CDLL(str(foreign_path))


@pytest.fixture(scope="session")
def flooder(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A program that sends many values."""
    program = tmp_path_factory.mktemp("flooder") / "flooder"
    source = Path(__file__).with_name("flooder.c")
    subprocess.run([os.environ.get("CC", "cc"), "-O2", "-o", program, source], check=True)
    return str(program)
