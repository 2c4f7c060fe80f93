"""The docstrings, held against the house's rule: whoever calls ``help`` learns what a call takes,
gives and raises, from which threads it may be called, and where it comes from.
"""

from __future__ import annotations

import ctypes
import inspect
import re
import signal as standard
from typing import Any

import pytest

import sigcffi
import sigcffi.actions
import sigcffi.pytest_plugin
import sigcffi.testing

MODULES = (sigcffi, sigcffi.actions, sigcffi.testing, sigcffi.pytest_plugin)
# The first word of a docstring that says what is returned, and not what is done.
NOUN = re.compile(r"(A|An|All|How|Seconds|The|What|When|Where|Whether)\b|``\w+`` (in|with) ")
ERRORS = re.compile(r"\b[Rr]aise[sd]?\b|\w+Error\b")
GIVES = re.compile(r"\b([Rr]eturns?|[Yy]ields?|``as`` gives|[Cc]ontext manager)\b")


def public() -> dict[str, Any]:
    """The functions and classes of ours, by their names."""
    found = {}
    for module in MODULES:
        for name in module.__all__:
            value = getattr(module, name)
            if getattr(value, "__module__", "").startswith("sigcffi") and callable(value):
                found[f"{module.__name__}.{name}"] = value
    return found


PUBLIC = public()
EXCEPTIONS = {
    name
    for name, value in PUBLIC.items()
    if isinstance(value, type) and issubclass(value, BaseException)
}
FUNCTIONS = {name: value for name, value in PUBLIC.items() if inspect.isfunction(value)}
CLASSES = {name: value for name, value in PUBLIC.items() if isinstance(value, type)}


def members(cls: type) -> dict[str, Any]:
    """The public methods and properties that a class has from us."""
    found = {}
    for base in cls.__mro__[::-1]:
        if base.__module__.startswith("sigcffi"):
            found.update({name: each for name, each in vars(base).items() if name[0] != "_"})
    is_said = (property, classmethod, type(public))
    return {
        name: each
        for name, each in found.items()
        if isinstance(each, is_said)
        and getattr(each, "__module__", cls.__module__).startswith("sigcffi")
    }


METHODS = {
    f"{name}.{method}": (value, cls)
    for name, cls in CLASSES.items()
    for method, value in members(cls).items()
}


def doc_of(value: Any) -> str:
    return " ".join((inspect.getdoc(value) or "").split())


def parameters(value: Any) -> list[inspect.Parameter]:
    function = getattr(value, "__func__", value)
    found = list(inspect.signature(function).parameters.values())
    return [each for each in found if each.name not in ("self", "cls")]


def is_told_of(parameter: inspect.Parameter, text: str) -> bool:
    """Whether it is named, and a time with its unit. What ``signum`` is, its name says."""
    if "Number" in str(parameter.annotation) and "second" not in text:
        return False
    if parameter.name in ("signum", "signalnum", "signums"):
        return "signal" in text
    return re.search(rf"[*`({{]{parameter.name}[*`,)(]", text) is not None


def not_told_of(value: Any, *texts: str) -> list[str]:
    return [each.name for each in parameters(value) if not is_told_of(each, " ".join(texts))]


def test_there_is_something_to_hold_against_the_rule() -> None:
    assert len(FUNCTIONS) > 40
    assert len(CLASSES) > 20
    assert len(METHODS) > 80


@pytest.mark.parametrize("name", PUBLIC)
def test_every_public_name_says_what_it_is_and_for_which_threads(name: str) -> None:
    value = PUBLIC[name]
    assert vars(value)["__doc__"] if isinstance(value, type) else value.__doc__
    assert "Threads: " in doc_of(value) or name in EXCEPTIONS


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_function_tells_of_its_arguments_its_result_and_its_errors(name: str) -> None:
    function, doc = FUNCTIONS[name], doc_of(FUNCTIONS[name])
    assert not not_told_of(function, doc)
    if inspect.signature(function).return_annotation != "None":
        assert NOUN.match(doc) or GIVES.search(doc)
    if parameters(function):
        assert ERRORS.search(doc)


@pytest.mark.parametrize("name", sorted({*CLASSES} - EXCEPTIONS))
def test_a_class_tells_of_the_arguments_that_make_it_or_what_makes_it(name: str) -> None:
    cls, doc = CLASSES[name], doc_of(CLASSES[name])
    made_by = re.search(r"[Mm]ade by ``(\w+)``", doc)
    if made_by is not None:
        assert f"{name.rpartition('.')[0]}.{made_by[1]}" in PUBLIC
    elif "The library makes them" not in doc:
        assert not not_told_of(cls, doc)
        assert ERRORS.search(doc)


@pytest.mark.parametrize("name", METHODS)
def test_every_method_says_what_it_does_and_takes(name: str) -> None:
    method, cls = METHODS[name]
    properties = " ".join(f"``{each}``" for each in members(cls))
    assert doc_of(method)
    if not isinstance(method, property):
        assert not not_told_of(method, doc_of(method), doc_of(cls), properties)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_what_the_system_has_says_where_that_is_described(name: str) -> None:
    short = name.rpartition(".")[2]
    if name == f"sigcffi.{short}" and (
        hasattr(standard, short) or hasattr(ctypes.CDLL(None), short)
    ):
        assert "Source: " in doc_of(FUNCTIONS[name])
