"""``sigcffi run``: what timeout(1), env(1) and a container's init do.

Law: one loop accepts one signal after the other, and no handler is called: what comes before the
command is there waits, and nothing that comes while another one is looked at is missed. The command
is waited for here alone.
"""

from __future__ import annotations

import os
import sys
import time
from collections import Counter
from signal import (
    SIG_DFL,
    SIG_IGN,
    SIGCHLD,
    SIGCONT,
    SIGHUP,
    SIGINT,
    SIGKILL,
    SIGQUIT,
    SIGTERM,
    SIGTSTP,
    SIGTTIN,
    SIGTTOU,
    SIGWINCH,
)

import sigcffi
from sigcffi import SI_QUEUE, SigInfo, sigtimedwait, sigwaitinfo, valid_signals
from sigcffi._cli import words as _words
from sigcffi._cli.job import FAILED, Start, Terminal, block_all, end_by, stop_by
from sigcffi._cli.words import CATCHABLE, Parser, complain, dumps, say
from sigcffi._core.ffi import check, lib
from sigcffi._core.names import name_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

__all__ = ["main"]

TIMED_OUT = 124
_STOPPING = {SIGTSTP, SIGTTIN, SIGTTOU}
_HANGUP = {SIGHUP, SIGCONT}
# What a terminal sends, it sends to all of its foreground group: but that it has hung up, to the
# leader of its session alone, if there is one.
_OF_TERMINALS = {*_STOPPING, *_HANGUP, SIGINT, SIGQUIT, SIGWINCH}


class _Run:
    """A command that runs: what becomes of the signals that come, and of the time."""

    def __init__(self, options: Any, terminal: Terminal | None, pid: int) -> None:
        self.pid = pid
        self.terminal = terminal
        self.options = options
        self.rewritten = dict(options.rewrite)
        self.had_already = set() if terminal else _OF_TERMINALS  # by the kernel's own sending
        if os.getsid(0) == os.getpid():
            self.had_already = self.had_already - _HANGUP
        self.forwarded: Counter[str] = Counter()
        self.orphans = 0
        self.began = time.monotonic()
        # 0 s: no limit, as timeout(1) has it
        self.ends_at = self.began + options.timeout if options.timeout else None
        self.kill_after: float = options.kill_after  # 0 when it has been begun
        self.kill_at: float | None = None
        self.timed_out = False

    def status(self) -> int:
        """Wait for the command's end: the status with which it exited, or minus a signal."""
        while (status := self._wait()) is None:
            info = self._next()
            if info is not None:
                self._take(info)
            else:
                self._time_is_over()
        if self.terminal is not None:
            self.terminal.pass_on(self.pid, os.getpgrp())
        return status

    def _next(self) -> SigInfo | None:
        """The next signal, or None when a time is over."""
        times = [at for at in (self.ends_at, self.kill_at) if at is not None]
        if not times:
            return sigwaitinfo(valid_signals())
        return sigtimedwait(valid_signals(), max(min(times) - time.monotonic(), 0))

    def _wait(self) -> int | None:
        """Wait for every child that has ended, if they are ours to wait for; the command's status,
        if it is among them.
        """
        reaps = self.options.init or self.options.subreaper
        while True:
            pid, status = os.waitpid(-1 if reaps else self.pid, os.WNOHANG | os.WUNTRACED)
            if pid == 0:
                return None
            if os.WIFSTOPPED(status):
                if pid == self.pid:
                    self._stop(os.WSTOPSIG(status))
            elif pid == self.pid:
                return os.waitstatus_to_exitcode(status)
            else:
                self.orphans += 1

    def _stop(self, signum: int) -> None:
        if self.terminal is not None:
            self.terminal.pass_on(self.pid, os.getpgrp())
        # What a terminal stops is all of a group: it knew of the command's alone.
        stop_by(signum, whole_group=self.terminal is not None and signum in _STOPPING)

    def _take(self, info: SigInfo) -> None:
        signum, code = int(info.si_signo), info.si_code or 0
        if signum == SIGCHLD and code > 0:  # of the kernel: a child has ended, or was stopped
            return
        if code > 0 and signum in self.had_already:
            return
        if info.si_pid == self.pid and self.terminal is None:
            return  # "kill 0" of the command, in the same group: it would go round in circles
        if signum == SIGCONT and self.terminal is not None:
            self.terminal.pass_on(os.getpgrp(), self.pid)
        # What continues this process has to continue the command that was stopped before.
        if signum in self.options.forward or signum == SIGCONT:
            signum = self.rewritten.get(signum, signum)
            if signum:
                self.forwarded[name_of(signum)] += 1
                self._send(signum, info.si_value if code == SI_QUEUE else None)

    def _send(self, signum: int, value: int | None = None) -> None:
        """Send a signal to the command. It is there, or its number is: nobody has waited for it."""
        if signum == self.options.signal and self.kill_after:
            self.kill_at = time.monotonic() + self.kill_after
            self.kill_after = 0  # no later one puts it off
        try:
            if self.terminal is not None:
                os.killpg(self.pid, signum)
            elif value is not None:
                sigcffi.sigqueue(self.pid, signum, value)
            else:
                os.kill(self.pid, signum)
        except BlockingIOError:  # too many are queued: one without a value has room
            os.kill(self.pid, signum)
        except OSError as error:  # it has become another user's
            complain("sigcffi run", f"{name_of(signum)} for process {self.pid}: {error.strerror}")

    def _time_is_over(self) -> None:
        now = time.monotonic()
        if self.kill_at is not None and now >= self.kill_at:
            self.kill_at = None
            self._send(SIGKILL)
        if self.ends_at is not None and now >= self.ends_at:
            self.ends_at = None
            self.timed_out = True
            self._send(self.options.signal)
            if self.options.signal not in (SIGKILL, SIGCONT):
                self._send(SIGCONT)  # one that is stopped would not get to it


