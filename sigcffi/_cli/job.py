"""A command as a child process: how it starts, who has the terminal, and how this process ends.

Law: every signal is blocked here, from before the command is there. So nothing comes between two
steps, and the child's number stays its own until it is waited for. What the command starts with, a
mask and what it ignores, is made in the child.
"""

from __future__ import annotations

import errno
import os
from contextlib import suppress
from signal import (
    SIG_BLOCK,
    SIG_DFL,
    SIG_IGN,
    SIG_SETMASK,
    SIG_UNBLOCK,
    SIGINT,
    SIGPIPE,
    SIGSTOP,
    SIGXFSZ,
)

from sigcffi import pthread_sigmask, valid_signals
from sigcffi._cli.words import CATCHABLE, complain

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Set
    from typing import NoReturn

__all__ = ["NO_COMMAND", "Start", "Terminal", "block_all", "end_by"]

CANNOT_RUN, NO_COMMAND = 126, 127  # as env(1), timeout(1) and the shell say it
FAILED = 125


def block_all() -> Set[int]:
    """Block every signal; those that were blocked before."""
    return pthread_sigmask(SIG_BLOCK, valid_signals())


def end_by(signum: int) -> int:
    """End this process by a signal, as the signal's default action would; where that does not end
    it (the first process of a container), the status that shells have for that.
    """
    # The interpreter's own functions: with sigcffi's all of it would be imported for this.
    import signal

    if signum in CATCHABLE:  # SIGKILL, and what the C library keeps for itself, are as they are
        signal.signal(signum, SIG_DFL)
        pthread_sigmask(SIG_UNBLOCK, [signum])
    os.kill(os.getpid(), signum)
    return 128 + signum


def stop_by(signum: int, *, whole_group: bool) -> None:
    """Stop this process as its command was stopped, until it is continued. In a group that nobody
    would continue this changes nothing.
    """
    if signum == SIGSTOP and not _is_job():  # of the others the kernel knows it
        return
    # Sent while it is blocked: with what the terminal has sent to all of the group it is one.
    os.kill(0 if whole_group else os.getpid(), signum)
    pthread_sigmask(SIG_UNBLOCK, [signum])
    pthread_sigmask(SIG_BLOCK, [signum])


def _is_job() -> bool:
    """Whether the parent controls this process's group, as a shell does: it is of another group
    in the same session. It is told of a stop, and continues the job.
    """
    parent = os.getppid()
    try:
        return os.getpgid(parent) != os.getpgrp() and os.getsid(parent) == os.getsid(0)
    except OSError:  # it has just ended, or is another session's
        return False


class Terminal:
    """The controlling terminal, which a group in the foreground may read."""

    def __init__(self) -> None:
        try:
            self._fd = os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY)
        except OSError:  # there is none
            self._fd = -1

    def pass_on(self, giver: int, taker: int) -> None:
        """Bring one group to the foreground, if another one has it."""
        with suppress(OSError):  # the terminal or the group is gone
            if self._fd >= 0 and os.tcgetpgrp(self._fd) == giver:
                os.tcsetpgrp(self._fd, taker)


class Start:
    """What a command starts with."""

    def __init__(
        self, default: Set[int], ignore: Set[int], mask: Set[int], terminal: Terminal | None
    ) -> None:
        # What Python ignores, and no program expects to be ignored.
        self.default = default | {SIGPIPE, SIGXFSZ}
        self.ignore = ignore
        self.mask = mask
        self.terminal = terminal  # for a group of its own; None: in the group of this process

    def run(self, program: str, command: list[str]) -> int:
        """Start the command; its process's number."""
        group, environment = os.getpgrp(), _environment()
        pid = os.fork()
        if pid == 0:
            try:
                if self.terminal is not None:
                    self._lead_a_group(self.terminal, group, os.getpid())
                self._become(program, command, environment)
            except BaseException as error:
                complain(program, error)
            finally:
                os._exit(FAILED)
        if self.terminal is not None:
            # Both do it: each goes on with a group that is there.
            self._lead_a_group(self.terminal, group, pid)
        return pid

    @staticmethod
    def _lead_a_group(terminal: Terminal, giver: int, pid: int) -> None:
        with suppress(OSError):  # the other has done it, and the command has been started
            os.setpgid(pid, pid)
        terminal.pass_on(giver, pid)

    def _become(self, program: str, command: list[str], environment: dict[str, str]) -> NoReturn:
        import signal

        if callable(signal.getsignal(SIGINT)):
            signal.signal(SIGINT, SIG_DFL)  # what was sent meanwhile is for the command, not Python
        for signum in self.default:
            signal.signal(signum, SIG_DFL)
        for signum in self.ignore:
            signal.signal(signum, SIG_IGN)
        pthread_sigmask(SIG_SETMASK, self.mask)
        try:
            _exec(command, environment)
        except OSError as error:
            name = command[0] or "''"
            complain(program, f"{name}: {error.strerror}")
            os._exit(NO_COMMAND if error.errno == errno.ENOENT else CANNOT_RUN)


def _environment() -> dict[str, str]:
    """The environment that this process was given. In the locale "C" CPython sets LC_CTYPE for
    itself (PEP 538), and other programs would speak otherwise.
    """
    environment = dict(os.environ)
    try:
        with open("/proc/self/environ", "rb") as file:
            given = file.read().split(b"\0")
    except OSError:
        return environment
    environment.pop("LC_CTYPE", None)
    for variable in given:
        name, _, value = variable.partition(b"=")
        if name == b"LC_CTYPE":
            environment["LC_CTYPE"] = os.fsdecode(value)
    return environment


def _exec(command: list[str], environment: dict[str, str]) -> NoReturn:
    """execvp(3), with a shell for a script that does not name its interpreter: os.execvp has none.

    FileNotFoundError if no folder has it, PermissionError if one has it that may not be run.
    """
    name = command[0]
    folders = os.get_exec_path() if name else []  # no name: not the folders themselves
    paths = [name] if "/" in name else [f"{path or '.'}/{name}" for path in folders]
    reason: OSError = FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
    for path in paths:
        try:
            try:
                os.execve(path, command, environment)
            except OSError as error:
                if error.errno != errno.ENOEXEC:
                    raise
                os.execve("/bin/sh", ["/bin/sh", path, *command[1:]], environment)
        except (FileNotFoundError, NotADirectoryError) as error:
            if path is name:
                reason = error
        except PermissionError as error:
            reason = error  # another folder may have one
    raise reason
