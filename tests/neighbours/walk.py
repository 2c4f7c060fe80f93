"""A walk among neighbours: each step is taken by a process of its own and by the chains, which are
compared.

Law: a signal that the model says is the end of the process must be that.
"""

from __future__ import annotations

import copy
import json
import os
import signal
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize
from neighbours.chain import DEFAULT, IGNORED, PYTHON, READLINE, SIGNALS, Action, Chain, Died
from support import readable

WORKER = Path(__file__).with_name("worker.py")


class Worker:
    """The process that forks one for each run."""

    def __init__(self, library: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-W", "error", WORKER, library, json.dumps(SIGNALS)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            bufsize=0,
            start_new_session=True,  # Ctrl-C is not for it
        )

    def ask(self, what: Any) -> Any:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(what).encode() + b"\n")
        return self.answer()

    def answer(self) -> Any:
        assert self.process.stdout is not None
        line = b""
        while not line.endswith(b"\n"):
            assert readable(self.process.stdout.fileno()), "it hangs"
            line += os.read(self.process.stdout.fileno(), 1) or b'"the worker is gone"\n'
        answer = json.loads(line)
        if "ended" in answer:
            self.pid = 0
        return answer

    def begin(self) -> None:
        self.pid = self.ask("begin")["pid"]

    def end(self) -> None:
        """Also of one that has failed."""
        if self.pid:
            os.kill(self.pid, signal.SIGKILL)  # which is not waited for before we are told
            while "ended" not in self.answer():
                pass


class Walk(RuleBasedStateMachine):
    """Each handler is called as the chain says, and what was there is back."""

    worker: Worker
    steps: ClassVar[Counter[str]] = Counter()

    def __init__(self) -> None:
        super().__init__()
        self.begin()

    def begin(self) -> None:
        self.worker.begin()
        self.number = 0
        self.values = 0
        self.owners: dict[str, Chain] = {}  # of what is open, by its name
        self.former: dict[str, Any] = {}  # what blocks put back
        self.masks: list[tuple[str, list[int]]] = []  # blocks of signals, the last innermost
        self.unread: dict[str, list[Any]] = {}  # by receiver
        self.stack: bool | None = False  # the main thread has an alternate one
        kernel = self.worker.ask(["seen"])["kernel"]
        self.chains = {}
        for signum, (handler, raw) in zip(SIGNALS, kernel, strict=True):
            if handler <= 1:
                first = Action([DEFAULT, IGNORED][handler])
            elif signum == signal.SIGINT:
                first = Action(PYTHON, told=False, raw=raw)
            else:
                first = Action(READLINE, told=False, raw=raw)
            registered = "first" if signum == signal.SIGINT else DEFAULT
            self.chains[signum] = Chain(signum, first, registered)

    def teardown(self) -> None:
        self.worker.end()

    @initialize(signums=st.sets(st.sampled_from(SIGNALS), min_size=1))
    def choose(self, signums: set[int]) -> None:
        self.signals = sorted(signums)

    # ---- Steps ----

    def do(self, *told: Any, dies_of: int | None = 0, reads: str | None = None) -> Any:
        """Have it done, and compare."""
        if dies_of is None:
            return None
        self.steps[told[0]] += 1
        found = self.worker.ask(told)
        assert "raised" not in found, found["raised"]
        if "ended" in found:
            assert found["ended"] & 127 == dies_of
            self.begin()
            return None
        assert not dies_of, f"it should have ended by signal {dies_of}"
        seen = defaultdict(list)
        for who, signum, what in found["seen"]:
            if who != "unraisable" or "race condition" not in what:
                seen[who, signum].append(what)
        expected = defaultdict(list)
        for signum, chain in self.chains.items():
            for who, what in chain.seen:
                calls = self.unread[who] if who in self.unread else expected[who, signum]
                if not calls or str(who)[0] != "x":  # a flag is set once
                    calls.append(what)
            chain.seen = []
        if reads is not None and self.unread[reads]:
            expected[reads, self.owners[reads].signum] = self.unread[reads]
            self.unread[reads] = []
        assert seen == expected
        assert found["pending"] == sorted(s for s, chain in self.chains.items() if chain.pending)
        for chain, (handler, raw) in zip(self.chains.values(), found["kernel"], strict=True):
            self.compare(chain, handler, raw)
        return found["answer"]

    def compare(self, chain: Chain, handler: int, raw: str) -> None:
        """What the kernel has with what it had when that was installed."""
        ends = {DEFAULT: 0, IGNORED: 1}
        assert ends.get(chain.kernel.handler) == (handler if handler <= 1 else None)
        if handler > 1 and not chain.is_ours:
            assert chain.kernel.raw in (None, raw)
            chain.kernel = chain.kernel._replace(raw=raw)

    def foresees(self, chain: Chain, deliver: Callable[[Chain], None], dares: bool) -> int | None:
        """What a delivery does: the signal by which it ends the process; None for: not this."""
        attempt = copy.deepcopy(chain)
        try:
            deliver(attempt)
        except Died:
            return chain.signum if dares else None
        return None if attempt.bare and chain.sections else 0

    def sends(self, chain: Chain, deliver: Callable[[Chain], None], dares: bool) -> int | None:
        """The same, and the chain has had it."""
        dies_of = self.foresees(chain, deliver, dares)
        if dies_of == 0:
            deliver(chain)
        return dies_of

    def new(self, kind: str) -> str:
        self.number += 1
        return f"{kind}{self.number}"

    def open(self, kind: str, chain: Chain) -> str:
        name = self.new(kind)
        self.owners[name] = chain
        return name

    def pick_all(self, kinds: str) -> list[str]:
        return [name for name in self.owners if name[0] in kinds]

    def pick(self, kinds: str, number: int) -> str | None:
        """One of those that are open."""
        names = self.pick_all(kinds)
        return names[number % len(names)] if names else None