def _parser() -> Parser:
    parser = Parser(
        "run",
        "Run a command, pass on to it the signals that come, and end as it ends.",
        usage_status=FAILED,
    )
    parser.usage = "%(prog)s [options] [--] COMMAND ..."
    add = parser.add_argument
    add(
        "--init",
        action="store_true",
        help="wait for all children, as a container's first process has to: orphans become its own",
    )
    add("--subreaper", action="store_true", help="the same where it is not the first process")
    add(
        "--timeout",
        metavar="S",
        type=_words.seconds,
        default=0,
        help="send --signal when so much time is over, and exit with 124; 0: no limit",
    )
    add(
        "--kill-after",
        metavar="S",
        type=_words.seconds,
        default=0,
        help="send SIGKILL so long after --signal was sent, for the timeout or passed on",
    )
    add(
        "--signal",
        metavar="SIGNAL",
        type=_words.signal,
        default=SIGTERM,
        help="what asks the command to end: SIGTERM",
    )
    add(
        "--preserve-status",
        action="store_true",
        help="exit with the command's status also after the timeout",
    )
    add(
        "--group",
        action="store_true",
        help="in a process group of its own, which gets the signals and the terminal",
    )
    for name, what in {
        "--forward": "pass on these only, of all that come",
        "--default": "these have their default action in the command, and are not blocked",
        "--ignore": "these are ignored in the command",
        "--block": "these are blocked in the command",
    }.items():
        add(name, metavar="SIGNALS", type=_words.signals, action="append", default=[], help=what)
    add(
        "--rewrite",
        metavar="A:B",
        type=_words.rewriting,
        action="append",
        default=[],
        help="pass on B when A comes; 0: nothing",
    )
    add("command", metavar="COMMAND", nargs="...", help="the command and its arguments")
    parser.epilog = (
        'SIGNALS are names or numbers with commas between them, "all" or "none". S is in seconds,\n'
        "or has one of the units s, m, h, d. Exit status: the command's; 124 after the timeout,\n"
        "125 if run itself fails, 126 if the command cannot be run, 127 if it is not found; of a\n"
        "command that a signal has ended: the same end, 128 + the signal for a first process."
    )
    return parser


def _options(words: list[str]) -> Any:
    parser = _parser()
    options = parser.parse_args(words)
    options.command = options.command[options.command[:1] == ["--"] :]
    if not options.command:
        parser.error("there is no command")
    for name in ("default", "ignore", "block"):
        setattr(options, name, frozenset().union(*getattr(options, name)))
    options.forward = frozenset().union(*options.forward) if options.forward else CATCHABLE
    if options.subreaper:
        check(lib.sigcffi_process_adopt_orphans())
    elif options.init and os.getpid() != 1:
        complain(parser.prog, "this is not the first process: without --subreaper no orphans come")
    return options


def main(words: list[str]) -> int:
    former = block_all()
    options = _options(words)
    ignore = options.ignore
    # As the kernel has it: the interpreter's own getsignal of PyPy says the default at its start.
    if sigcffi.getsignal(SIGCHLD) == SIG_IGN:  # the kernel itself would wait for the children
        sigcffi.signal(SIGCHLD, SIG_DFL)
        ignore |= {SIGCHLD} - options.default
    terminal = Terminal() if options.group else None
    mask = former - options.default | options.block
    pid = Start(options.default, ignore, mask, terminal).run("sigcffi run", options.command)
    run = _Run(options, terminal, pid)
    status = run.status()
    if options.json:
        report = {
            "command": options.command,
            "pid": pid,
            "seconds": time.monotonic() - run.began,
            "status": status if status >= 0 else None,
            "signal": name_of(-status) if status < 0 else None,
            "timed_out": run.timed_out,
            "forwarded": run.forwarded,
            "orphans": run.orphans,
        }
        say(sys.stderr, dumps(report))
    return _ended_as(status, run.timed_out and not options.preserve_status, run.timed_out)


def _ended_as(status: int, is_told: bool, timed_out: bool) -> int:
    """End as the command has ended: with a status, or by a signal."""
    if is_told:
        return 128 + SIGKILL if status == -SIGKILL else TIMED_OUT
    if status >= 0:
        return status
    if timed_out:
        return 128 - status
    _dump_no_core()
    return end_by(-status)


def _dump_no_core() -> None:
    """The command has dumped its own."""
    import resource

    _, most = resource.getrlimit(resource.RLIMIT_CORE)
    # One byte is no room for a core, and tells the kernel not to pipe one to a program either.
    resource.setrlimit(resource.RLIMIT_CORE, (min(1, most) if most >= 0 else 1, most))
