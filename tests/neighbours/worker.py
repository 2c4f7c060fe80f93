"""The process in which the neighbours are: it does what it is told, and says what came of it.

Law: knows nothing of what must come. A line in, a line out: what it is told is the name of a method
and its arguments. Each run is a fork of one that has done nothing yet; where that ends, the line
out is its wait status. What it says is read past the library, which is not to be woken by it.
"""

from __future__ import annotations

import ctypes
import faulthandler
import json
import os
import signal as standard
import subprocess
import sys
import tempfile
import traceback
from contextlib import suppress
from types import FrameType
from typing import Any

import sigcffi as signal
from sigcffi import actions

with suppress(ImportError):  # a neighbour on SIGWINCH, with GNU's library
    import readline  # noqa: F401

foreign = ctypes.CDLL(sys.argv[1])
SIGNALS = json.loads(sys.argv[2])
NEIGHBOURS = range(4)


def say(what: Any) -> None:
    os.write(1, json.dumps(what).encode() + b"\n")


def hear() -> Any:
    line = b""
    while not line.endswith(b"\n"):
        byte = os.read(0, 1)
        if not byte:
            os._exit(0)
        line += byte
    return json.loads(line)


def told(info: signal.SigInfo) -> Any:
    """What a handler was told: the value, or how it was sent, or None if nothing is known."""
    return info.si_value if info.si_code == signal.SI_QUEUE else info.si_code


