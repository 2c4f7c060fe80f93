"""Every test gives signals back as it found them, and this is checked against the kernel.

Law: how a run ends does not depend on where it was started, nor on how long anything takes.
"""

from __future__ import annotations

import ctypes
import gc
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from support import FREE_THREADED, PYPY, Snapshot, compile_foreign

import sigcffi

# What nohup, a shell's "&" or a job of cron leaves ignored or blocked is not for the tests to find,
# nor for what they start.
for _signum in signal.valid_signals() - {signal.SIGPIPE, signal.SIGXFSZ}:
    if sigcffi.getsignal(_signum) is signal.SIG_IGN:  # PyPy's own does not ask the kernel
        signal.signal(_signum, signal.SIG_DFL)
if signal.getsignal(signal.SIGINT) is signal.SIG_DFL:
    signal.signal(signal.SIGINT, signal.default_int_handler)
signal.pthread_sigmask(signal.SIG_SETMASK, ())

# SIGURG gets its trampoline with the first signal that has one, and keeps it.
with sigcffi.ignoring(signal.SIGUSR1), sigcffi.handling(signal.SIGUSR1, lambda info, frame: None):
    pass

# Quick: the same examples each time, so that what fails has been changed. Thorough, for runs of
# stress: others each time, and many. No example fails for the time that it takes.
_PROFILE = settings(
    deadline=None,
    database=None,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.register_profile("quick", _PROFILE, derandomize=True, max_examples=100)
settings.register_profile("thorough", _PROFILE, max_examples=300)


def of_hypothesis(item: pytest.Item) -> bool:
    return getattr(getattr(item, "obj", None), "is_hypothesis_test", False)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--values", type=int, default=200_000, help="how many values the largest flood sends"
    )


def pytest_configure(config: pytest.Config) -> None:
    settings.load_profile("thorough" if config.option.markexpr == "stress" else "quick")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """What hypothesis looks for examples for belongs to the runs of stress, too."""
    if config.option.markexpr == "stress":
        for item in items:
            if of_hypothesis(item):
                item.add_marker(pytest.mark.stress)


@pytest.fixture(autouse=True, scope="session")
def away_from_the_sources(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Interpreters that tests start look where they are first: not at the source tree."""
    os.chdir(tmp_path_factory.mktemp("cwd"))


@pytest.fixture(autouse=True)
def own_garbage(request: pytest.FixtureRequest) -> Iterator[None]:
    """What a test has collected is its own garbage: pytest's memory takes ten times as long."""
    # PyPy cannot tell them apart; free-threaded builds walk through all there is for it, 40 ms a
    # test; hypothesis looks for what refers to its own.
    if PYPY or FREE_THREADED or of_hypothesis(request.node):
        yield
        return
    gc.freeze()
    yield
    gc.unfreeze()


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
