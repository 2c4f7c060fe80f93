"""Handlers, subscribers, critical sections and restoring as a state machine: hypothesis against a
model, with real signals.
"""

from __future__ import annotations

import ctypes
import os
import tempfile
from pathlib import Path
from types import FrameType
from typing import Any, Callable

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    invariant,
    rule,
)
from support import compile_foreign, disposition

import sigcffi as signal
from sigcffi._dispatch import account

# Two that queue and carry a value, and a standard one, which is told of by its sender.
SIGNALS = [signal.SIGRTMIN + 2, signal.SIGRTMIN + 3, int(signal.SIGUSR1)]
FOREIGN = "foreign"

signums = st.sampled_from(SIGNALS)
names = st.sampled_from("abc")

with tempfile.TemporaryDirectory() as _folder:
    _library = ctypes.CDLL(str(compile_foreign(Path(_folder))))


class Model:
    """What is done about one signal: the handler and its style, and the subscribers, by name."""

    def __init__(self) -> None:
        self.installed: tuple[str, str] = ("default", "")
        self.subscribers: list[tuple[str, Any]] = []

    @property
    def recorded(self) -> bool:
        return bool(self.subscribers) or self.installed[0] == "info"


class Delivery(RuleBasedStateMachine):
    """Every delivery is seen by whom the model says, once, in order and with its value."""

    actions = Bundle("actions")
    subscriptions = Bundle("subscriptions")

    def __init__(self) -> None:
        super().__init__()
        self.models = {signum: Model() for signum in SIGNALS}
        self.sections: list[tuple[Any, frozenset[int]]] = []
        self.waiting: dict[int, list[int]] = {signum: [] for signum in SIGNALS}
        self.seen: list[tuple[str, int, int | None]] = []
        self.expected: list[tuple[str, int, int | None]] = []
        self.foreign_calls = _library.foreign_calls()
        self.value = 0
        self.handlers = {(name, style): self.handler(name, style) for name in "abc"
                         for style in ("plain", "info", "subscriber")}  # fmt: skip

    def handler(self, name: str, style: str) -> Callable[..., None]:
        def plain(signum: int, frame: FrameType | None) -> None:
            self.seen.append((f"plain {name}", signum, None))

        def info(info: signal.SigInfo, frame: FrameType | None) -> None:
            self.seen.append((f"{style} {name}", int(info.si_signo), info.si_value))

        return plain if style == "plain" else info

    def teardown(self) -> None:
        while self.sections:
            self.sections.pop()[0].__exit__(None, None, None)
        for signum in SIGNALS:
            for _, subscription in self.models[signum].subscribers:
                subscription.close()
            signal.signal(signum, signal.SIG_DFL)

    # ---- What may happen ----

    def deferred(self, signum: int) -> bool:
        return any(signum in signals for _, signals in self.sections)

    def anything_waits(self, signum: int) -> bool:
        return bool(self.waiting[signum])

    @rule(signum=signums, name=names)
    def install_plain(self, signum: int, name: str) -> None:
        if not self.anything_waits(signum):
            signal.signal(signum, self.handlers[name, "plain"])
            self.models[signum].installed = ("plain", name)

    @rule(target=actions, signum=signums, name=names, data=st.data())
    def install_info(self, signum: int, name: str, data: Any) -> Any:
        flags = data.draw(st.sampled_from([0, signal.SA_RESTART, signal.SA_NODEFER]))
        former = self.models[signum].installed
        action = signal.sigaction(signum, self.handlers[name, "info"], flags=flags)
        self.models[signum].installed = ("info", name)
        return signum, action, former

    @rule(signum=signums, ignored=st.booleans())
    def reset(self, signum: int, ignored: bool) -> None:
        if not self.anything_waits(signum):
            signal.signal(signum, signal.SIG_IGN if ignored else signal.SIG_DFL)
            self.models[signum].installed = ("ignored" if ignored else "default", "")

    @rule(signum=signums)
    def install_foreign(self, signum: int) -> None:
        if not self.anything_waits(signum) and not self.models[signum].recorded:
            assert _library.foreign_install(signum, signal.SA_RESTART) == 0
            self.models[signum].installed = (FOREIGN, "")

    @rule(saved=actions)
    def restore(self, saved: Any) -> None:
        signum, action, former = saved
        if not self.anything_waits(signum):
            signal.sigaction(signum, action)
            self.models[signum].installed = former

    @rule(target=subscriptions, signum=signums, name=names)
    def subscribe(self, signum: int, name: str) -> Any:
        subscription = signal.subscribe(signum, self.handlers[name, "subscriber"])
        self.models[signum].subscribers.append((name, subscription))
        return signum, name, subscription

    @rule(known=consumes(subscriptions))
    def close(self, known: Any) -> None:
        signum, name, subscription = known
        if self.anything_waits(signum):
            return  # what it leaves to a default action would end this process
        subscription.close()
        self.models[signum].subscribers.remove((name, subscription))

    @rule(some=st.sets(signums))
    def enter(self, some: set[int]) -> None:
        if len(self.sections) < 4:
            section = signal.deferred(*some)
            section.__enter__()
            self.sections.append((section, frozenset(some or SIGNALS)))

    @rule(index=st.integers(0, 3))
    def leave(self, index: int) -> None:
        if index < len(self.sections):
            section, _ = self.sections.pop(index)
            for signum in SIGNALS:
                if not self.deferred(signum):
                    self.deliver(signum)
            section.__exit__(None, None, None)

    @rule(signum=signums, times=st.integers(1, 4))
    def send(self, signum: int, times: int) -> None:
        model = self.models[signum]
        kind = model.installed[0]
        if kind == "default" and not model.subscribers:
            return  # it would end the process
        if self.deferred(signum) and not model.recorded and kind != FOREIGN:
            return  # how often a plain handler is called then is the interpreter's to say
        for _ in range(times):
            self.value += 1
            if kind == FOREIGN:
                self.foreign_calls += 1
            if model.recorded or kind == "plain":
                self.waiting[signum].append(self.value)
            if not self.deferred(signum):
                self.deliver(signum)
            signal.sigqueue(os.getpid(), signum, self.value)
            signal.pthread_sigmask(signal.SIG_BLOCK, ())

    def deliver(self, signum: int) -> None:
        """What is due now, by the model: who sees it, and with which value."""
        model = self.models[signum]
        for value in self.waiting[signum]:
            for name, _ in model.subscribers:
                self.expected.append((f"subscriber {name}", signum, value))
            kind, name = model.installed
            if kind == "info":
                self.expected.append((f"info {name}", signum, value))
            elif kind == "plain":
                self.expected.append((f"plain {name}", signum, None))
        self.waiting[signum] = []

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
    def getsignal_tells_what_is_installed(self) -> None:
        for signum, model in self.models.items():
            handler: Any = signal.getsignal(signum)
            kind, name = model.installed
            if kind == "plain":
                assert handler is self.handlers[name, "plain"]
            elif kind == "info":
                assert handler.handler is self.handlers[name, "info"]
            else:
                fixed = {"default": signal.SIG_DFL, "ignored": signal.SIG_IGN, FOREIGN: None}
                assert handler is fixed[kind]
            now = disposition(signum)
            assert now is not None
            assert (now[0] > 1) == (kind in ("plain", "info", FOREIGN) or model.recorded)

    @invariant()
    def nothing_is_unaccounted_for(self) -> None:
        delivered, handed, dropped, queued = account()
        assert (delivered, dropped) == (handed + queued, 0)
        assert queued == sum(map(len, self.waiting.values()))


TestDelivery = Delivery.TestCase
TestDelivery.settings = settings(
    deadline=None,
    max_examples=100,
    stateful_step_count=50,
    suppress_health_check=[HealthCheck.too_slow],
)
