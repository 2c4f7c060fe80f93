"""``process_signals``: what any process does about signals."""

from __future__ import annotations

import os
import pickle
import signal as standard
import threading

import pytest
from support import (
    DEADLINE,
    child_that_exits_with,
    in_thread,
    join,
    python_says,
    running_python,
    says,
    tell,
    until,
)

import sigcffi as signal
from sigcffi import SIGRTMIN, SIGTERM, SIGUSR1, SIGUSR2, process_signals

pytestmark = pytest.mark.skipif(
    not os.path.exists("/proc/self/status"), reason="no /proc that tells of processes"
)

# Starts what follows where something is not as usual; "none" where that may not be done.
ELSEWHERE = """
import ctypes, os, signal, subprocess, sys
NEWNS, NEWPID, PRIVATE, RECURSIVE = 0x20000, 0x20000000, 1 << 18, 1 << 14
libc = ctypes.CDLL(None)
import sigcffi
dir(sigcffi)

def alone():
    if libc.unshare(NEWNS) or libc.mount(None, b"/", None, PRIVATE | RECURSIVE, None):
        print("none")
        sys.exit()
"""


def elsewhere(code: str) -> str:
    said = python_says(ELSEWHERE + code)
    if said == "none\n":
        pytest.skip("this user may not change what is mounted")
    return said


def test_it_tells_what_this_process_ignores_catches_and_blocks() -> None:
    signal.signal(SIGUSR1, signal.SIG_IGN)
    signal.signal(SIGUSR2, lambda signum, frame: None)
    with signal.blocked(SIGTERM, SIGRTMIN + 2):
        found = process_signals(os.getpid())
    [main] = [thread for thread in found.threads if thread.tid == os.getpid()]
    assert found.pid == os.getpid()
    assert SIGUSR1 in found.ignored
    assert SIGUSR2 in found.caught
    assert SIGUSR1 not in found.caught
    assert {SIGTERM, SIGRTMIN + 2} <= main.blocked
    assert main.state == "running"
    for signum in signal.valid_signals():
        handler = standard.getsignal(signum)
        assert (signum in found.ignored) == (handler == standard.SIG_IGN)
        assert (signum in found.caught) >= callable(handler)


def test_what_is_pending_is_told_by_thread_and_for_the_process() -> None:
    begun, end = threading.Event(), threading.Event()

    def block() -> None:
        standard.pthread_sigmask(standard.SIG_BLOCK, [SIGUSR1, SIGUSR2])
        begun.set()
        end.wait(DEADLINE)

    thread = in_thread(block)
    assert begun.wait(DEADLINE)
    assert thread.ident is not None
    with signal.blocked(SIGUSR1, SIGUSR2):
        signal.pthread_kill(thread.ident, SIGUSR1)
        signal.pthread_kill(threading.get_ident(), SIGUSR2)
        os.kill(os.getpid(), SIGUSR2)
        found = process_signals(os.getpid())
        end.set()
        join(thread)
        signal.sigdrain([SIGUSR1, SIGUSR2])
    states = {each.tid: each for each in found.threads}
    assert states[thread.native_id or 0].pending == {SIGUSR1}
    assert {SIGUSR1, SIGUSR2} <= states[thread.native_id or 0].blocked
    assert states[os.getpid()].pending == {SIGUSR2}
    assert found.pending == {SIGUSR2}


def test_it_tells_of_another_process() -> None:
    code = """
        import signal, sys
        signal.signal(signal.SIGUSR1, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGHUP])
        print(flush=True)
        sys.stdin.read(1)
    """
    with running_python(code) as child:
        says(child, b"\n")
        child.send_signal(signal.SIGHUP)
        until(lambda: process_signals(child.pid).threads[0].state == "sleeping", "it waits")
        found = process_signals(child.pid)
        assert found == process_signals(child.pid)
        assert hash(found) == hash(process_signals(child.pid))
        assert SIGUSR1 in found.ignored
        assert signal.SIGINT in found.caught
        assert (found.pending, found.threads[0].blocked) == ({signal.SIGHUP}, {signal.SIGHUP})
        assert found.threads[0].tid == child.pid
        assert found.name == found.threads[0].name
        tell(child)
        child.wait(DEADLINE)
        with pytest.raises(ProcessLookupError):
            process_signals(child.pid)


def test_a_process_that_has_ended_and_is_not_waited_for_is_a_zombie() -> None:
    with child_that_exits_with(0) as child:
        until(lambda: process_signals(child.pid).state == "zombie", "its end")


def test_the_number_of_a_thread_is_not_a_processs() -> None:
    end = threading.Event()
    thread = in_thread(end.wait)  # type: ignore[arg-type]
    with pytest.raises(ProcessLookupError, match=f"is a thread of process {os.getpid()}"):
        process_signals(thread.native_id or 0)
    end.set()
    join(thread)


@pytest.mark.parametrize(
    ("pid", "error"),
    [
        *((0, ValueError), (-1, ValueError)),
        *((2**31, OverflowError), (-(2**40), OverflowError)),
        *(("1", TypeError), (1.0, TypeError), (None, TypeError)),
        (2**31 - 1, ProcessLookupError),
    ],
)
def test_what_is_no_process_is_refused(pid: object, error: type[Exception]) -> None:
    with pytest.raises(error):
        process_signals(pid)  # type: ignore[arg-type]


def test_without_proc_it_says_so() -> None:
    said = elsewhere(
        """
alone()
assert libc.mount(b"none", b"/proc", b"tmpfs", 0, None) == 0
try:
    sigcffi.process_signals(os.getpid())
except FileNotFoundError as error:
    print(error)
"""
    )
    assert said == "[Errno 2] no /proc that tells of processes: '/proc'\n"


@pytest.mark.parametrize("hidden", [1, 2])
def test_a_process_that_proc_hides_is_out_of_reach(hidden: int) -> None:
    said = elsewhere(
        f"""
alone()
if libc.mount(b"none", b"/proc", b"proc", 0, b"hidepid={hidden}"):
    print("none")
    sys.exit()
os.setgroups([])
os.setgid(65534)
os.setuid(65534)
try:
    sigcffi.process_signals(1)
except PermissionError as error:
    print("refused")
print(sigcffi.process_signals(os.getpid()).pid == os.getpid())
"""
    )
    assert said == "refused\nTrue\n"


def test_what_is_told_is_a_value() -> None:
    found = process_signals(os.getpid())
    assert pickle.loads(pickle.dumps(found)) == found
    assert f"ProcessSignals(pid={os.getpid()}, name=" in repr(found)
    assert found != found.threads[0]
    assert found.threads[0] != 1
