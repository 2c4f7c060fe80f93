"""Children that sit in a C call and hold the GIL there, while signals come.

Law: a child says by a byte when it is there, and leaves when it gets one. PyPy
has no call that keeps the GIL; there its main thread sits in one that does not.
"""

from __future__ import annotations

import subprocess
import textwrap
from contextlib import AbstractContextManager
from pathlib import Path

from support import DEADLINE, in_time, running_python

import sigcffi as signal

# What each child begins with. ``look()`` runs the Python handlers that are due.
START = """
import ctypes, os, resource, sys, threading
import sigcffi as signal
from sigcffi import actions

resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
library = getattr(ctypes, "PyDLL", ctypes.CDLL)(sys.argv[1])
S = int(sys.argv[2])

def sit():
    library.foreign_sit(1, 0)

def look():
    signal.pthread_sigmask(signal.SIG_BLOCK, ())
"""


def child(
    library: Path, code: str, signum: int = signal.SIGUSR1
) -> AbstractContextManager[subprocess.Popen[bytes]]:
    code = START + textwrap.dedent(code)
    return running_python(code, str(library), str(int(signum)), stderr=subprocess.PIPE)


def ended_in_c(library: Path, code: str) -> tuple[int, bytes]:
    """The end of a child whose time is over while it sits in C: its status, and what it has printed
    to standard error. Its time is what *code* calls SECONDS.
    """

    def run(seconds: float) -> tuple[int, bytes] | None:
        with child(library, f"SECONDS = {seconds}\n{textwrap.dedent(code)}") as process:
            process.wait(DEADLINE)
            assert process.stdout is not None
            assert process.stderr is not None
            there, said = process.stdout.read(), process.stderr.read()
        return (process.returncode, said) if there else None

    return in_time(run)


def ended(process: subprocess.Popen[bytes], error: bytes = b"") -> int:
    """Wait for its end: its status, as ``Popen`` has it. This is in what it has printed to standard
    error; if it is empty, nothing else is.
    """
    process.wait(DEADLINE)
    assert process.stderr is not None
    said = process.stderr.read()
    assert error in said
    assert error or not said
    return process.returncode
