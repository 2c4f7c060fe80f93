"""A job in the background of a terminal: what nobody handles is to it as if it were ignored,
whatever is attached.
"""

from __future__ import annotations

import pytest
from support import needs_terminals, python_says

pytestmark = needs_terminals

# Starts the job in a session with a terminal of its own, whose foreground is the leader.
SESSION = """
import os, pty, sys

session, terminal = pty.fork()
if session == 0:
    gate, latch = os.pipe()
    child = os.fork()
    if child == 0:
        os.setpgid(0, 0)
        os.close(gate)
        os.dup2(latch, 1)
        os.execv(sys.executable, [sys.executable, "-W", "error", "-c", *sys.argv[1:]])
    os.close(latch)
    with open(gate) as said:
        said = said.read()
    _, status = os.waitpid(child, 0)
    os.write(1, f"{said}[{os.waitstatus_to_exitcode(status)}]end".encode())
    os._exit(0)
said = b""
while not said.endswith(b"end"):
    said += os.read(terminal, 1024)
os.waitpid(session, 0)
print(said.removesuffix(b"end").decode().replace("\\r", ""))
"""

START = """
import os, signal as standard, sys, termios
import sigcffi as signal
from sigcffi import actions

S = getattr(signal, sys.argv[1])
if sys.argv[2] == "ignored":
    signal.signal(S, signal.SIG_IGN)
heard = []
attach = {
    "counter": lambda: actions.counter(S),
    "receiver": lambda: signal.open_signal_receiver(S),
    "subscriber": lambda: signal.subscribe(S, lambda info, frame: heard.append(info.si_signo)),
}[sys.argv[3]]

def patiently(function, *args):
    while True:
        try:
            return function(*args)
        except (InterruptedError, termios.error):
            assert sys.argv[3] == "subscriber", "interrupted"
"""

every_disposition = pytest.mark.parametrize("base", ["ignored", "default"])
every_attachment = pytest.mark.parametrize("attached", ["counter", "receiver", "subscriber"])


def job(code: str, *args: str) -> str:
    """What a job prints, and its status."""
    return python_says(SESSION, START + code, *args)


@every_disposition
@every_attachment
def test_it_may_take_the_terminal(base: str, attached: str) -> None:
    """A call that Python handlers are to be run for ends once."""
    code = """
with attach() as attachment:
    patiently(os.tcsetpgrp, 0, os.getpgrp())
    print(os.tcgetpgrp(0) == os.getpgrp())
"""
    assert job(code, "SIGTTOU", base, attached) == "True\n[0]\n"


@every_disposition
@every_attachment
def test_it_may_change_the_terminal(base: str, attached: str) -> None:
    code = """
with attach() as attachment:
    patiently(termios.tcsetattr, 0, termios.TCSANOW, termios.tcgetattr(0))
"""
    assert job(code, "SIGTTOU", base, attached) == "[0]\n"


@every_disposition
@every_attachment
def test_it_is_told_that_it_cannot_read(base: str, attached: str) -> None:
    code = """
with attach() as attachment:
    try:
        os.read(0, 1)
    except OSError as error:
        print(error.errno == __import__("errno").EIO)
"""
    assert job(code, "SIGTTIN", base, attached) == "True\n[0]\n"


@every_disposition
def test_what_comes_afterwards_is_told_when_somebody_asks(base: str) -> None:
    """And the mask that the program knows of is its own all the time."""
    code = """
with actions.counter(S) as counter, actions.flag(S) as flag:
    patiently(os.tcsetpgrp, 0, os.getpgrp())
    assert S not in signal.pthread_sigmask(signal.SIG_BLOCK, ())
    first = int(counter)
    assert first > 0
    assert flag
    flag.clear()
    os.kill(os.getpid(), S)
    assert flag.wait(60)
    print(int(counter) - first)
    assert not standard.pthread_sigmask(signal.SIG_BLOCK, ())
"""
    assert job(code, "SIGTTOU", base, "counter") == "1\n[0]\n"


def test_a_default_action_that_is_attached_stops_it_each_time() -> None:
    code = """
watched = os.fork()
if watched == 0:
    os.setpgid(0, 0)
    actions.default(S)
    counter = actions.counter(S)
    try:
        os.read(0, 1)
    except OSError:
        os._exit(9)
    os._exit(int(counter))
for _ in range(3):
    _, status = os.waitpid(watched, os.WUNTRACED)
    print(os.WIFSTOPPED(status) and os.WSTOPSIG(status) == S)
    os.kill(watched, signal.SIGCONT)
os.kill(watched, signal.SIGKILL)
os.waitpid(watched, 0)
"""
    assert job(code, "SIGTTIN", "default", "counter") == "True\nTrue\nTrue\n[0]\n"
