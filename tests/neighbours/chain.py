"""Whoever else handles signals in the process, and what is ours: the model of a chain.

Law: what is installed for a signal is a chain. The kernel has its head; each handler knows what it
has found, which comes next, and nobody knows more.

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
"""

from __future__ import annotations

import signal
from contextlib import suppress
from typing import Any, NamedTuple

# One that queues, one that the interpreter handles from its start, one that is ignored by default
# and that readline handles.
SIGNALS = [int(signal.SIGRTMIN) + 2, int(signal.SIGINT), int(signal.SIGWINCH)]
QUEUES, IGNORED_BY_DEFAULT = SIGNALS[0], SIGNALS[2]

DEFAULT, IGNORED, PYTHON, READLINE = "default", "ignored", "python", "readline"
FAULTHANDLER, DISPATCHER = "faulthandler", "dispatcher"
ONE, THREE, GARBAGE, JUMPS, FORKS, BY_SIGNAL = (1 << bit for bit in range(6))  # libraries.c
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

    def has(self, trait: int) -> bool:
        """Whether some neighbour does this. A handler that forks waits for ever if the signal of
        another process has interrupted malloc() in a process that has had threads.
        """
        return any(how & trait for how, _ in self.neighbours.values())

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
