"""``sigcffi run``: what becomes of the signals that it is sent, whenever they come."""

from __future__ import annotations

import os
import subprocess
import sys
import threading

import pytest
from commands import COMMAND, json_line_of, line_of, python, running
from support import DEADLINE, in_thread, join

import sigcffi as signal

ALL = sorted(signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP})

# Accepts signals, and prints each with its value, until SIGRTMAX.
ACCEPTING = """
import sigcffi as signal
signal.pthread_sigmask(signal.SIG_SETMASK, signal.valid_signals())
print("there", flush=True)
while True:
    info = signal.sigwaitinfo(signal.valid_signals())
    print(int(info.si_signo), info.si_value, flush=True)
    if info.si_signo == signal.SIGRTMAX:
        break
"""
COMMAND_THAT_ACCEPTS = [sys.executable, "-W", "error", "-c", ACCEPTING]


def accepted(*words: str, sent: list[int]) -> list[int]:
    """What a command gets of what is sent to ``run``, one after the other."""
    with running("run", *words, "--", *COMMAND_THAT_ACCEPTS, start_new_session=True) as process:
        assert line_of(process.stdout) == "there"
        for signum in [*sent, signal.SIGRTMAX]:
            process.send_signal(signum)
        got = []
        while got[-1:] != [signal.SIGRTMAX]:
            got.append(int(line_of(process.stdout).split()[0]))
        assert process.wait(DEADLINE) == 0
    return got[:-1]


@pytest.mark.parametrize("words", [[], ["--group"], ["--init", "--subreaper"]])
def test_every_signal_is_passed_on(words: list[str]) -> None:
    """Also SIGCHLD, when it is sent, and those of which the default action is to stop."""
    with running("run", *words, "--", *COMMAND_THAT_ACCEPTS) as process:
        assert line_of(process.stdout) == "there"
        for signum in ALL:  # one after the other: SIGCONT and those that stop undo each other
            process.send_signal(signum)
            assert line_of(process.stdout) == f"{int(signum)} None"
        assert process.wait(DEADLINE) == 0


@pytest.mark.parametrize(
    ("words", "sent", "expected"),
    [
        (["--forward", "HUP,RTMAX"], ["HUP", "TERM", "USR1"], ["HUP"]),
        (["--rewrite", "TERM:QUIT"], ["TERM"], ["QUIT"]),
        (["--rewrite", "TERM:0"], ["TERM", "HUP"], ["HUP"]),
        (["--rewrite", "TERM:QUIT", "--rewrite", "HUP:TERM"], ["HUP"], ["TERM"]),
        (["--forward", "none", "--rewrite", "CONT:RTMAX"], ["TERM", "CONT"], []),
    ],
)
def test_it_passes_on_what_it_is_told(
    words: list[str], sent: list[str], expected: list[str]
) -> None:
    numbers = [[getattr(signal, f"SIG{name}") for name in names] for names in (sent, expected)]
    assert accepted(*words, sent=numbers[0]) == numbers[1]


def test_values_are_passed_on_in_order() -> None:
    with running("run", *COMMAND_THAT_ACCEPTS) as process:
        assert line_of(process.stdout) == "there"
        for value in range(-50, 50):
            signal.sigqueue(process.pid, signal.SIGRTMIN + 3, value)
        for value in range(-50, 50):
            assert line_of(process.stdout) == f"{signal.SIGRTMIN + 3} {value}"
        process.send_signal(signal.SIGRTMAX)
        assert process.wait(DEADLINE) == 0


def test_it_counts_them() -> None:
    with running("run", "--json", *COMMAND_THAT_ACCEPTS) as process:
        assert line_of(process.stdout) == "there"
        for signum in (signal.SIGUSR1, signal.SIGRTMAX):
            process.send_signal(signum)
        assert process.wait(DEADLINE) == 0
        assert json_line_of(process.stderr)["forwarded"] == {"SIGUSR1": 1, "SIGRTMAX": 1}


# ---- Whenever they come ----


