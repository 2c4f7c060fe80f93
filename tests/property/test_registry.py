"""Who handles a signal, decided from plain values: every case, without a signal."""

from __future__ import annotations

from signal import SIG_DFL, SIG_IGN

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sigcffi._registry import DEFAULT, FOREIGN, IGNORED, PYTHON, in_force

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
