"""Masks: hypothesis against a model of sets and against the standard module."""

from __future__ import annotations

import os
import signal as standard
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

import sigcffi as signal

CHANGEABLE = sorted(set(map(int, signal.valid_signals())) - {signal.SIGKILL, signal.SIGSTOP})
sigsets = st.sets(st.sampled_from([*CHANGEABLE, int(signal.SIGKILL), int(signal.SIGSTOP)]))
HOWS = [signal.SIG_BLOCK, signal.SIG_UNBLOCK, signal.SIG_SETMASK]


@given(st.lists(st.tuples(st.sampled_from(HOWS), sigsets), max_size=10))
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
def test_what_was_sent_while_blocked_is_pending_and_can_be_accepted(sent: set[int]) -> None:
    signal.pthread_sigmask(signal.SIG_BLOCK, PENDING)
    for signum in sent:
        os.kill(os.getpid(), signum)
    assert signal.sigpending() == sent == standard.sigpending()
    accepted = {signal.sigwait(sent) for _ in sent}
    assert accepted == sent
    assert signal.sigpending() == set()
    assert signal.sigtimedwait(PENDING, 0) is None


steps = st.lists(
    st.one_of(
        st.tuples(st.just("enter"), st.sets(st.sampled_from(CHANGEABLE[:4]))),
        st.tuples(st.just("leave"), st.just(set())),
        st.tuples(st.sampled_from(HOWS), st.sets(st.sampled_from(CHANGEABLE[:4]))),
    ),
    max_size=30,
)


@given(steps)
def test_each_block_takes_back_what_it_has_changed(steps: list[tuple[Any, set[int]]]) -> None:
    """Nested blocks, and the mask changed beside them, as sets say."""
    model: set[int] = set()
    entered: list[tuple[Any, set[int]]] = []
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    for step, sigset in steps:
        if step == "enter":
            scope = signal.blocked(*sigset)
            assert scope.__enter__() == model
            entered.append((scope, sigset - model))
            model = model | sigset
        elif step == "leave":
            if entered:
                scope, changed = entered.pop()
                scope.__exit__(None, None, None)
                model = model - changed
        else:
            signal.pthread_sigmask(step, sigset)
            model = {
                signal.SIG_BLOCK: model | sigset,
                signal.SIG_UNBLOCK: model - sigset,
                signal.SIG_SETMASK: sigset,
            }[step]
        assert standard.pthread_sigmask(standard.SIG_BLOCK, ()) == model
    while entered:
        entered.pop()[0].__exit__(None, None, None)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())


@given(st.permutations(range(6)), st.lists(sigsets, min_size=6, max_size=6))
def test_of_blocks_that_overlap_in_any_order_the_last_decides(
    order: list[int], chosen: list[set[int]]
) -> None:
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    scopes = [signal.blocked(*sigset) for sigset in chosen]
    for scope in scopes:
        scope.__enter__()
    inside = set(range(6))
    for number in order:
        scopes[number].__exit__(None, None, None)
        inside.remove(number)
        expected = set().union(*(chosen[each] for each in inside)) & set(CHANGEABLE)
        assert standard.pthread_sigmask(standard.SIG_BLOCK, ()) == expected
