"""``sigcffi send``: to processes that are held on to, with values, to threads, and what follows."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator

import pytest
from commands import line_of, outcome, python, running
from support import DEADLINE, in_thread, join, running_python, says, tell

import sigcffi as signal
from sigcffi._core import sending
from sigcffi._sigcffi import lib

pytestmark = pytest.mark.skipif(not lib.SIGCFFI_HAS_PIDFD, reason="no pidfd_open(2)")

# Prints each signal that it gets with its value, a line each, until SIGTERM.
RECEIVER = """
import sigcffi as signal
with signal.open_signal_receiver(
    signal.SIGUSR1, signal.SIGUSR2, signal.SIGRTMIN, signal.SIGTERM
) as receiver:
    print("there", flush=True)
    for info in receiver:
        print(int(info.si_signo), info.code_name, info.si_value, flush=True)
        if info.si_signo == signal.SIGTERM:
            break
"""


@pytest.fixture
def receiver() -> Iterator[subprocess.Popen[bytes]]:
    with running_python(RECEIVER) as process:
        says(process, b"there\n")
        yield process


@pytest.fixture
def stubborn() -> Iterator[subprocess.Popen[bytes]]:
    """A process that ignores SIGTERM and SIGINT."""
    code = """
        import signal, sys
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        print(flush=True)
        sys.stdin.read(1)
    """
    with running_python(code) as process:
        says(process, b"\n")
        yield process


@pytest.mark.parametrize("name", ["USR1", "SIGUSR1", "sigusr1", str(int(signal.SIGUSR1))])
def test_a_signal_has_a_name_or_a_number(receiver: subprocess.Popen[bytes], name: str) -> None:
    assert outcome("send", name, str(receiver.pid)) == (0, "", "")
    assert line_of(receiver.stdout) == f"{int(signal.SIGUSR1)} SI_USER None"


@pytest.mark.parametrize("value", [0, 5, -1, -(2**31), 2**31 - 1])
def test_it_carries_a_value(receiver: subprocess.Popen[bytes], value: int) -> None:
    words = "send", "RTMIN", str(receiver.pid), "--value", str(value)
    assert outcome(*words) == (0, "", "")
    assert line_of(receiver.stdout) == f"{signal.SIGRTMIN} SI_QUEUE {value}"


def test_zero_only_looks() -> None:
    assert outcome("send", "0", str(os.getpid())) == (0, "", "")
    gone = subprocess.Popen([sys.executable, "-S", "-c", ""])
    gone.wait(DEADLINE)
    complaint = f"sigcffi send: process {gone.pid}: No such process\n"
    assert outcome("send", "0", str(gone.pid)) == (1, "", complaint)


def test_one_that_is_gone_keeps_nothing_from_the_others(
    receiver: subprocess.Popen[bytes],
) -> None:
    gone = subprocess.Popen([sys.executable, "-S", "-c", ""])
    gone.wait(DEADLINE)
    words = "send", "--json", "USR1", str(gone.pid), str(receiver.pid)
    status, said, complained = outcome(*words)
    assert (status, complained) == (1, f"sigcffi send: process {gone.pid}: No such process\n")
    assert json.loads(said)["processes"] == [
        {"pid": gone.pid, "sent": [], "ended": None, "error": "No such process"},
        {"pid": receiver.pid, "sent": ["SIGUSR1"], "ended": None, "error": None},
    ]
    assert line_of(receiver.stdout).startswith(f"{int(signal.SIGUSR1)} ")


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become somebody else")
def test_without_permission_nothing_is_sent(receiver: subprocess.Popen[bytes]) -> None:
    code = """