@pytest.mark.parametrize("name", ["TERM", "HUP", "USR1", "INT", "RTMIN"])
def test_one_that_came_before_the_command_was_there_waits_for_it(name: str) -> None:
    """It is pending when ``run`` starts."""
    code = """
import os, signal, sys
signum = int(sys.argv[1])
signal.pthread_sigmask(signal.SIG_BLOCK, [signum])
os.kill(os.getpid(), signum)
os.execv(sys.argv[2], sys.argv[2:])
"""
    signum = int(getattr(signal, f"SIG{name}"))
    command = [*COMMAND, "run", "--default", "all", *python("import time; time.sleep(10000)")]
    words = python(code, str(signum), *command)
    done = subprocess.run(words, capture_output=True, timeout=DEADLINE, check=False)
    assert (done.returncode, done.stderr) == (-signum, b"")


def test_those_that_come_while_a_command_starts_and_ends_hurt_nobody() -> None:
    for _ in range(8):
        with running("run", "--ignore", "USR1", "--block", "RTMIN", "true") as process:
            until_blocked(process)
            stop = threading.Event()

            def send(process: subprocess.Popen[bytes] = process, stop: object = stop) -> None:
                while process.returncode is None and not stop.is_set():  # type: ignore[attr-defined]
                    process.send_signal(signal.SIGUSR1)
                    process.send_signal(signal.SIGRTMIN)
                    os.sched_yield()

            thread = in_thread(send)
            status = process.wait(DEADLINE)
            stop.set()
            join(thread)
            assert process.stderr is not None
            assert (status, process.stderr.readall()) == (0, b"")


def until_blocked(process: subprocess.Popen[bytes]) -> None:
    """Until it is no more Python that starts, and would end by a signal."""
    while process.poll() is None:
        try:
            if signal.SIGUSR1 in signal.process_signals(process.pid).threads[0].blocked:
                return
        except (ProcessLookupError, IndexError):
            return


def test_what_a_command_sends_to_its_group_does_not_come_back() -> None:
    """A command that passes SIGTERM on to its group would otherwise never be done with it."""
    code = """
import os, subprocess, sys
import sigcffi as signal
signal.pthread_sigmask(signal.SIG_SETMASK, signal.valid_signals())
os.kill(0, signal.SIGTERM)
got = [int(signal.sigwait(signal.valid_signals() - {signal.SIGCHLD}))]
somebody = f"import os; os.kill({os.getppid()}, {signal.SIGRTMAX})"
subprocess.run([sys.executable, "-c", somebody], check=True)
while got[-1] != signal.SIGRTMAX:
    got.append(int(signal.sigwait(signal.valid_signals() - {signal.SIGCHLD})))
print(got)
"""
    words = [*COMMAND, "run", sys.executable, "-c", code]
    done = subprocess.run(
        words, capture_output=True, text=True, start_new_session=True, check=False
    )
    assert done.stdout == f"{[int(signal.SIGTERM), int(signal.SIGRTMAX)]}\n", done


def test_a_command_may_ignore_its_children_and_is_waited_for() -> None:
    """Where SIGCHLD is ignored from the start, the kernel keeps no status."""
    code = """
import os, signal, sys
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
os.execv(sys.argv[1], sys.argv[1:])
"""
    words = python(code, *COMMAND, "run", "sh", "-c", "exit 9")
    assert subprocess.run(words, timeout=DEADLINE, check=False).returncode == 9


# ---- Orphans ----

# Leaves an orphan behind that says who its parent is now, and ends when that one has waited for it.
ORPHAN = """
import os
reading, writing = os.pipe()
if os.fork() == 0:
    middle = os.getpid()
    orphan = os.fork()
    if orphan == 0:
        while os.getppid() == middle:
            os.sched_yield()
        os.write(1, f"{os.getppid()}\\n".encode())
    else:
        os.write(writing, orphan.to_bytes(4, "big"))
    os._exit(0)
os.wait()
orphan = int.from_bytes(os.read(reading, 4), "big")
try:
    while True:
        os.kill(orphan, 0)
        os.sched_yield()
except ProcessLookupError:
    pass
"""


def test_a_subreaper_gets_orphans() -> None:
    with running("run", "--json", "--subreaper", *python(ORPHAN)) as process:
        assert line_of(process.stdout) == str(process.pid)
        assert process.wait(DEADLINE) == 0
        assert json_line_of(process.stderr)["orphans"] == 1


def test_where_no_orphans_come_it_says_so() -> None:
    done = subprocess.run([*COMMAND, "run", "--init", "true"], capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (
        0,
        b"sigcffi run: this is not the first process: without --subreaper no orphans come\n",
    )
