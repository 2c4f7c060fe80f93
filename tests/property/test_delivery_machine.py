"""Handlers, subscribers, critical sections, masks and restoring as a state machine: hypothesis
against a model, with real signals.
"""

from __future__ import annotations

import ctypes
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any, NamedTuple

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    precondition,
    rule,
)
from support import compile_foreign, disposition, queue

import sigcffi as signal
from sigcffi._dispatch.deliveries import account

# Two that queue and carry a value, and a standard one, of which the kernel keeps one.
SIGNALS = [signal.SIGRTMIN + 2, signal.SIGRTMIN + 3, int(signal.SIGUSR1)]
FLAGS = [0, signal.SA_RESTART, signal.SA_NODEFER, signal.SA_RESTART | signal.SA_NODEFER]

signums = st.sampled_from(SIGNALS)
names = st.sampled_from("abc")
STYLES = ("plain", "info", "subscriber")

with tempfile.TemporaryDirectory() as _folder:
    _library = ctypes.CDLL(str(compile_foreign(Path(_folder))))


class Installed(NamedTuple):
    """What is installed: its kind and, of a Python handler, its name."""

    kind: str
    name: str = ""


DEFAULT, IGNORED, FOREIGN = Installed("default"), Installed("ignored"), Installed("foreign")


class Sent(NamedTuple):
    """A signal under way: its value, and whether the trampoline has recorded it."""

    value: int | None
    recorded: bool


class Model:
    """One signal: what is done about it, and what has been sent and not been handled."""

    def __init__(self) -> None:
        self.installed = DEFAULT
        self.subscribers: list[tuple[str, Any]] = []
        self.blocked = False
        self.pending: list[int | None] = []  # in the kernel
        self.waiting: list[Sent] = []  # for the end of a critical section

    @property
    def dispatched(self) -> bool:
        return bool(self.subscribers) or self.installed.kind == "info"

    @property
    def under_way(self) -> bool:
        return bool(self.pending or self.waiting)


