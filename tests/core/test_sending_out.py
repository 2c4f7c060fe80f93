"""``sigqueue`` to other processes: who gets it, and why a call is refused."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from support import DEADLINE, needs_pthread_sigqueue, python_says

import sigcffi as signal
from sigcffi._sigcffi import lib

needs_sigqueue = pytest.mark.skipif(not lib.SIGCFFI_HAS_SIGQUEUE, reason="no sigqueue(3)")


INT_MIN, INT_MAX = -(2**31), 2**31 - 1


@pytest.fixture(
    params=[
        pytest.param("sigqueue", marks=needs_sigqueue),
        pytest.param("pthread_sigqueue", marks=needs_pthread_sigqueue),
    ]
)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def block(*signums: int) -> None:
    signal.pthread_sigmask(signal.SIG_BLOCK, signums)


@needs_sigqueue
def test_a_process_that_is_gone_is_not_found() -> None:
    child = subprocess.Popen([sys.executable, "-S", "-c", ""])
    child.wait(DEADLINE)
    for signum in (0, signal.SIGUSR1):
        with pytest.raises(ProcessLookupError):
            signal.sigqueue(child.pid, signum)


@needs_sigqueue
@pytest.mark.skipif(sys.platform != "linux", reason="a promise of Linux")
@pytest.mark.parametrize("pid", [0, -1, pytest.param(-os.getpid(), id="own"), INT_MIN])
def test_no_group_is_meant_by_a_process_id(pid: int) -> None:
    block(signal.SIGUSR1)
    with pytest.raises(ProcessLookupError):
        signal.sigqueue(pid, signal.SIGUSR1)
    assert signal.SIGUSR1 not in signal.sigpending()


@needs_sigqueue
@pytest.mark.skipif(os.getuid() != 0, reason="only root can become somebody else")
def test_a_process_of_another_user_is_out_of_reach() -> None:
    said = python_says(
        """
        import os, sigcffi
        dir(sigcffi)  # another user may not read the library
        sigcffi.pthread_sigmask(sigcffi.SIG_BLOCK, [sigcffi.SIGUSR1])
        sigqueue = sigcffi.sigqueue  # imported now: somebody else may not read it
        child = os.fork()
        if child == 0:
            try:
                os.setgroups([])
                os.setgid(65534)
                os.setuid(65534)
                for signum in (0, sigcffi.SIGUSR1):
                    try:
                        sigqueue(os.getppid(), signum, 1)
                    except PermissionError:
                        pass
                    else:
                        os._exit(1)
                os._exit(0)
            finally:
                os._exit(2)
        print(os.waitpid(child, 0)[1], sigcffi.SIGUSR1 in sigcffi.sigpending())
        """
    )
    assert said == "0 False\n"


@needs_sigqueue
def test_another_process_gets_it() -> None:
    child = subprocess.Popen(
        [
            sys.executable,
            "-S",
            "-c",
            "import signal; signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGRTMIN]); "
            "print(flush=True); print(signal.sigwait([signal.SIGRTMIN]) == signal.SIGRTMIN)",
        ],
        stdout=subprocess.PIPE,
    )
    assert child.stdout is not None
    child.stdout.readline()
    signal.sigqueue(child.pid, signal.SIGRTMIN, 1)
    assert child.communicate(timeout=DEADLINE)[0] == b"True\n"
    assert child.returncode == 0


def test_an_auditing_hook_learns_the_arguments_and_can_refuse(name: str) -> None:
    """In a process of its own: nothing takes a hook away again."""
    code = f"""
        import os, sys, threading
        import sigcffi as signal

        class RefusedError(Exception):
            pass

        def hook(event, arguments):
            if event.startswith("sigcffi."):
                print(event, arguments[0] == here, *map(int, arguments[1:]))
                if arguments[2] == 4:
                    raise RefusedError

        def is_pending():
            print(signal.SIGUSR1 in signal.sigpending())

        send = signal.{name}
        here = os.getpid() if {name!r} == "sigqueue" else threading.get_ident()
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1])
        sys.addaudithook(hook)
        try:
            send(here, signal.SIGUSR1, 4)
        except RefusedError:
            print("refused")
        is_pending()
        send(here, signal.SIGUSR1, -4)
        is_pending()
        send(here, 0)
    """
    number = int(signal.SIGUSR1)
    assert python_says(code).splitlines() == [
        *(f"sigcffi.{name} True {number} 4", "refused", "False"),
        *(f"sigcffi.{name} True {number} -4", "True"),
        f"sigcffi.{name} True 0 0",
    ]
