"""Hostile neighbours: whoever else handles signals in the process, and what is ours, in any order.

Law: each handler is called as the chain says (``neighbours.chain``), and what was there is back.
"""

from __future__ import annotations

import faulthandler
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule
from neighbours.chain import (
    ANEW,
    BY_SIGNAL,
    DEFAULT,
    FAULTHANDLER,
    FORKS,
    GARBAGE,
    IGNORED,
    JUMPS,
    ONE,
    PYTHON,
    SIGNALS,
    THREE,
    Action,
    Chain,
)
from neighbours.walk import Walk, Worker

from sigcffi import SA_NODEFER, SA_ONSTACK, SA_RESTART, SA_SIGINFO

signums = st.runner().flatmap(lambda machine: st.sampled_from(machine.signals))
plain = st.sampled_from(["pa", "pb"])
with_info = st.sampled_from(["ia", "ib"])
ends = st.sampled_from([DEFAULT, IGNORED])
numbers = st.integers(0, 3)
index = st.integers(0, 7)
hows = st.sampled_from([0, ONE, THREE, THREE, THREE, GARBAGE, JUMPS])
flags = st.sampled_from([0, SA_RESTART, SA_NODEFER, SA_ONSTACK])
dares = st.integers(0, 9).map(lambda number: number == 0)  # to do what ends the process


