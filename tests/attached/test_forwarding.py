"""``actions.forward``: a signal goes on to a process, and to no other."""

from __future__ import annotations

import os
import signal as standard
from typing import Any

import pytest
from support import (
    python_says,
    queue,
    running_python,
    says,
    taken,
    tell,
)

import sigcffi as signal
from sigcffi import actions

S, R = signal.SIGUSR1, signal.SIGRTMIN


HERE = os.getpid()


def test_a_signal_goes_on_to_a_process_with_what_it_carries() -> None:
    code = """
        import os, sys, sigcffi as signal

        signums = {signal.SIGUSR1, signal.SIGRTMIN}
        signal.pthread_sigmask(signal.SIG_BLOCK, signums)
        print("there", flush=True)
        receiver = signal.open_signal_receiver(*signums)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, signums)
        for _ in range(3):
            info = receiver.wait()
            print(int(info.si_signo), info.si_code == signal.SI_QUEUE, info.si_value,
                  info.si_pid == os.getppid(), flush=True)
        receiver.close()
    """
    with running_python(code) as child:
        says(child, b"there\n")
        with actions.forward(S, child.pid) as one, actions.forward(R, child.pid) as other:
            os.kill(HERE, S)
            says(child, b"10 False None True\n")
            queue(R, -77)
            says(child, b"%d True -77 True\n" % R)
            os.kill(HERE, R)
            says(child, b"%d False None True\n" % R)
            assert (one.missed, other.missed) == (0, 0)
        assert child.wait() == 0


def test_what_a_process_has_sent_is_not_sent_back_to_it() -> None:
    code = """
        import os, sys, sigcffi as signal

        received = []
        signal.sigaction(signal.SIGUSR1, lambda info, frame: received.append(info.si_pid))
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGUSR1})
        os.kill(os.getppid(), signal.SIGUSR1)
        print(len(received), flush=True)
        sys.stdin.read(1)
        print(received == [os.getppid()], flush=True)
    """
    with actions.counter(S) as counter:
        signal.pthread_sigmask(signal.SIG_BLOCK, {S})
        with running_python(code) as child, actions.forward(S, child.pid) as forward:
            says(child, b"0\n")
            signal.pthread_sigmask(signal.SIG_UNBLOCK, {S})
            assert (int(counter), forward.missed) == (1, 0)
            taken(child.pid, S)
            os.kill(HERE, S)
            taken(child.pid, S)
            tell(child)
            says(child, b"True\n")


@pytest.mark.parametrize("inherit", [False, True])
def test_a_forked_childs_signals_are_its_own_unless_it_is_to_forward_them(inherit: bool) -> None:
    target = """
        import sys, sigcffi as signal

        R = signal.SIGRTMIN
        signal.pthread_sigmask(signal.SIG_BLOCK, {R})
        print("there", flush=True)
        sys.stdin.read(1)
        got = []
        while R in signal.sigpending():
            got.append(signal.sigwait({R}))
        print(len(got))
    """
    code = f"""
        import os, resource, sys, sigcffi as signal

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        R = signal.SIGRTMIN
        forward = signal.actions.forward(R, int(sys.argv[1]), inherit={inherit})
        child = os.fork()
        if child == 0:
            print(forward.closed, flush=True)
            os.kill(os.getpid(), R)
            os._exit(0)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), forward.closed, flush=True)
        os.kill(os.getpid(), R)
        print(forward.missed, flush=True)
    """
    with running_python(target) as process:
        says(process, b"there\n")
        status = 0 if inherit else -R
        assert python_says(code, str(process.pid)) == f"{not inherit}\n{status} False\n0\n"
        tell(process)
        says(process, b"%d\n" % (1 + inherit))
        assert process.wait() == 0


@pytest.mark.parametrize("group", ["0", "-os.getpgrp()"])
@pytest.mark.parametrize("queue", ["as it is", "used up"])
@pytest.mark.parametrize("signum", [S, R])
def test_in_a_group_of_ones_own_a_signal_does_not_go_round_in_circles(
    group: str, queue: str, signum: int
) -> None:
    """Where the queue is used up the kernel does not tell who has sent a real-time signal."""
    code = f"""
        import os, resource, sys, sigcffi as signal
        from sigcffi import actions

        S = {int(signum)}
        if {queue!r} == "used up":
            SIGPENDING = getattr(resource, "RLIMIT_SIGPENDING", 11)  # PyPy has no name for it
            resource.setrlimit(SIGPENDING, (0, 0))
        signal.pthread_sigmask(signal.SIG_BLOCK, {{S}})
        member = os.fork()
        if member == 0:
            for _ in range(2):
                signal.sigwait({{S}})
                print("got", flush=True)
            os._exit(0)
        counter = actions.counter(S)
        forward = actions.forward(S, {group})
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {{S}})
        print("there", flush=True)
        for _ in range(2):
            sys.stdin.read(1)
            print(int(counter), forward.missed, flush=True)
        os.waitpid(member, 0)
    """
    with running_python(code, start_new_session=True) as child:
        says(child, b"there\n")
        for count in (2, 4):
            os.kill(child.pid, signum)
            says(child, b"got\n")
            taken(child.pid, signum)
            tell(child)
            says(child, b"%d 0\n" % count)
        assert child.wait() == 0


def test_a_process_that_has_ended_is_a_miss_and_gets_no_substitute() -> None:
    with running_python("import sys; sys.stdin.read()") as child:
        forward = actions.forward(S, child.pid)
    with forward:
        os.kill(HERE, S)
        assert forward.missed == 1
        assert repr(forward) == "<Forward of SIGUSR1, 1 missed, attached>"
    with pytest.raises(ProcessLookupError):
        actions.forward(S, child.pid)
    with pytest.raises(ProcessLookupError):
        actions.forward(S, -child.pid)


def test_who_may_not_send_it_is_told() -> None:
    code = """
        import os, sigcffi as signal
        from sigcffi import actions

        dir(signal)  # another user may not read the library
        if os.getuid() == 0:
            os.setuid(65534)
        try:
            actions.forward(signal.SIGUSR1, 1)
        except PermissionError:
            print("refused", signal.getsignal(signal.SIGUSR1) is signal.SIG_DFL)
    """
    assert python_says(code) == "refused True\n"


@pytest.mark.parametrize(
    ("pid", "error"),
    [
        pytest.param(HERE, ValueError, id="own"),
        (2**31, OverflowError),
        (-(2**40), OverflowError),
        ("1", TypeError),
        (1.0, TypeError),
        (None, TypeError),
    ],
)
def test_what_is_no_other_process_is_refused(pid: Any, error: type[Exception]) -> None:
    with pytest.raises(error):
        actions.forward(S, pid)
    assert signal.getsignal(S) is standard.getsignal(S) is signal.SIG_DFL
