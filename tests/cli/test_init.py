"""``sigcffi run --init`` as the first process of a PID namespace, and tini in its place."""

from __future__ import annotations

import json
import os
import resource
import shutil
import subprocess
import sys

import pytest
from commands import COMMAND, python
from support import DEADLINE

import sigcffi as signal
from sigcffi._core.names import name_of

UNSHARE = ["unshare", "--pid", "--fork", "--mount-proc", "--kill-child"]


def namespaces() -> bool:
    try:
        return subprocess.run([*UNSHARE, "true"], capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        return False


pytestmark = pytest.mark.skipif(
    not namespaces(), reason="unshare(1) is missing, or may not make a PID namespace here"
)
INITS = {"sigcffi": [*COMMAND, "run", "--init", "--json", "--"], "tini": ["tini", "--"]}


@pytest.fixture(params=INITS)
def init(request: pytest.FixtureRequest) -> str:
    name = str(request.param)
    if name == "tini" and shutil.which("tini") is None:
        pytest.skip("tini is not installed")
    return name


def without_core() -> None:
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def led_by(init: str, *command: str) -> subprocess.CompletedProcess[str]:
    """A command whose parent is the first process of its namespace."""
    return subprocess.run(
        [*UNSHARE, *INITS[init], *command],
        capture_output=True,
        text=True,
        timeout=10 * DEADLINE,
        preexec_fn=without_core,
        check=False,
    )


def report(done: subprocess.CompletedProcess[str]) -> dict[str, object]:
    """What ``run --json`` has said at its end, behind what the command said."""
    found: dict[str, object] = json.loads(done.stderr.splitlines()[-1])
    return found


# Leaves so many orphans behind, and waits until the first process has waited for all.
ORPHANS = """
import os, sys, time
wanted = int(sys.argv[1])
assert os.getppid() == 1
for number in range(wanted):
    child = os.fork()
    if child == 0:
        if os.fork() == 0:
            os._exit(number % 256)
        os._exit(0)
    os.waitpid(child, 0)
began = time.monotonic()
while others := [each for each in os.listdir("/proc") if each.isdigit() and int(each) > 1]:
    if others == [str(os.getpid())]:
        break
    os.sched_yield()
    if time.monotonic() - began > 60:
        break
print(len(others) - 1)
"""


def test_a_thousand_orphans_are_waited_for(init: str) -> None:
    done = led_by(init, *python(ORPHANS, "1000"))
    assert (done.returncode, done.stdout) == (0, "0\n"), done
    print(f"{init}: 1,000 orphans, {done.stdout.strip()} left")
    if init == "sigcffi":
        assert report(done)["orphans"] == 1000


# Has every signal sent to the first process, by another one, and prints those that it gets. The
# other one lives on: of the SIGCHLD of its end and the one that is passed on one could be left.
SIGNALS = """
import os, sys
import sigcffi as signal
everything = signal.valid_signals()
signal.pthread_sigmask(signal.SIG_SETMASK, everything)
last = signal.SIGRTMAX
reading, writing = os.pipe()
if os.fork() == 0:
    while True:
        os.kill(1, os.read(reading, 1)[0])
        os.kill(1, last)  # is passed on behind the other
got = []
for signum in sorted(everything - {signal.SIGKILL, signal.SIGSTOP, last}):
    os.write(writing, bytes([signum]))
    while (came := signal.sigwaitinfo(everything)).si_signo != last:
        if came.si_signo != signal.SIGCHLD or came.si_code <= 0:
            got.append(int(came.si_signo))
print(*got, int(last))
"""


def test_every_signal_that_can_be_caught_is_passed_on(init: str) -> None:
    done = led_by(init, sys.executable, "-W", "error", "-c", SIGNALS)
    assert done.returncode == 0, done
    catchable = signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}
    missing = catchable - {*map(int, done.stdout.split())}
    names = " ".join(name_of(signum) for signum in sorted(missing)) or "none"
    print(f"{init}: {len(catchable) - len(missing)} of {len(catchable)} signals; missing: {names}")
    if init == "sigcffi":
        assert not missing
        assert [*map(int, done.stdout.split())] == sorted(catchable)
    else:
        assert signal.SIGTERM not in missing


EXITING = "import os; os._exit({})"
DYING = """
import os, signal
signal.signal({0}, signal.SIG_DFL) if {0} not in (9, 19) else None
os.kill(os.getpid(), {0})
"""
ENDS = {
    **{f"exit {status}": (python(EXITING.format(status)), status) for status in (0, 1, 42, 255)},
    **{
        f"SIG{name}": (python(DYING.format(number)), 128 + number)
        for name, number in {
            "HUP": 1,
            "INT": 2,
            "ABRT": 6,
            "KILL": 9,
            "SEGV": 11,
            "PIPE": 13,
            "TERM": 15,
            "RTMIN": int(signal.SIGRTMIN),
        }.items()
    },
    "not found": (["/no/such/command"], 127),
    "not a program": (["/etc/passwd"], 126),
}


def test_it_ends_as_its_command_ends(init: str) -> None:
    found = {end: led_by(init, *command).returncode for end, (command, _) in ENDS.items()}
    right = [end for end, (_, status) in ENDS.items() if found[end] == status]
    print(f"{init}: {len(right)} of {len(ENDS)} ends; {found}")
    if init == "sigcffi":
        assert found == {end: status for end, (_, status) in ENDS.items()}


def test_it_is_ended_by_the_signal_that_ends_its_command() -> None:
    """As "docker stop" does it: from outside, where the first process is one like any other."""
    command = python("print('there', flush=True); import time; time.sleep(10000)")
    with subprocess.Popen([*UNSHARE, *INITS["sigcffi"], *command], stdout=subprocess.PIPE) as outer:
        assert outer.stdout is not None
        assert outer.stdout.readline() == b"there\n"
        with open(f"/proc/{outer.pid}/task/{outer.pid}/children") as children:
            first = int(children.read())
        os.kill(first, signal.SIGTERM)
        assert outer.wait(DEADLINE) == 128 + signal.SIGTERM


def test_a_timeout_ends_it_too() -> None:
    words = [*COMMAND, "run", "--init", "--timeout", "0.2", "--ignore", "TERM"]
    for more, status in ((["--signal", "KILL"], 137), (["--kill-after", "0.1"], 137)):
        command = [*UNSHARE, *words, *more, sys.executable, "-c", "import time; time.sleep(10000)"]
        assert subprocess.run(command, timeout=DEADLINE, check=False).returncode == status
