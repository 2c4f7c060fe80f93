"""Who handles a signal, decided from plain values: every case, without a signal."""

from __future__ import annotations

import threading
from functools import partial
from signal import SIG_DFL, SIG_IGN
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import join

from sigcffi._dispatch.registry import DEFAULT, FOREIGN, IGNORED, PYTHON, Entry, in_force

registered = st.sampled_from([print, len, SIG_DFL, SIG_IGN, 0, 1, None, lambda signum, frame: None])


@given(registered)
def test_without_a_python_handler_the_kernel_alone_decides(entry: object) -> None:
    assert in_force(DEFAULT, entry) is SIG_DFL  # type: ignore[arg-type]
    assert in_force(IGNORED, entry) is SIG_IGN  # type: ignore[arg-type]
    assert in_force(FOREIGN, entry) is None  # type: ignore[arg-type]
    assert in_force(None, entry) is None  # type: ignore[arg-type]


@given(registered)
def test_a_python_handler_is_the_callable_that_the_interpreter_noted(entry: object) -> None:
    assert in_force(PYTHON, entry) is (entry if callable(entry) else None)  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", [DEFAULT, IGNORED, PYTHON, FOREIGN])
def test_kinds_are_words_for_people(kind: str) -> None:
    assert kind.isprintable()


# ---- Entry ----

OWN = 10  # the entry's signal
CALLBACKS = [lambda info, frame: None for _ in range(3)]  # told apart by identity only

callbacks = st.sampled_from(CALLBACKS)
handlers = st.none() | st.tuples(callbacks, st.booleans())
words = st.none() | st.integers(0, 2**64 - 1) | st.sampled_from([0, 1 << (OWN - 1)])
steps = st.one_of(
    st.tuples(st.just("subscribe"), callbacks),
    st.tuples(st.just("unsubscribe"), callbacks),
    st.tuples(st.just("install"), st.tuples(handlers, words)),
)


def test_an_entry_begins_with_nothing_to_call_and_keeps_its_own_signal_out() -> None:
    entry = Entry(OWN)
    assert (entry.signum, entry.installed, entry.handler) == (OWN, None, None)
    assert (entry.subscribers, entry.calls, entry.only) == ({}, (), None)
    assert entry.keeps_out == 1 << (OWN - 1)


@given(st.lists(steps, max_size=40))
def test_an_entry_calls_as_a_list_of_subscribers_and_a_handler_would(steps: list[Any]) -> None:
    entry = Entry(OWN)
    subscribers: list[Any] = []
    handler, installed, keeps_out = None, None, 1 << (OWN - 1)
    for step, argument in steps:
        if step == "subscribe":
            if argument not in subscribers:
                entry.subscribe(argument)
                subscribers.append(argument)
        elif step == "unsubscribe":
            assert entry.unsubscribe(argument) == (argument in subscribers)
            if argument in subscribers:
                subscribers.remove(argument)
        else:
            (handler, word), installed = argument, object()
            entry.install(installed, handler, word)
            keeps_out = 1 << (OWN - 1) if word is None else word
        assert list(entry.subscribers.values()) == subscribers
        assert entry.installed is installed
        assert entry.handler == handler
        assert entry.keeps_out == keeps_out
        calls = [(callback, False) for callback in subscribers] + ([handler] if handler else [])
        assert list(entry.calls) == calls


@given(st.lists(callbacks, max_size=3, unique=True), handlers, words)
def test_only_is_the_one_call_that_takes_a_siginfo_and_lets_no_other_signal_wait(
    subscribers: list[Any], handler: Any, word: int | None
) -> None:
    entry = Entry(OWN)
    for callback in subscribers:
        entry.subscribe(callback)
    entry.install(None, handler, word)
    others_wait = bool(entry.keeps_out & ~(1 << (OWN - 1)))
    if len(entry.calls) == 1 and not entry.calls[0][1] and not others_wait:
        assert entry.only is entry.calls[0][0]
    else:
        assert entry.only is None


@given(st.lists(callbacks, min_size=1, max_size=6), st.data())
def test_of_equal_subscribers_the_first_that_is_the_same_object_goes(
    subscribers: list[Any], data: Any
) -> None:
    """Others that compare equal stay: they are somebody else's."""

    class Equal:
        def __eq__(self, other: object) -> bool:
            return True

        def __hash__(self) -> int:
            return 0

    several = [Equal() for _ in subscribers]
    entry = Entry(OWN)
    for callback in several:
        entry.subscribe(callback)
    gone = data.draw(st.integers(0, len(several) - 1))
    assert entry.unsubscribe(several[gone])
    assert not entry.unsubscribe(several[gone])
    left = several[:gone] + several[gone + 1 :]
    assert list(entry.subscribers) == list(map(id, left))
    assert [id(call) for call, _ in entry.calls] == list(map(id, left))


def test_what_the_dispatcher_is_going_through_does_not_change_under_it() -> None:
    entry = Entry(OWN)
    for callback in CALLBACKS:
        entry.subscribe(callback)
    gone_through = entry.calls
    entry.unsubscribe(CALLBACKS[1])
    entry.install(None, (print, True))
    assert [call for call, _ in gone_through] == CALLBACKS


def test_threads_that_subscribe_and_unsubscribe_lose_nothing() -> None:
    entry = Entry(OWN)
    kept: list[Any] = []

    def come_and_go() -> None:
        for number in range(200):
            callback = partial(print)
            entry.subscribe(callback)
            if number % 2:
                assert entry.unsubscribe(callback)
            else:
                kept.append(callback)

    threads = [threading.Thread(target=come_and_go) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        join(thread)
    assert len(kept) == 400
    assert set(entry.subscribers) == set(map(id, kept))
    assert [call for call, _ in entry.calls] == list(entry.subscribers.values())
