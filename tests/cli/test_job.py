"""``sigcffi run`` as a job of a shell, at a terminal: what stops and continues the job stops and
continues its command, and who reads the terminal is the command.
"""

from __future__ import annotations

import sys
from signal import SIGSTOP, SIGTSTP, SIGTTIN, SIGTTOU

import pytest
from commands import COMMAND
from support import needs_terminals, python_says

pytestmark = needs_terminals

# A shell with job control on a terminal of its own, and what is typed there: pairs of what the
# terminal has to show first, and the keys then. The shell brings a job that has stopped to the
# foreground again.
SHELL = """
import os, pty, select, signal, sys, termios

session, terminal = pty.fork()
if session == 0:
    signal.signal(signal.SIGTTOU, signal.SIG_IGN)
    job = os.fork()
    if job == 0:
        os.setpgid(0, 0)
        os.tcsetpgrp(0, os.getpid())
        signal.signal(signal.SIGTTOU, signal.SIG_DFL)
        os.execv(sys.argv[2], sys.argv[2:])
    while True:
        _, status = os.waitpid(job, os.WUNTRACED)
        os.tcsetpgrp(0, os.getpgrp())
        if not os.WIFSTOPPED(status):
            break
        os.write(1, f"[stopped by {os.WSTOPSIG(status)}]".encode())
        os.tcsetpgrp(0, job)
        os.killpg(job, signal.SIGCONT)
    os.write(1, f"[ended {os.waitstatus_to_exitcode(status)}]".encode())
    os._exit(0)
shown = b""

def show(what):
    global shown
    while what.encode() not in shown:
        assert select.select([terminal], [], [], 60)[0], (what, shown)
        shown += os.read(terminal, 1024)

for line in sys.argv[1].splitlines():
    what, _, keys = line.partition("|")
    show(what)
    os.write(terminal, eval(keys or "b''"))
show("[ended ")
while not shown.endswith(b"]"):
    shown += os.read(terminal, 1024)
os.waitpid(session, 0)
print(shown.decode().replace("\\r", ""))
"""

# Prints what it reads and accepts, and at the end how often Ctrl-C came: when a signal has come
# that was sent to run after it.
READER = """
import os, signal, subprocess, sys

waited_for = [signal.SIGINT, signal.SIGCONT, signal.SIGRTMAX]
signal.pthread_sigmask(signal.SIG_BLOCK, waited_for)
print("there", flush=True)
print("read", sys.stdin.readline().strip(), flush=True)
interrupts = 0
while True:
    signum = signal.sigwait(waited_for)
    if signum == signal.SIGCONT:
        print("continued", flush=True)
    elif signum == signal.SIGINT:
        interrupts += 1
        if interrupts == 1:
            code = f"import os; os.kill({os.getppid()}, {int(signal.SIGRTMAX)})"
            subprocess.run([sys.executable, "-S", "-c", code], check=True)
    else:
        print("interrupted", interrupts, flush=True)
        sys.exit(5)
"""
TYPED = """
there|b"hello\\n"
read hello|b"\\x1a"
[stopped by 20]|b""
continued|b"\\x03"
interrupted|b""
"""


def shell_says(typed: str, *words: str) -> str:
    return python_says(SHELL, typed.strip(), *COMMAND, "run", *words)


def script_says(typed: str, *words: str) -> str:
    return python_says(SHELL, typed, sys.executable, "-c", SCRIPT, *COMMAND, "run", *words)


@pytest.mark.parametrize("words", [[], ["--group"]])
def test_the_keys_are_for_the_command(words: list[str]) -> None:
    """It reads, is stopped and continued, and interrupted, each once."""
    said = shell_says(TYPED, *words, sys.executable, "-c", READER)
    assert "[stopped by 20]" in said
    assert "interrupted 1\n" in said
    assert said.endswith("[ended 5]\n")


STOPS = """
import os, signal, sys
print("there", flush=True)
os.kill(os.getpid(), int(sys.argv[1]))
print("read", sys.stdin.readline().strip(), flush=True)
sys.exit(5)
"""


