"""``sigcffi send``: send a signal to processes, wait for their end, and send others.

Law: a process is held on to from before the first look at it to its end: by a pidfd, so that what
is sent meets that process or nobody. Each process is for itself: that one is gone keeps nothing
from the others.
"""

from __future__ import annotations

import errno
import os
import select
import sys
import time

from sigcffi import process_signals
from sigcffi._cli import words as _words
from sigcffi._cli.words import Parser, complain, dumps, say
from sigcffi._core.names import name_of
from sigcffi._core.sending import pidfd_open, send_by, send_to_thread

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

__all__ = ["main"]


class _Target:
    """A process that is sent signals, and what has come of it."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.pidfd = -1
        self.sent: list[str] = []
        self.ended: bool | None = None  # nobody has waited for it
        self.error: str | None = None

    def hold(self) -> None:
        try:
            self.pidfd = pidfd_open(self.pid)
        except OSError as error:
            if error.errno not in (errno.ENOENT, errno.EINVAL):
                raise
            raise ProcessLookupError(errno.ESRCH, "this is a thread's number") from None

    def require_handler(self, signum: int) -> None:
        caught = process_signals(self.pid).caught
        send_by(self.pidfd, 0, None)  # it is there: so that was read of no other
        if signum not in caught:
            raise PermissionError(errno.EPERM, f"it has no handler for {name_of(signum)}")

    def send(self, signum: int, value: int | None = None) -> None:
        send_by(self.pidfd, signum, value)
        self.sent.append(name_of(signum) if signum else "0")

    def send_to_thread(self, tid: int, signum: int, value: int | None) -> None:
        try:
            thread = pidfd_open(tid, thread=True)
        except OSError as error:
            if error.errno == errno.EINVAL:  # before Linux 6.9: threads can be named only
                thread = -1
            else:
                raise self._no_thread(tid) from None
        if not os.path.exists(f"/proc/{self.pid}/task/{tid}"):
            raise self._no_thread(tid)
        send_by(self.pidfd, 0, None)  # it is there: so that was looked for in no other
        if thread >= 0:
            send_by(thread, signum, value)
        else:
            send_to_thread(self.pid, tid, signum, value)
        self.sent.append(name_of(signum) if signum else "0")

    @staticmethod
    def _no_thread(tid: int) -> ProcessLookupError:
        return ProcessLookupError(errno.ESRCH, f"it has no thread {tid}")

    def as_json(self) -> dict[str, Any]:
        return {"pid": self.pid, "sent": self.sent, "ended": self.ended, "error": self.error}


def _parser() -> Parser:
    parser = Parser(
        "send",
        "Send a signal to processes. None but these is ever hit: they are held on to by pidfds.",
    )
    parser.add_argument(
        "signal",
        metavar="SIGNAL",
        type=_words.signal_or_none,
        help="a name, a number, RTMIN+n; 0 only looks whether it could be sent",
    )
    parser.add_argument("pids", metavar="PID", nargs="+", type=_words.process, help="a process")
    parser.add_argument(
        "--value", metavar="N", type=_words.number, help="queue it with this value, a C int"
    )
    parser.add_argument(
        "--thread", metavar="TID", type=_words.process, help="to this thread of the process"
    )
    parser.add_argument(
        "--require-handler",
        action="store_true",
        help="not to a process that has no handler for it, and that it might kill",
    )
    parser.add_argument(
        "--then",
        metavar="SIGNAL:SECONDS",
        action="append",
        default=[],
        type=_words.step,
        help="send this one to those that have not ended so long after the one before;\n"
        "may be given several times; returns when all have ended",
    )
    return parser


class _Sending:
    """What is done to all the processes."""

    def __init__(self, program: str, pids: list[int]) -> None:
        self.program = program
        self.targets = [_Target(pid) for pid in dict.fromkeys(pids)]

    def failed(self, target: _Target, error: OSError) -> None:
        target.error = error.strerror or str(error)
        complain(self.program, f"process {target.pid}: {target.error}")

    def begin(self, options: Any) -> None:
        for target in self.targets:
            try:
                target.hold()
                if options.require_handler and options.signal:
                    target.require_handler(options.signal)
                if options.thread is not None:
                    target.send_to_thread(options.thread, options.signal, options.value)
                else:
                    target.send(options.signal, options.value)
            except OSError as error:
                self.failed(target, error)

    def go_on(self, steps: list[tuple[int, float]]) -> None:
        left = [target for target in self.targets if target.error is None]
        for target in left:
            target.ended = False
        for signum, seconds in steps:
            left = self._wait(left, seconds)
            for target in left.copy():
                try:
                    target.send(signum)
                except ProcessLookupError:  # it has just ended
                    continue
                except OSError as error:
                    self.failed(target, error)
                    left.remove(target)
        self._wait(left, None)

    @staticmethod
    def _wait(targets: list[_Target], seconds: float | None) -> list[_Target]:
        """Those of them that have not ended in so many seconds; None: wait until all have."""
        deadline = None if seconds is None else time.monotonic() + seconds
        poll = select.poll()
        left = {target.pidfd: target for target in targets}
        for pidfd in left:
            poll.register(pidfd, select.POLLIN)
        while left:
            # poll takes milliseconds, and no more than a C int of them.
            wait = None if deadline is None else min(max(deadline - time.monotonic(), 0), 10**6)
            for pidfd, _ in poll.poll(None if wait is None else wait * 1000):
                poll.unregister(pidfd)
                left.pop(pidfd).ended = True
            if wait == 0:
                break
        return list(left.values())


def main(words: list[str]) -> int:
    parser = _parser()
    options = parser.parse_args(words)
    if options.thread is not None and len(options.pids) > 1:
        parser.error("--thread is of one process")
    sending = _Sending(parser.prog, options.pids)
    sending.begin(options)
    if options.then:
        sending.go_on(options.then)
    if options.json:
        report = {"processes": [target.as_json() for target in sending.targets]}
        say(sys.stdout, dumps(report))
    return 1 if any(target.error is not None for target in sending.targets) else 0
