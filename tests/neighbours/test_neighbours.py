"""Hostile neighbours: whoever else handles signals in the process, and what is ours, in any order.

Law, of which ``Chain`` is the model. What is installed for a signal is a chain. The kernel has its
head; each handler knows what it has found, which comes next, and nobody knows more.

- Who installs a handler replaces the head. Others keep what they have found, and put exactly that
  back when they leave, whatever is there by then.
- Ours is put on top of what is there when something is attached, and goes when nothing needs it any
  more, if it is still the head: then what is beneath is back, byte for byte. Over a Python handler
  it may stay.
- A signal walks the chain down from the head, each handler being called once, until one calls
  nobody. The first of ours that it comes to does all that is attached; a Python handler is called
  where it comes to the interpreter's. Ours over the default action takes that if nothing is
  attached any more.
- What a signal carries is told to whom it comes by the kernel, or by handlers that pass it on.

The signals are sent in a process of its own for each run, and one that the model says is the end of
the process must be that.
"""

from __future__ import annotations

import copy
import faulthandler
import json
import os
import signal
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule
from support import readable

from sigcffi import SA_NODEFER, SA_ONSTACK, SA_RESTART, SA_SIGINFO

# One that queues, one that the interpreter handles from its start, one that is ignored by default
# and that readline handles.
SIGNALS = [int(signal.SIGRTMIN) + 2, int(signal.SIGINT), int(signal.SIGWINCH)]
QUEUES, IGNORED_BY_DEFAULT = SIGNALS[0], SIGNALS[2]
WORKER = Path(__file__).with_name("worker.py")

DEFAULT, IGNORED, PYTHON, READLINE = "default", "ignored", "python", "readline"
FAULTHANDLER, DISPATCHER = "faulthandler", "dispatcher"
ONE, THREE, GARBAGE, JUMPS, FORKS, BY_SIGNAL = (1 << bit for bit in range(6))  # foreign.c
ANEW = -6  # SI_TKILL
CALLED = "called"


class Died(Exception):  # noqa: N818
    """The process has ended by the signal."""


class Jumped(Exception):  # noqa: N818
    """A handler has left by a jump, and so have all those by which it was called."""


class Action(NamedTuple):
    """What the kernel has for a signal, or somebody keeps of it."""

    handler: Any  # one of the above, the number of a neighbour, or Ours
    told: bool = True  # what the signal carries
    blocks: bool = True  # the signal itself
    blocks_all: bool = False
    on_stack: bool = False  # the alternate one, if there is one
    raw: str | None = None  # the kernel's struct, once seen


class Ours(NamedTuple):
    below: Action


class Neighbour(NamedTuple):
    """What somebody else's handler does, and what it has found."""

    how: int
    found: Action


class Call(NamedTuple):
    """How a handler is called."""

    info: Any  # what the signal carries; None if that is not known
    by_kernel: bool = True  # or by ours in the kernel's place
    acted: bool = False  # ours was there before
    known: Any = None  # by ours, then
    blocked: bool = False


def is_plain(name: str) -> bool:
    """Whether a Python handler takes the signal's number."""
    return name[0] != "i"