class Neighbours(Walk):
    """Each handler is called as the chain says, and what was there is back."""

    @rule(signum=signums, name=plain | ends)
    def signal(self, signum: int, name: str) -> None:
        chain = self.chains[signum]
        if not chain.waiting:
            self.install(chain, name)
            self.do("signal", signum, name)

    @rule(signum=signums, name=with_info)
    def sigaction(self, signum: int, name: str) -> None:
        chain = self.chains[signum]
        if not chain.waiting:
            self.install(chain, name)
            self.do("sigaction", signum, name)

    def install(self, chain: Chain, name: str) -> None:
        if name in (DEFAULT, IGNORED):
            chain.install(Action(name), None)
        else:
            chain.install(Action(PYTHON), name)

    @rule(signum=signums)
    def getsignal(self, signum: int) -> None:
        chain = self.chains[signum]
        handler = chain.base.handler
        told = self.do("getsignal", signum)
        if chain.is_stale:
            return
        if handler == PYTHON:
            handler = chain.beneath
        assert told == (handler if handler in (DEFAULT, IGNORED, chain.beneath) else None)

    @rule(signum=signums)
    def subscribe(self, signum: int) -> None:
        chain = self.chains[signum]
        if not chain.waiting and not chain.is_stale:
            name = self.open("s", chain)
            chain.subscribe(name)
            self.do("subscribe", signum, name)

    @precondition(lambda self: self.pick_all("s"))
    @rule(number=index)
    def unsubscribe(self, number: int) -> None:
        name = self.pick("s", number)
        if name is None or self.owners[name].waiting or self.owners[name].is_stale:
            return
        self.owners.pop(name).unsubscribe(name)
        self.do("close", name)

    @rule(signum=signums, kind=st.sampled_from(["counter", "flag", "write", "receiver"]))
    def attach(self, signum: int, kind: str) -> None:
        chain = self.chains[signum]
        if len(chain.actions) < 6:
            name = self.open({"receiver": "r", "flag": "x"}.get(kind, "a"), chain)
            if kind == "receiver":
                self.unread[name] = []
            chain.attach(name)
            self.do("attach", signum, kind, name)

    @precondition(lambda self: self.pick_all("arx"))
    @rule(number=index)
    def detach(self, number: int) -> None:
        name = self.pick("arx", number)
        if name is not None:
            self.owners[name].detach(name)
            self.do("close", name, reads=name if name in self.unread else None)
            self.unread.pop(name, None)
            del self.owners[name]

    @precondition(lambda self: self.pick_all("r"))
    @rule(number=index)
    def read(self, number: int) -> None:
        name = self.pick("r", number)
        if name is not None:
            self.do("read", name, reads=name)

    @precondition(lambda self: self.pick_all("r"))
    @rule(number=index)
    def wait(self, number: int) -> None:
        name = self.pick("r", number)
        if name is not None:
            self.owners[name].wait()
            self.do("wait", name)

    @rule(signum=signums, kind=st.sampled_from(["handling", "ignoring"]))
    def change(self, signum: int, kind: str) -> None:
        chain = self.chains[signum]
        if not chain.waiting and not chain.is_stale:
            name = self.open("i" if kind == "handling" else "g", chain)
            self.former[name] = chain.state()
            self.install(chain, name if kind == "handling" else IGNORED)
            self.do("enter", kind, name, signum)

    @precondition(lambda self: self.pick_all("ig"))
    @rule(number=index)
    def change_back(self, number: int) -> None:
        name = self.pick("ig", number)
        if name is None:
            return
        chain = self.owners[name]
        handler = chain.beneath if chain.base.handler == PYTHON else chain.base.handler
        if not chain.waiting and handler == (name if name[0] == "i" else IGNORED):
            chain.install(*self.former[name])
            self.do("leave", name)
            del self.owners[name]

    @rule(signum=signums)
    def defer(self, signum: int) -> None:
        chain = self.chains[signum]
        if len(self.pick_all("d")) < 3:
            name = self.open("d", chain)
            chain.sections += 1
            self.do("enter", "deferred", name, signum)

    @precondition(lambda self: self.pick_all("d"))
    @rule(number=index)
    def defer_no_more(self, number: int) -> None:
        name = self.pick("d", number)
        if name is not None:
            chain = self.owners.pop(name)
            chain.sections -= 1
            if not chain.sections:
                chain.let_in()
            self.do("leave", name)

    # ---- Steps of others ----

    @rule(signum=signums, name=plain | ends)
    def standard(self, signum: int, name: str) -> None:
        chain = self.chains[signum]
        if not chain.waiting:
            chain.standard(name)
            self.do("standard", signum, name)

    @rule(
        signum=signums,
        number=numbers,
        how=hows,
        forks=st.booleans(),
        flags=flags,
        all=st.booleans(),
    )
    def join(self, signum: int, number: int, how: int, forks: bool, flags: int, all: bool) -> None:
        chain = self.chains[signum]
        if number in chain.joined or chain.leads_to(number):
            return
        told = how not in (0, ONE)
        on_stack = bool(flags & SA_ONSTACK)
        action = Action(number, told, all or not flags & SA_NODEFER, all, on_stack)
        how |= FORKS * forks
        chain.joins(number, how, action)
        self.do("c", "join", number, signum, how, flags | SA_SIGINFO * told, all)

    @rule(signum=signums, number=numbers, how=st.sampled_from([0, ONE, JUMPS]))
    def join_by_signal(self, signum: int, number: int, how: int) -> None:
        chain = self.chains[signum]
        if number not in chain.joined and not chain.leads_to(number):
            chain.joins(number, how, Action(number, told=False), by_signal=True)
            self.do("c", "join", number, signum, how | BY_SIGNAL, 0, 0)

    @rule(signum=signums, number=numbers, end=ends, by_signal=st.booleans())
    def join_without(self, signum: int, number: int, end: str, by_signal: bool) -> None:
        chain = self.chains[signum]
        if number not in chain.joined and not chain.leads_to(number) and not chain.waiting:
            chain.joins(number, 0, Action(end), by_signal=by_signal)
            self.do("c", "join_without", number, signum, BY_SIGNAL * by_signal, end == IGNORED)

    @precondition(lambda self: any(self.chains[signum].joined for signum in SIGNALS))
    @rule(signum=signums, number=numbers)
    def leave(self, signum: int, number: int) -> None:
        chain = self.chains[signum]
        if number in chain.joined and chain.may_leave(number):
            chain.leaves(number)
            self.do("c", "leave", number, signum)

    @precondition(lambda self: hasattr(faulthandler, "register"))
    @rule(signum=signums, chains=st.booleans())
    def dump(self, signum: int, chains: bool) -> None:
        chain = self.chains[signum]
        if FAULTHANDLER not in chain.joined and not chain.leads_to(FAULTHANDLER):
            chain.joins(FAULTHANDLER, chains, Action(FAULTHANDLER, False, not chains))
            self.stack = None  # it may have given its own
            self.do("dump", signum, chains)

    @precondition(lambda self: any(FAULTHANDLER in self.chains[s].joined for s in SIGNALS))
    @rule(signum=signums)
    def dump_no_more(self, signum: int) -> None:
        chain = self.chains[signum]
        if FAULTHANDLER in chain.joined and chain.may_leave(FAULTHANDLER):
            chain.leaves(FAULTHANDLER)
            self.do("dump_no_more", signum)

    @rule(on=st.booleans())
    def give_stack(self, on: bool) -> None:
        self.stack = on
        self.do("c", "give_stack", on)

    # ---- Signals ----

    @rule(signum=signums, times=st.integers(1, 3), dares=dares)
    def queue(self, signum: int, times: int, dares: bool) -> None:
        chain = self.chains[signum]
        values = range(self.values + 1, self.values + 1 + times)
        self.values += times
        action = chain.base  # which the kernel calls, or ours in its place
        dies_of = self.sends(chain, lambda chain: chain.send(*values), dares)
        self.do("queue", signum, *values, dies_of=dies_of)
        if dies_of == 0 and not chain.blocks and type(action.handler) is int:
            self.look_around(signum, action)

    def look_around(self, signum: int, action: Action) -> None:
        """The handler that was called first found what it has asked for: its mask, its stack."""
        *blocked, on_stack = self.do("world", action.handler, signum)
        assert blocked == [
            action.blocks if each == signum else action.blocks_all or chain.blocks > 0
            for each, chain in self.chains.items()
        ]
        if self.stack is not None:
            assert on_stack == (action.on_stack and self.stack)

    @rule(signum=signums, dares=dares)
    def to_thread(self, signum: int, dares: bool) -> None:
        chain = self.chains[signum]
        # The thread would take what is pending, too, and be gone before faulthandler sends it anew.
        if chain.pending or chain.leads_to(FAULTHANDLER) or self.blocks_all:
            return
        if chain.kernel.handler not in (DEFAULT, IGNORED):
            dies_of = self.sends(chain, lambda chain: chain.deliver(ANEW), dares)
            self.do("c", "thread_takes", signum, dies_of=dies_of)

    @rule(signum=signums, dares=dares)
    def from_child(self, signum: int, dares: bool) -> None:
        if self.chains[signum].has(FORKS):
            return
        dies_of = self.sends(self.chains[signum], lambda chain: chain.send(0, jumps=False), dares)
        self.do("shell", "subprocess", signum, dies_of=dies_of)

    @rule(signum=signums, dares=dares)
    def from_shell(self, signum: int, dares: bool) -> None:
        """os.system() ignores SIGINT meanwhile."""
        if self.chains[signum].has(FORKS):
            return
        self.chains[signal.SIGINT].pending = []
        if signum == signal.SIGINT:
            dies_of: int | None = 0
            chain = self.chains[signum]
            if chain.blocks and chain.kernel.handler != IGNORED:  # which is put back
                chain.pending = [0]
        else:
            dies_of = self.sends(
                self.chains[signum], lambda chain: chain.send(0, jumps=False), dares
            )
        self.do("shell", "system", signum, dies_of=dies_of)

    @property
    def blocks_all(self) -> bool:
        """Without the library's knowledge."""
        return any(name == "all" for name, _ in self.masks)

    @precondition(lambda self: len(self.masks) < 3)
    @rule(some=st.sets(signums))
    def block(self, some: set[int]) -> None:
        """By ours, or everything by others."""
        if some:
            name = self.new("b")
            self.masks.append((name, sorted(some)))
            self.do("enter", "blocked", name, *sorted(some))
        elif not self.blocks_all:
            self.masks.append(("all", SIGNALS))
            self.do("c", "block_all")
        else:
            return
        for signum in some or SIGNALS:
            self.chains[signum].blocks += 1

    @precondition(lambda self: self.masks)
    @rule(dares=dares)
    def unblock(self, dares: bool) -> None:
        name, some = self.masks[-1]
        chains = [self.chains[signum] for signum in some]
        # Those that faulthandler sends anew come between them.
        if any(len(chain.pending) > 1 and chain.leads_to(FAULTHANDLER) for chain in chains):
            return
        die = [self.foresees(chain, Chain.unblock, dares) for chain in chains]
        if None in die or len([signum for signum in die if signum]) > 1:
            return
        if not any(die):
            for chain in chains:
                chain.unblock()
        self.masks.pop()
        told = ("c", "unblock") if name == "all" else ("leave", name)
        self.do(*told, dies_of=sum(die))

    @precondition(lambda self: any(chain.pending for chain in self.chains.values()))
    @rule(signum=signums)
    def accept(self, signum: int) -> None:
        """Somebody waits for the signal, which is blocked, with sigwait()."""
        pending = self.chains[signum].pending
        if pending:
            first = pending.pop(0)
            assert self.do("accept", signum) == first


@pytest.fixture(autouse=True, scope="module")
def worker(foreign_path: Path, request: pytest.FixtureRequest) -> Iterator[None]:
    Neighbours.worker = Worker(str(foreign_path))
    with Neighbours.worker.process:
        yield
    if request.config.option.markexpr == "stress":
        steps = Neighbours.steps
        each = ", ".join(f"{steps[name]} {name}" for name in sorted(steps))
        with request.config.pluginmanager.getplugin("capturemanager").global_and_fixture_disabled():
            print(f" {steps.total()} steps: {each}")


TestNeighbours = Neighbours.TestCase
QUICK = settings().derandomize
TestNeighbours.settings = settings(
    derandomize=True,  # in CI, too: what a walk finds takes minutes to be made short
    max_examples=20 if QUICK else 150,
    stateful_step_count=30 if QUICK else 100,
    report_multiple_bugs=False,
)
