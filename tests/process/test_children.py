"""What the processes have that Python starts: by fork, by multiprocessing, by subprocess."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from support import DEADLINE, PYPY, python_says

import sigcffi as signal

S = signal.SIGUSR1

PROGRAM = """
import multiprocessing, os, sys, warnings
import sigcffi as signal
from sigcffi import actions

warnings.simplefilter("ignore", DeprecationWarning)  # of a fork beside the library's thread


def child():
    os.kill(os.getpid(), signal.SIGUSR1)
    signal.pthread_sigmask(signal.SIG_BLOCK, ())


def callback(info, frame):
    pass


WHATS = {{
    "subscribe": lambda inherit: signal.subscribe(signal.SIGUSR1, callback, inherit=inherit),
    "thread": lambda inherit: signal.subscribe(
        signal.SIGUSR1, callback, where="thread", inherit=inherit
    ),
    "action": lambda inherit: actions.counter(signal.SIGUSR1, inherit=inherit),
    "receiver": lambda inherit: signal.open_signal_receiver(signal.SIGUSR1, inherit=inherit),
    "shutdown": lambda inherit: signal.shutdown(signal.SIGUSR1, inherit=inherit),
}}

if __name__ == "__main__":
    with WHATS[{what!r}]({inherit}):
        process = multiprocessing.get_context({method!r}).Process(target=child)
        process.start()
        process.join()
    print(process.exitcode)
"""


@pytest.mark.parametrize("inherit", [False, True])
@pytest.mark.parametrize("what", ["subscribe", "thread", "action", "receiver", "shutdown"])
@pytest.mark.parametrize("method", ["fork", "forkserver", "spawn"])
def test_a_process_of_multiprocessing_has_what_it_inherits(
    tmp_path: Path, method: str, what: str, inherit: bool
) -> None:
    """Of its parent's only if it was forked by that itself."""
    program = tmp_path / "program.py"
    program.write_text(PROGRAM.format(method=method, what=what, inherit=inherit))
    done = subprocess.run(
        [sys.executable, "-W", "error", program],
        capture_output=True,
        check=False,
        text=True,
        timeout=DEADLINE,
    )
    # PyPy crashes if a thread is started in a child that does not know yet that it is one.
    has = inherit and method == "fork" and not (PYPY and what == "thread")
    status = 0 if has else -S
    assert (done.stdout, done.stderr) == (f"{status}\n", "")


def test_a_program_starts_with_the_mask_that_its_parent_has_chosen() -> None:
    code = """
    import os, subprocess, sys
    import sigcffi as signal
    PRINT = "import signal; print(*sorted(map(int, signal.pthread_sigmask(signal.SIG_BLOCK, ()))))"
    signal.subscribe(signal.SIGUSR1, print, where="thread")
    signal.sigaction(signal.SIGUSR2, lambda info, frame: None)
    def started():
        return subprocess.check_output([sys.executable, "-c", PRINT], text=True).split()
    print(*started())
    with signal.blocked(signal.SIGUSR1, signal.SIGWINCH):
        print(started() == [str(int(s)) for s in sorted((signal.SIGUSR1, signal.SIGWINCH))])
    for _ in range(5000):
        os.kill(os.getpid(), signal.SIGUSR2)
    print(*started())
    """
    assert python_says(code) == "\nTrue\n\n"
