"""What each action does, and what it refuses: counters, bytes, signals sent on; see test_flags."""

from __future__ import annotations

import errno
import os
import signal as standard
import socket
from collections.abc import Iterator
from contextlib import contextmanager
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


@contextmanager
def pipe() -> Iterator[tuple[int, int]]:
    ends = os.pipe()
    for end in ends:
        os.set_blocking(end, False)
    yield ends
    for end in ends:
        os.close(end)


@pytest.fixture
def handled() -> list[int]:
    """A handler for S, and the calls of it."""
    calls: list[int] = []
    signal.signal(S, lambda signum, frame: calls.append(signum))
    return calls


# ---- Counters ----


def test_a_counter_counts_deliveries_from_where_it_was_attached(handled: list[int]) -> None:
    with actions.counter(S) as counter:
        for count in range(5):
            assert int(counter) == count
            os.kill(HERE, S)
        with actions.counter(S) as later:
            os.kill(HERE, S)
            assert (int(counter), int(later)) == (6, 1)
        os.kill(HERE, S)
    os.kill(HERE, S)
    assert (int(counter), int(later)) == (7, 1)


def test_what_python_has_not_looked_at_yet_is_counted(handled: list[int]) -> None:
    with actions.counter(S) as counter, signal.deferred():
        for _ in range(3):
            os.kill(HERE, S)
        assert (int(counter), handled) == (3, [])


# ---- Bytes ----


@pytest.mark.parametrize("signum", [S, R, signal.SIGRTMAX, signal.SIGHUP])
def test_the_byte_is_the_signals_number(signum: int) -> None:
    with pipe() as (reading, writing), actions.write(signum, writing) as write:
        os.kill(HERE, signum)
        os.kill(HERE, signum)
        assert os.read(reading, 100) == bytes([signum, signum])
        assert write.missed == 0


def test_a_file_and_a_socket_are_written_to_as_they_are() -> None:
    one, other = socket.socketpair()
    assert one.getblocking()
    with one, other, actions.write(S, one):
        os.kill(HERE, S)
        assert other.recv(100) == bytes([S])
    with pipe() as (reading, writing), open(writing, "wb", buffering=0, closefd=False) as file:
        with actions.write(S, file):
            os.kill(HERE, S)
        assert os.read(reading, 100) == bytes([S])


def test_closing_the_descriptor_has_no_effect_on_the_action() -> None:
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    with actions.write(S, writing) as write:
        os.close(writing)
        with open(os.devnull) as another:  # which gets the number
            assert another.fileno() == writing
            os.kill(HERE, S)
        assert os.read(reading, 100) == bytes([S])
        assert write.missed == 0
    assert os.read(reading, 100) == b""  # the copy was the last that could write
    os.close(reading)


def test_a_full_pipe_is_a_miss() -> None:
    with pipe() as (reading, writing), actions.write(S, writing) as write:
        with pytest.raises(BlockingIOError):
            while True:
                os.write(writing, bytes(4096))
        os.kill(HERE, S)
        os.kill(HERE, S)
        assert write.missed == 2
        assert repr(write) == "<Write of SIGUSR1, 2 missed, attached>"
        while len(os.read(reading, 2**20)) == 2**20:
            pass
        os.kill(HERE, S)
        assert os.read(reading, 2**20)[-1] == S
        assert write.missed == 2
    assert write.missed == 2


def test_nobody_left_to_read_is_a_miss_and_no_sigpipe() -> None:
    pipes: list[int] = []
    signal.signal(signal.SIGPIPE, lambda signum, frame: pipes.append(signum))
    one, other = socket.socketpair()
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    with one, actions.write(S, writing) as write, actions.write(S, one) as send:
        other.close()
        os.close(reading)
        with actions.counter(signal.SIGPIPE) as counter:
            os.kill(HERE, S)
            assert (write.missed, send.missed, int(counter)) == (1, 1, 0)
        with pytest.raises(BrokenPipeError):
            os.write(writing, b".")
    signal.pthread_sigmask(signal.SIG_BLOCK, ())
    assert pipes == [signal.SIGPIPE]
    os.close(writing)


def test_a_descriptor_that_was_made_blocking_since_is_a_miss() -> None:
    code = """
        import os, sigcffi as signal
        from sigcffi import actions

        reading, writing = os.pipe()
        os.set_blocking(writing, False)
        try:
            while True:
                os.write(writing, bytes(4096))
        except BlockingIOError:
            pass
        write = actions.write(signal.SIGUSR1, writing)
        os.set_blocking(writing, True)
        os.kill(os.getpid(), signal.SIGUSR1)
        print(write.missed)
    """
    assert python_says(code) == "1\n"


class NoDescriptor:
    def fileno(self) -> Any:
        return "1"


def test_what_cannot_be_written_to_is_refused() -> None:
    reading, writing = os.pipe()
    for bad, error in [
        (writing, ValueError),  # it blocks
        ("1", TypeError),
        (1.0, TypeError),
        (None, TypeError),
        (NoDescriptor(), TypeError),
        (2**31, OverflowError),
        (-(2**40), OverflowError),
    ]:
        with pytest.raises(error):
            actions.write(S, bad)  # type: ignore[arg-type]
    os.close(reading)
    os.close(writing)
    for none in (writing, -1, 2**31 - 1):
        with pytest.raises(OSError, match="descriptor") as caught:
            actions.write(S, none)
        assert caught.value.errno == errno.EBADF
    file = open(os.devnull)  # noqa: SIM115
    file.close()
    with pytest.raises(ValueError, match="closed file"):
        actions.write(S, file)
    assert signal.getsignal(S) is standard.getsignal(S) is signal.SIG_DFL


# ---- Sending on ----


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
        (HERE, ValueError),
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


# ---- Endings; how they end is in tests/subprocess ----


def test_an_exit_status_is_one_byte() -> None:
    for bad, error in [
        (-1, ValueError),
        (256, ValueError),
        (2**40, ValueError),
        ("1", TypeError),
        (1.0, TypeError),
        (None, TypeError),
    ]:
        with pytest.raises(error):
            actions.exit(S, bad)  # type: ignore[arg-type]
    assert signal.getsignal(S) is signal.SIG_DFL


def test_a_condition_is_a_flag_or_a_number_from_1_on() -> None:
    closed = actions.flag(S)
    closed.close()
    for bad, error in [
        (closed, ValueError),
        (0, ValueError),
        (-1, ValueError),
        (2**31, ValueError),
        (2**70, ValueError),
        ("1", TypeError),
        (1.0, TypeError),
        (float("nan"), TypeError),
        (actions.Counter, TypeError),
    ]:
        with pytest.raises(error):
            actions.exit(S, 1, when=bad)  # type: ignore[arg-type]
        with pytest.raises(error):
            actions.default(S, when=bad)  # type: ignore[arg-type]
    assert signal.getsignal(S) is signal.SIG_DFL


def test_the_condition_of_an_ending_lives_as_long_as_that() -> None:
    code = """
        import gc, os, sigcffi as signal
        from sigcffi import actions

        def attach():
            flag = actions.flag(signal.SIGUSR2)
            actions.exit(signal.SIGUSR1, 5, when=flag)
            flag.close()  # never set any more

        attach()
        gc.collect()
        for _ in range(3):
            with actions.flag(signal.SIGUSR1) as other:  # not in the same place
                os.kill(os.getpid(), signal.SIGUSR1)
                assert other
        print("still here")
    """
    assert python_says(code) == "still here\n"