class Chain:
    """One signal: what is installed, and who must be called."""

    def __init__(self, signum: int, first: Action, registered: str) -> None:
        self.signum = signum
        self.kernel = first
        self.neighbours: dict[Any, Neighbour] = {READLINE: Neighbour(ONE, Action(DEFAULT))}
        self.joined: set[Any] = set()
        self.registered = registered  # what the interpreter calls
        self.handler: str | None = None  # what the dispatcher calls
        self.subscribers: list[str] = []
        self.recorded = False  # for the dispatcher
        self.by_urgent = False  # and it is called by another signal
        self.covered = True  # ours was there already when it was installed
        self.actions: list[str] = []  # and receivers
        self.blocks = 0
        self.pending: list[Any] = []  # in the kernel
        self.sections = 0
        self.waiting: list[tuple[Any, Any, bool]] = []  # Python handlers, for their turn
        self.unrecorded: dict[str, Any] = {}  # and of a call that was not recorded
        self.tripped = False  # because of what was
        self.anew = 0  # how often faulthandler has sent it, while it is blocked
        self.seen: list[tuple[Any, Any]] = []  # who must have been called, and with what
        self.bare = False  # the interpreter's handler was come to without ours before it

    # ---- Deliveries ----

    def send(self, *infos: Any, jumps: bool = True) -> None:
        for info in infos:
            if not self.blocks:
                self.deliver(info, jumps=jumps)
            elif self.signum == QUEUES or not self.pending:
                self.pending.append(info)

    def unblock(self) -> None:
        self.blocks -= 1
        if not self.blocks:
            pending, self.pending = self.pending, []
            self.deliver(*pending)

    def deliver(self, *infos: Any, jumps: bool = False) -> None:
        """The kernel delivers all of these, then it is the Python handlers' turn."""
        for info in infos:
            sent = [info]
            while sent:
                with suppress(Jumped):
                    self.begin(sent.pop(), jumps)
                sent += [ANEW] * self.anew
                self.anew = 0
        if not self.sections:
            self.let_in()

    def let_in(self) -> None:
        """The interpreter calls its handler once for all that has come."""
        once = set()
        for who, what, is_once in self.waiting:
            if not is_once or who not in once:
                self.seen.append((who, what))
            once.add(who)
        for who, what in () if self.tripped else self.unrecorded.items():
            self.seen.append((who, what))
        self.waiting, self.unrecorded, self.tripped = [], {}, False

    def begin(self, info: Any, jumps: bool) -> None:
        self.call(self.kernel, Call(info if self.kernel.told else None), jumps)

    def call(self, action: Action, call: Call, jumps: bool) -> None:
        handler = action.handler
        if call.by_kernel:
            call = call._replace(blocked=action.blocks)
        if handler == DEFAULT:
            if call.by_kernel and self.signum != IGNORED_BY_DEFAULT:
                raise Died
        elif handler == PYTHON:
            self.bare = True
            self.python(None, bare=True)
        elif isinstance(handler, Ours):
            self.ours(handler.below, call, jumps)
        elif handler == FAULTHANDLER:
            self.faulthandler(call, jumps)
        elif handler != IGNORED:
            self.neighbour(handler, call, jumps)

    def ours(self, below: Action, call: Call, jumps: bool) -> None:
        if not call.acted:
            call = call._replace(acted=True, known=call.info)
            self.seen.append(("delivered", CALLED))
            for name in self.actions:
                self.seen.append((name, call.info if name[0] == "r" else CALLED))
            self.tripped |= self.recorded and not self.by_urgent
            if self.recorded and self.registered == DISPATCHER:
                self.waiting += [(name, call.info, False) for name in self.subscribers]
            elif self.recorded:
                self.python(None)  # the standard module has replaced it, unnoticed as yet
        if below.handler == PYTHON:
            self.python(call.known)
        elif below.handler != DEFAULT or not self.needed:
            self.call(below, call, jumps)

    @property
    def needed(self) -> bool:
        return bool(self.actions) or self.recorded

    def python(self, info: Any, *, bare: bool = False) -> None:
        if self.registered == DISPATCHER and bare:
            # As one call for all that has come, and not beside what ours has recorded.
            self.unrecorded = {} if self.by_urgent else dict.fromkeys(self.subscribers)
            if self.handler is not None:
                self.unrecorded[self.handler] = CALLED if is_plain(self.handler) else None
        elif self.registered == DISPATCHER:
            if self.handler is not None:
                what = CALLED if is_plain(self.handler) else info
                self.waiting.append((self.handler, what, False))
        elif self.registered not in (DEFAULT, IGNORED):
            self.waiting.append((self.registered, CALLED, True))

    def neighbour(self, number: Any, call: Call, jumps: bool) -> None:
        how, found = self.neighbours[number]
        if number != READLINE:  # which does not tell
            self.seen.append((number, CALLED))
        if how & JUMPS and jumps:
            raise Jumped
        if how & (ONE | THREE | GARBAGE) and found.handler not in (DEFAULT, IGNORED):
            info = call.info if how & THREE and found.told else None
            self.call(found, call._replace(info=info, by_kernel=False), jumps)

    def faulthandler(self, call: Call, jumps: bool) -> None:
        """It puts back what it has found, sends the signal anew, and itself on top again."""
        chains, found = self.neighbours[FAULTHANDLER]
        if FAULTHANDLER not in self.joined:
            return
        self.seen.append((FAULTHANDLER, CALLED))
        if not chains:
            return
        if call.blocked:
            self.anew += 1
        else:
            self.kernel = found
            self.begin(ANEW, jumps)
        self.kernel = Action(FAULTHANDLER, told=False, blocks=False)

    # ---- What changes ----

    def installs(self, action: Action) -> None:
        """The kernel has this from now on."""
        self.kernel = action
        ignored = (IGNORED, DEFAULT) if self.signum == IGNORED_BY_DEFAULT else (IGNORED,)
        if action.handler in ignored:
            self.pending = []

    def joins(self, number: Any, how: int, action: Action, *, by_signal: bool = False) -> None:
        found = self.kernel
        if by_signal:
            found = Action(found.handler, told=False)  # it hears of no flags
        self.joined.add(number)
        self.neighbours[number] = Neighbour(how, found)
        self.installs(action)

    def leaves(self, number: Any) -> None:
        self.joined.remove(number)
        self.installs(self.neighbours[number].found)

    def may_leave(self, number: Any) -> bool:
        """What waits for a Python handler goes back to the kernel where that has none any more."""
        return not self.waiting or self.neighbours[number].found.handler not in (DEFAULT, IGNORED)

    def leads_to(self, number: Any) -> bool:
        """Whether the chain comes to a neighbour."""
        action = self.kernel
        while action.handler != number:
            if isinstance(action.handler, Ours):
                action = action.handler.below
            elif action.handler in self.neighbours:
                action = self.neighbours[action.handler].found
            else:
                return False
        return True

    @property
    def is_ours(self) -> bool:
        return isinstance(self.kernel.handler, Ours)

    @property
    def base(self) -> Action:
        """What is installed, beneath ours."""
        return self.kernel.handler.below if self.is_ours else self.kernel

    @property
    def beneath(self) -> str | None:
        """The Python handler, wherever it is in the chain."""
        name = self.handler if self.registered == DISPATCHER else self.registered
        return None if name in (DEFAULT, IGNORED) else name

    def install(self, action: Action, name: str | None, covered: bool = True) -> None:
        """Ours is asked for this: *action*, and what Python calls where a chain comes to it."""
        dispatched = bool(self.subscribers) or (name is not None and not is_plain(name))
        self.recorded, self.handler = dispatched, name if dispatched else None
        self.covered = covered
        ends = (DEFAULT, IGNORED, PYTHON)
        self.by_urgent = bool(self.subscribers) and action.handler not in ends
        if dispatched:
            self.registered = DISPATCHER
        elif name is not None:
            self.registered = name
        elif action.handler in (DEFAULT, IGNORED) and not self.actions:
            self.registered = action.handler  # else it is not told: that goes by the kernel only
        only_beneath = not self.subscribers and action.handler != PYTHON
        needed = bool(self.actions) if only_beneath else self.needed
        if needed or (covered and action.handler == PYTHON):
            self.installs(Action(Ours(action)))
        else:
            self.installs(action)

    @property
    def is_stale(self) -> bool:
        """Somebody has put back what the interpreter has no handler for any more."""
        return self.base.handler == PYTHON and self.beneath is None

    def state(self) -> tuple[Action, str | None, bool]:
        """What ``install`` takes to have things as they are now."""
        covered = self.is_ours or self.base.handler != PYTHON
        if self.registered == DISPATCHER and self.base.handler == PYTHON:
            covered = self.covered
        return self.base, self.beneath, covered

    def subscribe(self, name: str) -> None:
        state = self.state()
        self.subscribers.append(name)
        self.install(*state)

    def unsubscribe(self, name: str) -> None:
        state = self.state()
        self.subscribers.remove(name)
        if not self.subscribers and (self.beneath is None or is_plain(self.beneath)):
            self.install(*state)

    def attach(self, name: str) -> None:
        self.actions.append(name)
        self.wait()

    def put_on_top(self) -> None:
        self.kernel = Action(Ours(self.base))

    def wait(self) -> None:
        if self.registered != DISPATCHER:
            self.recorded = self.by_urgent = False
        self.put_on_top()

    def detach(self, name: str) -> None:
        self.actions.remove(name)
        if self.is_ours and not self.needed and self.base.handler != PYTHON:
            self.installs(self.base)

    def standard(self, name: str) -> None:
        self.registered = name
        self.installs(Action(name if name in (DEFAULT, IGNORED) else PYTHON, told=False))


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


signums = st.runner().flatmap(lambda machine: st.sampled_from(machine.signals))
plain = st.sampled_from(["pa", "pb"])
with_info = st.sampled_from(["ia", "ib"])
ends = st.sampled_from([DEFAULT, IGNORED])
numbers = st.integers(0, 3)
index = st.integers(0, 7)
hows = st.sampled_from([0, ONE, THREE, THREE, THREE, GARBAGE, JUMPS])
flags = st.sampled_from([0, SA_RESTART, SA_NODEFER, SA_ONSTACK])
dares = st.integers(0, 9).map(lambda number: number == 0)  # to do what ends the process


class Neighbours(RuleBasedStateMachine):
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
        dies_of = self.sends(self.chains[signum], lambda chain: chain.send(0, jumps=False), dares)
        self.do("shell", "subprocess", signum, dies_of=dies_of)

    @rule(signum=signums, dares=dares)
    def from_shell(self, signum: int, dares: bool) -> None:
        """os.system() ignores SIGINT meanwhile."""
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