@pytest.mark.parametrize("words", [[], ["--group"]])
@pytest.mark.parametrize("signum", [SIGSTOP, SIGTSTP, SIGTTIN, SIGTTOU])
def test_a_command_that_stops_itself_stops_the_job(words: list[str], signum: int) -> None:
    """Also by SIGSTOP, as bash's "suspend" does: the shell has its terminal back, and "fg" goes on
    with both.
    """
    typed = f'[stopped by {int(signum)}]|b"hello\\n"'
    said = shell_says(typed, *words, sys.executable, "-c", STOPS, str(int(signum)))
    assert said.count("stopped by") == 1
    assert "read hello\n" in said
    assert said.endswith("[ended 5]\n")


# A job that is more than run: a program in the same group, which starts run and does not look
# whether that has been stopped. It says when it has the terminal again that the command had.
SCRIPT = """
import os, subprocess, sys
with subprocess.Popen(sys.argv[1:], stdout=subprocess.PIPE) as process:
    os.write(1, process.stdout.readline())
    while os.tcgetpgrp(0) != os.getpgrp():
        os.sched_yield()
    os.write(1, b"has the terminal\\n")
    os.write(1, process.stdout.read())
sys.exit(process.returncode)
"""


def test_without_job_control_a_command_that_is_stopped_has_its_time() -> None:
    """Nobody would continue run: it does not stop by SIGSTOP, and ends the command."""
    command = [sys.executable, "-c", STOPS, str(int(SIGSTOP))]
    said = script_says("there|", "--timeout", "1", *command)
    assert "stopped by" not in said
    assert said.endswith("[ended 124]\n")


def test_the_key_that_stops_is_for_all_of_the_job() -> None:
    """The kernel sends to the group of the command alone, which has the terminal."""
    typed = 'there|b"\\x1a"\n[stopped by 20]|b"hello\\n"'
    said = script_says(typed, "--group", sys.executable, "-c", STOPS, "0")
    assert said.endswith("[ended 5]\n")


def test_the_terminal_is_not_left_to_a_command_that_is_stopped() -> None:
    typed = 'has the terminal|b"\\x1a"\n[stopped by 20]|b"hello\\n"'
    command = [sys.executable, "-c", STOPS, str(int(SIGSTOP))]
    said = script_says(typed, "--group", *command)
    assert said.endswith("[ended 5]\n")


def test_the_command_gives_the_terminal_back() -> None:
    code = """
import os, pty, subprocess, sys

session, terminal = pty.fork()
if session == 0:
    status = subprocess.call(sys.argv[1:])
    os.write(1, f"{status} {os.tcgetpgrp(0) == os.getpgrp()}!".encode())
    os._exit(0)
said = b""
while not said.endswith(b"!"):
    said += os.read(terminal, 1024)
os.waitpid(session, 0)
print(said.decode())
"""
    had = "import os; print(os.tcgetpgrp(0) == os.getpgrp() == os.getpid(), flush=True)"
    command = [*COMMAND, "run", "--group", sys.executable, "-c", had]
    assert python_says(code, *command).replace("\r", "") == "True\n0 True!\n"


def test_a_terminal_that_hangs_up_ends_the_command_once() -> None:
    """The first process of a session gets SIGHUP from the kernel, and its group does not."""
    code = """
import os, pty, select, sys

reading, writing = os.pipe()
session, terminal = pty.fork()
if session == 0:
    os.dup2(writing, 3)
    os.execv(sys.argv[1], sys.argv[1:])
os.close(writing)
shown = b""
while b"there\\r\\n" not in shown:  # before, the command is still writing
    shown += os.read(terminal, 100)
os.close(terminal)
with open(reading) as said:
    print(said.read(), os.waitstatus_to_exitcode(os.waitpid(session, 0)[1]))
"""
    command = """
import os, signal, subprocess, sys
waited_for = [signal.SIGHUP, signal.SIGRTMAX]
signal.pthread_sigmask(signal.SIG_BLOCK, waited_for)
print("there", flush=True)
got = [int(signal.sigwait(waited_for))]
code = f"import os; os.kill({os.getppid()}, {int(signal.SIGRTMAX)})"
null = subprocess.DEVNULL  # the terminal is gone
subprocess.run([sys.executable, "-S", "-c", code], stdin=null, stdout=null, stderr=null)
while got[-1] != signal.SIGRTMAX:
    got.append(int(signal.sigwait(waited_for)))
os.write(3, str(len(got)).encode())
os._exit(7)
"""
    words = [*COMMAND, "run", sys.executable, "-c", command]
    assert python_says(code, *words) == "2 7\n"