class Worker:
    """What there is of ours and of others in one run."""

    def __init__(self) -> None:
        self.calls: list[Any] = []
        self.things: dict[str, Any] = {}  # whatever was opened, by name
        self.pipes: dict[str, int] = {}
        self.tallies: dict[str, int] = {}
        self.deliveries = dict.fromkeys(SIGNALS, 0)
        self.dumps = {signum: tempfile.TemporaryFile(buffering=0) for signum in SIGNALS}  # noqa: SIM115
        self.dumped = dict.fromkeys(SIGNALS, 0)
        sys.unraisablehook = lambda error: self.calls.append(
            ["unraisable", 0, str(error.exc_value)]
        )
        for signum in SIGNALS:
            if callable(standard.getsignal(signum)):
                standard.signal(signum, self.plain("first"))

    # ---- Handlers ----

    def plain(self, name: str) -> Any:
        def run(signum: int, frame: FrameType | None) -> None:
            self.calls.append([name, int(signum), "called"])

        return run

    def info(self, name: str) -> Any:
        def run(info: signal.SigInfo, frame: FrameType | None) -> None:
            self.calls.append([name, int(info.si_signo), told(info)])

        return run

    def handler(self, name: str) -> Any:
        known = {"default": standard.SIG_DFL, "ignored": standard.SIG_IGN}
        return known[name] if name in known else self.plain(name)

    # ---- Ours ----

    def signal(self, signum: int, name: str) -> None:
        signal.signal(signum, self.handler(name))

    def sigaction(self, signum: int, name: str) -> None:
        signal.sigaction(signum, self.info(name))

    def subscribe(self, signum: int, name: str) -> None:
        self.things[name] = signal.subscribe(signum, self.info(name))

    def attach(self, signum: int, kind: str, name: str) -> None:
        if kind == "write":
            self.pipes[name], end = os.pipe2(os.O_NONBLOCK)
            self.things[name] = actions.write(signum, end)
            os.close(end)
        elif kind == "receiver":
            self.things[name] = signal.open_signal_receiver(signum)
        else:
            self.things[name] = getattr(actions, kind)(signum)
        self.tallies[name] = 0

    def close(self, name: str) -> None:
        thing = self.things[name]
        thing.close()
        if isinstance(thing, signal.Receiver):
            self.calls += [[name, int(info.si_signo), told(info)] for info in thing.unread]

    def read(self, name: str) -> None:
        receiver = self.things[name]
        self.calls += [[name, int(info.si_signo), told(info)] for info in receiver.read()]

    def wait(self, name: str) -> None:
        self.things[name].fileno()

    def enter(self, kind: str, name: str, *arguments: Any) -> None:
        if kind == "handling":
            arguments = (arguments[0], self.info(name))
        self.things[name] = getattr(signal, kind)(*arguments)
        self.things[name].__enter__()

    def leave(self, name: str) -> None:
        self.things[name].__exit__(None, None, None)

    def getsignal(self, signum: int) -> str | None:
        found: Any = signal.getsignal(signum)
        found = getattr(found, "handler", found)
        if not callable(found):
            return {standard.SIG_DFL: "default", standard.SIG_IGN: "ignored"}.get(found)
        before = len(self.calls)
        name = found.__closure__[found.__code__.co_freevars.index("name")].cell_contents
        assert len(self.calls) == before
        return str(name)

    # ---- Others ----

    def standard(self, signum: int, name: str) -> None:
        standard.signal(signum, self.handler(name))

    def dump(self, signum: int, chain: bool) -> None:
        faulthandler.register(signum, file=self.dumps[signum], all_threads=False, chain=chain)

    def dump_no_more(self, signum: int) -> None:
        faulthandler.unregister(signum)

    def c(self, function: str, *arguments: int) -> None:
        assert getattr(foreign, f"foreign_{function}")(*arguments) == 0

    def accept(self, signum: int) -> int:
        pid, value = ctypes.c_int(), ctypes.c_int()
        code = foreign.foreign_accept(signum, ctypes.byref(pid), ctypes.byref(value))
        return value.value if code == signal.SI_QUEUE else int(code)

    # ---- Signals ----

    def queue(self, signum: int, *values: int) -> None:
        for value in values:
            assert foreign.foreign_queue(signum, value) == 0
            standard.pthread_sigmask(standard.SIG_BLOCK, ())  # PyPy looks late

    def shell(self, how: str, signum: int) -> None:
        command = f"kill -{signum} {os.getpid()}"
        if how == "system":
            assert os.system(command) == 0
        else:
            subprocess.run(command, shell=True, check=True)

    # ---- What came of it ----

    def tally(self, name: str) -> int:
        thing = self.things[name]
        if isinstance(thing, actions.Flag):
            was_set = bool(thing)
            thing.clear()
            return int(was_set)
        if isinstance(thing, actions.Write):
            with suppress(BlockingIOError):
                return len(os.read(self.pipes[name], 4096))
            return 0
        before, self.tallies[name] = self.tallies[name], int(thing)
        return self.tallies[name] - before

    def seen(self) -> list[Any]:
        standard.pthread_sigmask(standard.SIG_BLOCK, ())
        calls, self.calls = self.calls, []
        for signum in SIGNALS:
            for number in NEIGHBOURS:
                calls += [[number, signum, "called"]] * foreign.foreign_visits(number, signum)
            before, self.deliveries[signum] = self.deliveries[signum], signal.deliveries(signum)
            calls += [["delivered", signum, "called"]] * (self.deliveries[signum] - before)
            with open(self.dumps[signum].fileno(), "rb", closefd=False) as file:
                file.seek(0)
                dumps = file.read().count(b"most recent call first")
            before, self.dumped[signum] = self.dumped[signum], dumps
            calls += [["faulthandler", signum, "called"]] * (dumps - before)
        for name, thing in self.things.items():
            if isinstance(thing, actions.Attachment):
                calls += [[name, thing.signum, "called"]] * self.tally(name)
        calls += [["fault", 0, "called"]] * foreign.foreign_faults()
        return calls

    def raw(self, signum: int) -> list[Any]:
        """The kernel's action: its handler, and all of it."""
        buffer = ctypes.create_string_buffer(128)
        size = foreign.foreign_raw(signum, buffer, 128)
        assert size > 0
        return [ctypes.c_size_t.from_buffer(buffer).value, buffer.raw[:size].hex()]

    def do(self, name: str, *arguments: Any) -> Any:
        try:
            answer = getattr(self, name)(*arguments)
        except Exception:
            return {"raised": traceback.format_exc()}
        return {
            "answer": answer,
            "seen": self.seen(),
            "kernel": [self.raw(signum) for signum in SIGNALS],
            "pending": sorted(set(map(int, standard.sigpending())) & set(SIGNALS)),
        }

    def world(self, number: int, signum: int) -> list[bool]:
        """What a neighbour found around it: which of the signals were blocked, on which stack."""
        blocked = [bool(foreign.foreign_visit_blocked(number, signum, each)) for each in SIGNALS]
        return [*blocked, bool(foreign.foreign_visit_on_stack(number, signum))]


def main() -> None:
    # The library is at home: it has had a handler, and knows how the kernel calls.
    with signal.handling(signal.SIGUSR1, lambda info, frame: None):
        os.kill(os.getpid(), signal.SIGUSR1)
    with signal.deferred():  # the first covers all Python handlers
        pass
    while True:
        assert hear() == "begin"
        pid = os.fork()
        if pid == 0:
            break
        say({"pid": pid})
        say({"ended": os.waitpid(pid, 0)[1]})
    worker = Worker()
    while True:
        say(worker.do(*hear()))


main()
