"""What several tests need: an eye on the kernel that does not go through the library, and children.

Law: no sleeping. A test waits for an event: a pipe, a process's end, a state read from /proc.
"""

from __future__ import annotations

import os
import re
import select
import signal
import subprocess
import sys
import sysconfig
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any, TypeVar

import pytest

import sigcffi
from sigcffi import SigInfo
from sigcffi._changes.installed import notice
from sigcffi._core.ffi import words
from sigcffi._dispatch.changing import changing
from sigcffi._handlers import signal as _handlers
from sigcffi._sigcffi import ffi, lib
from sigcffi._testing.kernel import disposition, kernel
from sigcffi._time.schedule import NEVER, schedule

T = TypeVar("T")

needs_pthread_sigqueue = pytest.mark.skipif(
    not lib.SIGCFFI_HAS_PTHREAD_SIGQUEUE, reason="no pthread_sigqueue(3)"
)

PYPY = sys.implementation.name == "pypy"
FREE_THREADED = bool(sysconfig.get_config_var("Py_GIL_DISABLED"))
DEADLINE = 60.0  # seconds after which something that should happen is taken to have failed
PATIENCE = 10 * DEADLINE  # the same for a flood


def _handlers_nest() -> bool:
    """Whether the interpreter runs a handler while another one runs. PyPy 8 does not: not in a
    child that was forked in a handler either, and Ctrl-C waits for the handler's end.
    """
    order: list[str] = []

    def outer(signum: int, frame: object) -> None:
        signal.signal(signal.SIGUSR1, lambda signum, frame: order.append("inner"))
        os.kill(os.getpid(), signal.SIGUSR1)
        signal.pthread_sigmask(signal.SIG_BLOCK, ())
        order.append("outer")

    former = signal.signal(signal.SIGUSR1, outer)
    os.kill(os.getpid(), signal.SIGUSR1)
    signal.pthread_sigmask(signal.SIG_BLOCK, ())
    signal.signal(signal.SIGUSR1, former)
    return order == ["inner", "outer"]


nested_handlers = pytest.mark.skipif(
    not _handlers_nest(), reason="this interpreter runs no handler inside another one"
)


def flags_of(signum: int) -> int:
    now = disposition(signum)
    assert now is not None
    return now[1]


def _there_are_terminals() -> bool:
    try:
        ends = os.openpty()
    except OSError:
        return False
    for end in ends:
        os.close(end)
    return True


needs_terminals = pytest.mark.skipif(
    not _there_are_terminals(), reason="there are no pseudo-terminals: /dev/pts is not mounted"
)


class Snapshot:
    """Signals as they are now, to be put back and compared by what has nothing to do with the
    library's own ``snapshot``: it asks what that has no business to know, too, such as whether the
    trampoline is gone.
    """

    def __init__(self) -> None:
        self.kernel = kernel()
        changeable = signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}
        self.handlers = {signum: signal.getsignal(signum) for signum in changeable}
        self.actions = {signum: ffi.new("struct sigaction *") for signum in changeable}
        for signum, action in self.actions.items():
            assert lib.sigaction(signum, ffi.NULL, action) == 0

    def restore(self) -> None:
        """The interpreter's table through the standard module, the kernel's directly."""
        # Blocks leave their timer armed, and it must not meet the default action.
        schedule.arm(NEVER)
        _handlers._stood_for.clear()  # a C library's handlers that a test has replaced
        for which in (signal.ITIMER_REAL, signal.ITIMER_VIRTUAL, signal.ITIMER_PROF):
            signal.setitimer(which, 0)
        for signum, handler in self.handlers.items():
            if handler is not None and signal.getsignal(signum) != handler:
                signal.signal(signum, handler)
            notice(signum)  # before the trampoline may be back: the dispatcher is gone
            assert lib.sigaction(signum, self.actions[signum], ffi.NULL) == 0
        signal.pthread_sigmask(signal.SIG_SETMASK, self.kernel.mask)
        signal.set_wakeup_fd(self.kernel.wakeup_fd)

    def check(self) -> None:
        # Nothing of ours stays in force either.
        assert (words[lib.SIGCFFI_WORD_DEFERRED], words[lib.SIGCFFI_WORD_RUNNING]) == (0, 0)
        assert not changing._is_owned()  # type: ignore[attr-defined]
        now = kernel()
        assert now.dispositions == self.kernel.dispositions
        assert now == self.kernel
        assert {signum: signal.getsignal(signum) for signum in self.handlers} == self.handlers


def shown(value: object) -> str:
    """For a test's name, which is to be the same in each run: without an address."""
    return re.sub(r" at 0x[0-9a-f]+", "", repr(value))


def compile_foreign(folder: Path) -> Path:
    library = folder / "foreign.so"
    here = Path(__file__).parent
    sources = here / "foreign.c", here / "neighbours/libraries.c"
    subprocess.run(
        [os.environ.get("CC", "cc"), "-shared", "-fPIC", "-o", library, *sources], check=True
    )
    return library


class Recorder:
    """A handler that keeps what it was given."""

    def __init__(self) -> None:
        self.infos: list[SigInfo] = []
        self.frames: list[FrameType | None] = []

    def __call__(self, info: SigInfo, frame: FrameType | None) -> None:
        self.infos.append(info)
        self.frames.append(frame)

    @property
    def values(self) -> list[int | None]:
        return [info.si_value for info in self.infos]


