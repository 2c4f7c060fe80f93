"""Masks: hypothesis against a model of sets and against the standard module."""

from __future__ import annotations

import os
import signal as standard

from hypothesis import given, settings
from hypothesis import strategies as st

import sigcffi as signal

CHANGEABLE = sorted(set(map(int, signal.valid_signals())) - {signal.SIGKILL, signal.SIGSTOP})
sigsets = st.sets(st.sampled_from([*CHANGEABLE, int(signal.SIGKILL), int(signal.SIGSTOP)]))
HOWS = [signal.SIG_BLOCK, signal.SIG_UNBLOCK, signal.SIG_SETMASK]


@given(st.lists(st.tuples(st.sampled_from(HOWS), sigsets), max_size=10))
@settings(deadline=None)
def test_a_sequence_of_changes_is_what_sets_say(changes: list[tuple[int, set[int]]]) -> None:
    model: set[int] = set()
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    for how, sigset in changes:
        assert signal.pthread_sigmask(how, iter(sigset)) == model
        real = sigset & set(CHANGEABLE)
        if how == signal.SIG_BLOCK:
            model |= real
        elif how == signal.SIG_UNBLOCK:
            model -= real
        else:
            model = real
        assert standard.pthread_sigmask(standard.SIG_BLOCK, ()) == model
    signal.pthread_sigmask(signal.SIG_SETMASK, ())


PENDING = [signal.SIGUSR1, signal.SIGUSR2, signal.SIGWINCH, signal.SIGRTMIN, signal.SIGRTMAX]


@given(st.sets(st.sampled_from(PENDING)))
@settings(deadline=None)
def test_what_was_sent_while_blocked_is_pending_and_can_be_accepted(sent: set[int]) -> None:
    signal.pthread_sigmask(signal.SIG_BLOCK, PENDING)
    for signum in sent:
        os.kill(os.getpid(), signum)
    assert signal.sigpending() == sent == standard.sigpending()
    accepted = {signal.sigwait(sent) for _ in sent}
    assert accepted == sent
    assert signal.sigpending() == set()
    assert signal.sigtimedwait(PENDING, 0) is None
