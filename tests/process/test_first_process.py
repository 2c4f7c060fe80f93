"""The first process of a PID namespace, as in a container: the kernel spares it every default
action that it brings about itself, and what is to end it has to end it all the same.
"""

from __future__ import annotations

import ctypes
from pathlib import Path

import pytest
from support import python_says

import sigcffi as signal

# Leads the code as the first process of a namespace, and prints how it has ended.
LEADER = """
import ctypes, os, signal, sys

NEWUSER, NEWPID, DIES_WITH_PARENT = 0x10000000, 0x20000000, 1
libc = ctypes.CDLL(None)
if libc.unshare(NEWPID) and libc.unshare(NEWUSER | NEWPID):
    print("none")
    sys.exit()
child = os.fork()
if child == 0:
    libc.prctl(DIES_WITH_PARENT, signal.SIGKILL)
    assert os.getpid() == 1
    os.execv(sys.executable, [sys.executable, "-c", *sys.argv[1:]])
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""

START = """
import os, resource, sys, threading, time
import sigcffi as signal
from sigcffi import actions

resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
"""


def ends_with(code: str, *args: str) -> int:
    """The status with which code ends as a first process."""
    said = python_says(LEADER, START + code, *args)
    if said == "none\n":
        pytest.skip("no PID namespace can be made here")
    return int(said)


def test_kill_after_ends_it() -> None:
    code = "signal.kill_after(0.1); time.sleep(1000)"
    assert ends_with(code) == 128 + signal.SIGABRT


def test_kill_after_ends_it_also_if_nobody_reads_what_it_says() -> None:
    code = """
reading, writing = os.pipe()
os.set_blocking(writing, False)
for size in (4096, 1):
    try:
        while True:
            os.write(writing, bytes(size))
    except BlockingIOError:
        pass
os.set_blocking(writing, True)
os.dup2(writing, 2)
signal.kill_after(0.1)
time.sleep(1000)
"""
    assert ends_with(code) == 128 + signal.SIGALRM


@pytest.mark.parametrize(
    "signum", [signal.SIGINT, signal.SIGTERM, signal.SIGQUIT, signal.SIGSEGV, signal.SIGRTMIN]
)
def test_a_default_action_that_is_attached_ends_it(signum: int) -> None:
    code = "S = int(sys.argv[1]); actions.default(S); os.kill(1, S); time.sleep(1000)"
    assert ends_with(code, str(int(signum))) == 128 + signum


def test_exit_ends_it() -> None:
    code = "actions.exit(signal.SIGTERM, 9); os.kill(1, signal.SIGTERM); time.sleep(1000)"
    assert ends_with(code) == 9


def test_force_quit_ends_it() -> None:
    code = """
signal.force_quit(signal.SIGTERM)
with signal.deferred():
    os.kill(1, signal.SIGTERM)
    os.kill(1, signal.SIGTERM)
    time.sleep(1000)
"""
    assert ends_with(code) == 128 + signal.SIGTERM


def test_it_is_not_stopped_and_has_everything_in_place() -> None:
    code = """
counter = actions.counter(signal.SIGTSTP)
actions.default(signal.SIGTSTP)
for _ in range(2):
    os.kill(1, signal.SIGTSTP)
os._exit(int(counter))
"""
    assert ends_with(code) == 2


@pytest.mark.parametrize(
    ("fault", "statuses"),
    [
        ("segv", {-signal.SIGSEGV}),
        ("ill", {-signal.SIGILL}),
        ("fpe", {-signal.SIGFPE}),
        ("trap", {-signal.SIGTRAP, 128 + signal.SIGTRAP}),
    ],
)
def test_a_real_fault_ends_it(foreign_path: Path, fault: str, statuses: set[int]) -> None:
    if not hasattr(ctypes.CDLL(str(foreign_path)), f"foreign_{fault}"):
        pytest.skip("the instruction for it on this processor is not known here")
    code = """
import ctypes
signal.signal(int(getattr(signal, "SIG" + sys.argv[2].upper())), lambda signum, frame: None)
getattr(ctypes.CDLL(sys.argv[1]), "foreign_" + sys.argv[2])()
"""
    assert ends_with(code, str(foreign_path), fault) in statuses