# For a pytest within a test: without what others plug in, which takes longer than all the rest.
PLAIN_PYTEST = tuple(f"-pno:{name}" for name in ("cacheprovider", "hypothesispytest", "anyio"))


def until(condition: Callable[[], Any], what: str = "condition") -> None:
    """Give other threads the processor until *condition* holds; fail loudly if it never does.

    For conditions that no descriptor announces, such as the state of a thread in /proc.
    """
    deadline = time.monotonic() + DEADLINE
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"{what}: not within {DEADLINE} s")
        os.sched_yield()


def with_room(call: Callable[[], T]) -> T:
    """The outcome of *call*, which queues signals or makes a timer, as soon as there is room: the
    kernel's queue is one for all processes of a user, and another may have filled it.
    """
    outcome: list[T] = []

    def attempt() -> bool:
        try:
            outcome.append(call())
        except BlockingIOError:
            return False
        return True

    until(attempt, "room in the queue of signals")
    return outcome[0]


def in_time(run: Callable[[float], T | None]) -> T:
    """The outcome of *run*, which gets a number of seconds, and returns None if these were over
    before it had got to what it is about. How long that takes is for the machine to say: so it gets
    twice as many then.
    """
    seconds = 0.1
    while (outcome := run(seconds)) is None:
        seconds *= 2
        assert seconds < DEADLINE / 5, "it never gets there"
    return outcome


def in_thread(function: Callable[[], object]) -> threading.Thread:
    thread = threading.Thread(target=function)
    thread.start()
    return thread


def join(thread: threading.Thread) -> None:
    """Until the kernel has no such thread either. One that Python has joined may still be ending,
    and take a signal for the process that the main thread blocks: with its default action.
    """
    thread.join(DEADLINE)
    assert not thread.is_alive()
    until(lambda: not os.path.exists(f"/proc/self/task/{thread.native_id}"), "the thread's end")


def asleep(tid: int) -> bool:
    """Whether a thread, of any process, is in an interruptible wait, as the kernel sees it."""
    with open(f"/proc/{tid}/stat", "rb") as stat:
        return stat.read().rpartition(b")")[2].split()[0] == b"S"


def in_system_call(tid: int, number: int) -> bool:
    """Whether a thread of this process waits in one particular system call."""
    with open(f"/proc/self/task/{tid}/syscall", "rb") as line:
        return line.read().split()[0] == str(number).encode()


def child_that_exits_with(status: int) -> subprocess.Popen[bytes]:
    """Not by os.fork, which warns where there are threads, and other tests have left one of C's."""
    return subprocess.Popen(["/bin/sh", "-c", f"exit {status}"])


def readable(fd: int, timeout: float = DEADLINE) -> bool:
    return bool(select.select([fd], [], [], timeout)[0])


def queue(signum: int, *values: int) -> None:
    """Queue values to this process."""
    for value in values:
        with_room(partial(sigcffi.sigqueue, os.getpid(), signum, value))


def run_python(
    code: str, *args: str, flags: list[str] | None = None, **options: Any
) -> subprocess.CompletedProcess[str]:
    """Run code in an interpreter of its own; its output is text, its wait status the caller's.

    It is run when there is room for what it queues: see ``with_room``.
    """
    options.setdefault("timeout", DEADLINE)

    def run() -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [sys.executable, "-W", "error", *(flags or []), "-c", textwrap.dedent(code), *args],
            capture_output=True,
            text=True,
            check=False,
            **options,
        )
        if "BlockingIOError" in done.stderr:
            raise BlockingIOError(done)
        return done

    return with_room(run)


@contextmanager
def running_python(code: str, *args: str, **options: Any) -> Iterator[subprocess.Popen[bytes]]:
    """An interpreter that runs code, with pipes to its input and from its output, to be sent
    signals; whoever is left at the end of the block is killed.
    """
    with subprocess.Popen(
        [sys.executable, "-W", "error", "-c", textwrap.dedent(code), *args],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        bufsize=0,
        **options,
    ) as child:
        try:
            yield child
        finally:
            child.kill()


def says(child: subprocess.Popen[bytes], what: bytes) -> None:
    """Wait until a child of ``running_python`` has written this, and see that it is this."""
    assert child.stdout is not None
    said = b""
    while len(said) < len(what):
        assert readable(child.stdout.fileno())
        piece = child.stdout.read(len(what) - len(said))
        if not piece:
            break
        said += piece
    assert said == what, said


def tell(child: subprocess.Popen[bytes], what: bytes = b".") -> None:
    assert child.stdin is not None
    child.stdin.write(what)


def taken(pid: int, signum: int) -> None:
    """Wait until a process has taken what it was sent, as the kernel sees it."""

    def pending() -> bool:
        with open(f"/proc/{pid}/status") as status:
            sets = [int(line.split()[1], 16) for line in status if line[3:6] == "Pnd"]
        return any(word >> (signum - 1) & 1 for word in sets)

    until(lambda: not pending(), f"process {pid} takes signal {signum}")


def until_ended(pid: int) -> None:
    """Wait until a child has ended, and do not take its status: it is a zombie from then on."""

    def ended() -> bool:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].startswith("Z")

    until(ended, f"process {pid} ends")


def python_says(code: str, *args: str, **options: Any) -> str:
    """The output of code that must end well; what it says beside, as figures, is ours, too."""
    done = run_python(code, *args, **options)
    assert done.returncode == 0, (done.returncode, done.stdout, done.stderr)
    sys.stderr.write(done.stderr)
    return done.stdout
