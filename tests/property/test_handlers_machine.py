"""Handlers as a state machine: hypothesis against a model, with real signals."""

from __future__ import annotations

import os
import signal as standard
from collections.abc import Callable
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from support import disposition

import sigcffi as signal
from sigcffi._sigcffi import lib

SIGNALS = [signal.SIGUSR1, signal.SIGUSR2, signal.SIGXCPU, signal.SIGRTMIN, signal.SIGRTMAX]

signums = st.sampled_from(SIGNALS)
modules = st.sampled_from([signal, standard])


class Handlers(RuleBasedStateMachine):
    """Two modules install handlers for the same signals; getsignal agrees with the kernel."""

    def __init__(self) -> None:
        super().__init__()
        self.handlers: dict[int, Any] = dict.fromkeys(SIGNALS, signal.SIG_DFL)
        self.expected: dict[tuple[int, str], int] = {}
        self.calls: dict[tuple[int, str], int] = {}
        self.covered: dict[int, bool] = dict.fromkeys(SIGNALS, False)
        self.deliveries = {signum: signal.deliveries(signum) for signum in SIGNALS}
        self.named = {name: self.handler(name) for name in "abc"}

    def handler(self, name: str) -> Callable[[int, object], None]:
        def run(signum: int, frame: object) -> None:
            self.calls[signum, name] = self.calls.get((signum, name), 0) + 1

        run.__name__ = name
        return run

    def teardown(self) -> None:
        for signum in SIGNALS:
            signal.signal(signum, signal.SIG_DFL)

    @rule(signum=signums, name=st.sampled_from("abc"), module=modules)
    def install(self, signum: int, name: str, module: Any) -> None:
        handler = self.named[name]
        assert module.signal(signum, handler) == self.handlers[signum]
        self.handlers[signum] = handler
        self.covered[signum] = module is signal

    @rule(signum=signums, action=st.sampled_from([signal.SIG_DFL, signal.SIG_IGN]), module=modules)
    def reset(self, signum: int, action: int, module: Any) -> None:
        assert module.signal(signum, action) == self.handlers[signum]
        self.handlers[signum] = action
        self.covered[signum] = False

    @rule(signum=signums)
    def cover(self, signum: int) -> None:
        assert lib.sigcffi_interpose_interpreter(signum) == 0
        self.covered[signum] = callable(self.handlers[signum])

    @rule(signum=signums)
    def withdraw(self, signum: int) -> None:
        assert lib.sigcffi_interpose_withdraw(signum) == 0
        self.covered[signum] = False

    @rule(signum=signums, flag=st.booleans(), module=modules)
    def restartable(self, signum: int, flag: bool, module: Any) -> None:
        module.siginterrupt(signum, flag)

    def count(self, signum: int, times: int) -> None:
        key = (signum, self.handlers[signum].__name__)
        self.expected[key] = self.expected.get(key, 0) + 1
        self.deliveries[signum] += times * self.covered[signum]

    @rule(signum=signums)
    def send(self, signum: int) -> None:
        if callable(self.handlers[signum]):
            self.count(signum, 1)
        elif self.handlers[signum] == signal.SIG_DFL:
            return  # it would end the process
        os.kill(os.getpid(), signum)

    @rule(signum=signums, times=st.integers(1, 3))
    def send_while_blocked(self, signum: int, times: int) -> None:
        if not callable(self.handlers[signum]):
            return
        calls = dict(self.calls)
        assert signal.pthread_sigmask(signal.SIG_BLOCK, [signum]) == set()
        for _ in range(times):
            os.kill(os.getpid(), signum)
        assert signal.sigpending() == {signum}
        assert self.calls == calls
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signum])
        # A standard signal is pending once, a real-time signal as often as it was sent; the
        # interpreter calls its handler once for all that came between two bytecodes.
        self.count(signum, times if signum >= signal.SIGRTMIN else 1)

    @invariant()
    def getsignal_is_the_kernels_truth(self) -> None:
        for signum, handler in self.handlers.items():
            assert signal.getsignal(signum) == handler == standard.getsignal(signum)
            now = disposition(signum)
            assert now is not None
            assert (now[0] > 1) == callable(handler)

    @invariant()
    def every_signal_ran_its_handler_once(self) -> None:
        assert self.calls == self.expected

    @invariant()
    def deliveries_are_those_that_the_trampoline_saw(self) -> None:
        assert {signum: signal.deliveries(signum) for signum in SIGNALS} == self.deliveries


TestHandlers = Handlers.TestCase
TestHandlers.settings = settings()  # of the profile; its own would be hypothesis's