import os, sys
import sigcffi
from sigcffi._cli import send
dir(sigcffi)
send._parser().parse_args(["TERM", "1"])  # nobody may read where the interpreter is
os.setgid(65534)
os.setuid(65534)
sys.exit(send.main(["TERM", sys.argv[1]]))
"""
    done = subprocess.run(
        [sys.executable, "-c", code, str(receiver.pid)], capture_output=True, text=True, check=False
    )
    complaint = f"sigcffi send: process {receiver.pid}: Operation not permitted\n"
    assert (done.returncode, done.stderr) == (1, complaint)
    assert receiver.poll() is None


# ---- --require-handler ----


def test_a_handler_may_be_required(receiver: subprocess.Popen[bytes]) -> None:
    words = "send", "--require-handler", "HUP", str(receiver.pid)
    complaint = f"sigcffi send: process {receiver.pid}: it has no handler for SIGHUP\n"
    assert outcome(*words) == (1, "", complaint)
    assert receiver.poll() is None
    assert outcome("send", "--require-handler", "USR2", str(receiver.pid)) == (0, "", "")
    assert line_of(receiver.stdout).startswith(f"{int(signal.SIGUSR2)} ")


def test_to_ignore_is_not_to_handle(stubborn: subprocess.Popen[bytes]) -> None:
    words = "send", "--require-handler", "TERM", str(stubborn.pid)
    complaint = f"sigcffi send: process {stubborn.pid}: it has no handler for SIGTERM\n"
    assert outcome(*words) == (1, "", complaint)


# ---- --thread ----


HOW = {None: "SI_USER", 7: "SI_QUEUE"}  # by sigwaitinfo(3), which does not say SI_TKILL


def waiting_thread(got: list[object]) -> threading.Thread:
    """A thread that waits for a signal which every thread blocks."""
    begun = threading.Event()

    def wait() -> None:
        begun.set()
        info = signal.sigwaitinfo([signal.SIGRTMIN + 1])
        got.append((info.code_name, info.si_value, info.si_pid))

    thread = in_thread(wait)
    assert begun.wait(DEADLINE)
    return thread


@pytest.mark.parametrize("value", [None, 7])
def test_one_thread_gets_it(value: int | None) -> None:
    got: list[object] = []
    with signal.blocked(signal.SIGRTMIN + 1):
        thread = waiting_thread(got)
        words = ["send", "RTMIN+1", str(os.getpid()), "--thread", str(thread.native_id)]
        words += [] if value is None else ["--value", str(value)]
        assert outcome(*words) == (0, "", "")
        join(thread)
        assert not signal.sigpending()
    [(code, found, _)] = got  # type: ignore[misc]
    assert (code, found) == (HOW[value], value)


@pytest.mark.parametrize("value", [None, 7])
def test_one_thread_gets_it_also_on_a_kernel_that_knows_no_pidfd_of_threads(
    value: int | None,
) -> None:
    got: list[object] = []
    with signal.blocked(signal.SIGRTMIN + 1):
        thread = waiting_thread(got)
        sending.send_to_thread(os.getpid(), thread.native_id or 0, signal.SIGRTMIN + 1, value)
        join(thread)
    assert got == [(HOW[value], value, os.getpid())]


def test_a_thread_of_another_process_is_none_of_this_one(
    receiver: subprocess.Popen[bytes],
) -> None:
    for tid in (os.getpid(), 2**31 - 1):
        words = "send", "TERM", str(receiver.pid), "--thread", str(tid)
        complaint = f"sigcffi send: process {receiver.pid}: it has no thread {tid}\n"
        assert outcome(*words) == (1, "", complaint)
    assert receiver.poll() is None


def test_a_threads_number_is_no_processs() -> None:
    end = threading.Event()
    thread = in_thread(end.wait)  # type: ignore[arg-type]
    status, said, complained = outcome("send", "TERM", str(thread.native_id))
    end.set()
    join(thread)
    assert (status, said) == (1, "")
    assert complained == f"sigcffi send: process {thread.native_id}: this is a thread's number\n"


# ---- --then ----


def test_it_waits_until_the_process_has_ended(receiver: subprocess.Popen[bytes]) -> None:
    words = "send", "--json", "TERM", str(receiver.pid), "--then", "KILL:1000"
    status, said, complained = outcome(*words)
    assert (status, complained) == (0, "")
    assert json.loads(said)["processes"] == [
        {"pid": receiver.pid, "sent": ["SIGTERM"], "ended": True, "error": None}
    ]
    assert receiver.wait(DEADLINE) == 0


def test_one_that_does_not_end_is_sent_others(stubborn: subprocess.Popen[bytes]) -> None:
    words = ["send", "--json", "TERM", str(stubborn.pid), "--then", "INT:0.1", "--then", "KILL:0"]
    status, said, complained = outcome(*words)
    assert (status, complained) == (0, "")
    [found] = json.loads(said)["processes"]
    assert found["sent"] == ["SIGTERM", "SIGINT", "SIGKILL"]
    assert found["ended"]
    assert stubborn.wait(DEADLINE) == -signal.SIGKILL


def test_each_is_sent_what_it_takes(
    receiver: subprocess.Popen[bytes], stubborn: subprocess.Popen[bytes]
) -> None:
    words = ["send", "--json", "TERM", str(receiver.pid), str(stubborn.pid)]
    with running(*words, "--then", "KILL:1000") as process:
        assert receiver.wait(DEADLINE) == 0
        tell(stubborn)
        assert stubborn.wait(DEADLINE) == 0
        assert process.wait(DEADLINE) == 0
        found = json.loads(line_of(process.stdout))["processes"]
    assert [each["sent"] for each in found] == [["SIGTERM"], ["SIGTERM"]]


def test_a_zombie_has_ended() -> None:
    child = subprocess.Popen(python(""))
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT) if hasattr(os, "waitid") else None
    words = "send", "TERM", str(child.pid), "--then", "KILL:1000"
    assert outcome(*words)[0] == 0
    child.wait()