class Delivery(RuleBasedStateMachine):
    """Every delivery is seen by whom the model says, once, in order and with its value."""

    actions = Bundle("actions")
    subscriptions = Bundle("subscriptions")

    def __init__(self) -> None:
        super().__init__()
        self.models = {signum: Model() for signum in SIGNALS}
        self.sections: list[tuple[Any, frozenset[int]]] = []
        self.seen: list[tuple[str, int, int | None]] = []
        self.expected: list[tuple[str, int, int | None]] = []
        self.foreign_calls = _library.foreign_calls()
        self.value = 0
        self.handlers = {
            (name, style): self.handler(name, style) for name in "abc" for style in STYLES
        }

    def handler(self, name: str, style: str) -> Callable[..., None]:
        def plain(signum: int, frame: FrameType | None) -> None:
            self.seen.append((f"plain {name}", signum, None))

        def info(info: signal.SigInfo, frame: FrameType | None) -> None:
            self.seen.append((f"{style} {name}", int(info.si_signo), info.si_value))

        return plain if style == "plain" else info

    def teardown(self) -> None:
        for signum in SIGNALS:  # ignored first: what is under way then ends nothing
            signal.signal(signum, signal.SIG_IGN)
            for _, subscription in self.models[signum].subscribers:
                subscription.close()
        signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
        while self.sections:
            self.sections.pop()[0].__exit__(None, None, None)
        for signum in SIGNALS:
            signal.signal(signum, signal.SIG_DFL)

    # ---- The model ----

    def deferred(self, signum: int) -> bool:
        return any(signum in signals for _, signals in self.sections)

    def arrive(self, signum: int, values: list[int | None]) -> None:
        """The kernel delivers so many at once."""
        model = self.models[signum]
        if model.installed is FOREIGN:
            self.foreign_calls += len(values)
        if model.dispatched:
            model.waiting += [Sent(value, True) for value in values]
        elif model.installed.kind == "plain" and not model.waiting:
            model.waiting += [Sent(None, False) for _ in values[:1]]  # one call for all that wait
        self.let_in(signum)

    def let_in(self, signum: int) -> None:
        """The handlers' turn, unless they have to wait."""
        model = self.models[signum]
        if self.deferred(signum):
            return
        sent, model.waiting = model.waiting, []
        if model.installed is IGNORED and not model.dispatched and model.blocked:
            self.wait_in_kernel(signum, [None for _ in sent])  # given back to it
        if not model.dispatched:
            sent = sent[:1]  # the interpreter calls once for all that came in the meantime
        kind, name = model.installed
        for value, _ in sent:
            for subscriber, _ in model.subscribers:
                self.expected.append((f"subscriber {subscriber}", signum, value))
            if kind == "info":
                self.expected.append((f"info {name}", signum, value))
            elif kind == "plain":
                self.expected.append((f"plain {name}", signum, None))

    def wait_in_kernel(self, signum: int, values: list[int | None]) -> None:
        pending = self.models[signum].pending
        pending += values
        if signum == signal.SIGUSR1:
            del pending[1:]

    def installs(self, signum: int, installed: Installed) -> None:
        self.models[signum].installed = installed
        self.changed(signum)

    def changed(self, signum: int) -> None:
        """What is installed, or the subscribers, are others now."""
        model = self.models[signum]
        if not model.dispatched:
            # Their records are gone with the dispatcher; the calls are still due.
            model.waiting = [Sent(None, False) for _ in model.waiting]
            if model.installed is IGNORED:
                model.pending = []  # thrown away by the kernel

    # ---- What may happen ----

    @initialize(first=st.tuples(*[names] * len(SIGNALS)))
    def begin_with_handlers(self, first: tuple[str, ...]) -> None:
        for signum, name in zip(SIGNALS, first, strict=True):
            self.install_plain(signum, name)

    @rule(signum=signums, name=names)
    def install_plain(self, signum: int, name: str) -> None:
        signal.signal(signum, self.handlers[name, "plain"])
        self.installs(signum, Installed("plain", name))

    @rule(target=actions, signum=signums, name=names, flags=st.sampled_from(FLAGS))
    def install_info(self, signum: int, name: str, flags: int) -> Any:
        former = self.models[signum].installed
        action = signal.sigaction(signum, self.handlers[name, "info"], flags=flags)
        self.installs(signum, Installed("info", name))
        return signum, action, former

    @rule(signum=signums)
    def reset(self, signum: int) -> None:
        if not self.models[signum].under_way:  # it would end the process
            signal.signal(signum, signal.SIG_DFL)
            self.installs(signum, DEFAULT)

    @rule(signum=signums)
    def ignore(self, signum: int) -> None:
        signal.signal(signum, signal.SIG_IGN)
        self.installs(signum, IGNORED)

    @rule(signum=signums)
    def install_foreign(self, signum: int) -> None:
        model = self.models[signum]
        if not model.waiting and not model.dispatched:
            assert _library.foreign_install(signum, signal.SA_RESTART) == 0
            self.installs(signum, FOREIGN)

    @rule(target=actions, signum=signums)
    def save(self, signum: int) -> Any:
        return signum, signal.sigaction(signum), self.models[signum].installed

    @rule(saved=actions)
    def restore(self, saved: Any) -> None:
        signum, action, installed = saved
        model = self.models[signum]
        if installed is DEFAULT and model.under_way:
            return
        if installed is FOREIGN and model.waiting:
            return
        signal.sigaction(signum, action)
        self.installs(signum, installed)

    @rule(target=subscriptions, signum=signums, name=names)
    def subscribe(self, signum: int, name: str) -> Any:
        subscription = signal.subscribe(signum, self.handlers[name, "subscriber"])
        self.models[signum].subscribers.append((name, subscription))
        self.changed(signum)
        return signum, name, subscription

    @rule(known=consumes(subscriptions))
    def close(self, known: Any) -> None:
        signum, name, subscription = known
        model = self.models[signum]
        last = len(model.subscribers) == 1
        if last and model.installed is DEFAULT and model.under_way:
            return
        if last and model.installed is FOREIGN and model.waiting:
            return
        subscription.close()
        model.subscribers.remove((name, subscription))
        self.changed(signum)

    @precondition(lambda self: len(self.sections) < 4)
    @rule(some=st.sets(signums))
    def enter(self, some: set[int]) -> None:
        section = signal.deferred(*some)
        section.__enter__()
        self.sections.append((section, frozenset(some or SIGNALS)))

    @precondition(lambda self: self.sections)
    @rule(index=st.integers(0, 3))
    def leave(self, index: int) -> None:
        section, _ = self.sections.pop(index % len(self.sections))
        for signum in SIGNALS:
            self.let_in(signum)
        section.__exit__(None, None, None)

    @rule(some=st.sets(signums, min_size=1))
    def block(self, some: set[int]) -> None:
        signal.pthread_sigmask(signal.SIG_BLOCK, some)
        for signum in some:
            self.models[signum].blocked = True

    @rule(some=st.sets(signums, min_size=1))
    def unblock(self, some: set[int]) -> None:
        for signum in some:
            model = self.models[signum]
            model.blocked = False
            pending, model.pending = model.pending, []
            self.arrive(signum, pending)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, some)

    @rule(signum=signums)
    def send(self, signum: int) -> None:
        self.send_several(signum, 1)

    @rule(signum=signums, times=st.integers(2, 4))
    def send_several(self, signum: int, times: int) -> None:
        model = self.models[signum]
        if model.installed is DEFAULT and not model.subscribers:
            return  # it would end the process
        for _ in range(times):
            self.value += 1
            value = None if signum == signal.SIGUSR1 else self.value
            if model.blocked:
                self.wait_in_kernel(signum, [value])
            else:
                self.arrive(signum, [value])
            if value is None:
                os.kill(os.getpid(), signum)
                signal.pthread_sigmask(signal.SIG_BLOCK, ())  # PyPy looks late
            else:
                queue(signum, value)

    # ---- What must hold ----

    @invariant()
    def everybody_has_seen_what_was_meant_for_them(self) -> None:
        for signum in SIGNALS:
            seen = [entry for entry in self.seen if entry[1] == signum]
            expected = [entry for entry in self.expected if entry[1] == signum]
            assert seen == expected

    @invariant()
    def the_c_library_got_its_calls(self) -> None:
        assert _library.foreign_calls() == self.foreign_calls

    @invariant()
    def the_kernel_keeps_what_is_blocked(self) -> None:
        pending = {signum for signum, model in self.models.items() if model.pending}
        assert signal.sigpending() == pending

    @invariant()
    def getsignal_and_the_kernel_tell_what_is_installed(self) -> None:
        for signum, model in self.models.items():
            handler: Any = signal.getsignal(signum)
            kind, name = model.installed
            if kind == "plain":
                assert handler is self.handlers[name, "plain"]
            elif kind == "info":
                assert handler.handler is self.handlers[name, "info"]
            else:
                fixed = {"default": signal.SIG_DFL, "ignored": signal.SIG_IGN, "foreign": None}
                assert handler is fixed[kind]
            now = disposition(signum)
            assert now is not None
            if model.dispatched or kind in ("plain", "foreign"):
                assert now[0] > 1
            else:
                assert now[0] == (signal.SIG_IGN if kind == "ignored" else signal.SIG_DFL)

    @invariant()
    def nothing_is_unaccounted_for(self) -> None:
        offered, handed, dropped, queued = account()
        assert (offered, dropped) == (handed + dropped + queued, 0)
        recorded = [
            sent for model in self.models.values() for sent in model.waiting if sent.recorded
        ]
        assert queued == len(recorded)


TestDelivery = Delivery.TestCase
TestDelivery.settings = settings()  # of the profile; its own would be hypothesis's
