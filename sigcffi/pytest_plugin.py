"""The plugin for pytest: what a test leaks of signals, and ``time_limit``.

Law: pytest loads it, and nothing of the library does. What is asked of signals is asked in the main
thread; a session that runs in another one is left alone, but for the mark, which cannot work there.

- The setting ``signal_leaks`` is ``error``, ``warn`` or, unless a project says so, ``off``: pytest
  loads this wherever sigcffi is installed, also for a project that does not know it. After each
  test with its fixtures, what it has left of signals is named and put back: dispositions, mask,
  interval timers, the wakeup fd, what was attached, subscribed or opened and not closed. What a
  fixture of many tests changes stays as long as the fixture.
- The mark ``time_limit(seconds)``: a test with its fixtures ends in time, or ``TimedOut`` is what
  it fails with. If its time was over before its fixtures were to end, they have as much once more.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

import pytest

import sigcffi

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from sigcffi.testing import Snapshot


__all__ = ["SignalLeakWarning"]

_MODES = ("error", "warn", "off")
_MARK = "time_limit(seconds): the test with its fixtures must end in time (sigcffi.timeout)"

_before = pytest.StashKey["Snapshot"]()
_limit = pytest.StashKey["time_limit"]()


class SignalLeakWarning(UserWarning):
    """A test has left signals otherwise than it has found them."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addini(
        "signal_leaks",
        "what is said of a test that leaves signals otherwise than it has found them: error, warn "
        "or off",
        default="off",
    )


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", _MARK)
    mode = config.getini("signal_leaks")
    if mode not in _MODES:
        raise pytest.UsageError(f"signal_leaks is one of {', '.join(_MODES)}, not {mode!r}")
    if mode != "off":
        config.pluginmanager.register(_Leaks(error=mode == "error"), "sigcffi-leaks")


# ---- Leaks ----


class _Leaks:
    def __init__(self, error: bool) -> None:
        self.error = error
        self.item: pytest.Item | None = None
        # Fixtures of many tests, with what was there before them, and then.
        self.fixtures: dict[Any, tuple[Snapshot, Snapshot]] = {}

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> Iterator[None]:
        before = self.look()
        if before is not None:
            item.stash[_before] = before
            self.item = item
        return (yield)

    @pytest.hookimpl(wrapper=True)
    def pytest_fixture_setup(
        self, fixturedef: Any, request: pytest.FixtureRequest
    ) -> Iterator[None]:
        before = None if fixturedef.scope == "function" else self.look()
        try:
            return (yield)
        finally:
            if before is not None:
                after = self.look()
                assert after is not None
                self.fixtures[fixturedef] = before, after
                self.adopt(before, after)

    def pytest_fixture_post_finalizer(self, fixturedef: Any) -> None:
        if fixturedef in self.fixtures:
            before, after = self.fixtures.pop(fixturedef)
            self.adopt(after, before)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_teardown(self, item: pytest.Item) -> Iterator[None]:
        try:
            result = yield
        except BaseException as error:
            if text := self.leaks(item):
                error.add_note(text)
            raise
        if text := self.leaks(item):
            if self.error:
                pytest.fail(text, pytrace=False)
            item.warn(SignalLeakWarning(text))
        return result

    def look(self) -> Snapshot | None:
        from sigcffi._core.ffi import lib
        from sigcffi.testing import snapshot

        return snapshot() if lib.sigcffi_main_thread_is_current() else None

    def adopt(self, before: Snapshot, after: Snapshot) -> None:
        if self.item is not None and _before in self.item.stash:
            self.item.stash[_before].adopt(before, after)

    def leaks(self, item: pytest.Item) -> str:
        """What has leaked, in words; it is put back."""
        from sigcffi.testing import differences

        before, now = item.stash.get(_before, None), self.look()
        self.item = None
        if before is None or now is None:
            return ""
        del item.stash[_before]
        lines = differences(before, now)
        before.restore()
        return "\n".join([f"{item.nodeid} leaks signals:", *lines]) if lines else ""


# ---- Time ----


class time_limit:
    """One deadline for all stages of a test."""

    def __init__(self, seconds: float) -> None:
        sigcffi.timeout(seconds)  # refuses what is no time
        if seconds <= 0:
            raise ValueError("the time must be positive")
        self.seconds = seconds

    def begin(self) -> None:
        self.deadline: float = time.monotonic() + self.seconds

    def is_over(self) -> bool:
        return self.deadline <= time.monotonic()


def pytest_collection_finish(session: pytest.Session) -> None:
    for item in session.items:
        mark = item.get_closest_marker("time_limit")
        if mark is not None:
            try:
                item.stash[_limit] = time_limit(*mark.args, **mark.kwargs)
            except (TypeError, ValueError, OverflowError) as error:
                raise pytest.UsageError(f"{item.nodeid}: time_limit(seconds): {error}") from None


def _stage(item: pytest.Item) -> AbstractContextManager[Any]:
    limit = item.stash.get(_limit, None)
    if limit is None:
        return nullcontext()
    block = sigcffi.timeout_at(limit.deadline)
    block._seconds = limit.seconds  # for what it says
    return block


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> Iterator[None]:
    if _limit in item.stash:
        item.stash[_limit].begin()
    with _stage(item):
        return (yield)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    with _stage(item):
        return (yield)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_teardown(item: pytest.Item) -> Iterator[None]:
    if _limit in item.stash and item.stash[_limit].is_over():
        item.stash[_limit].begin()
    with _stage(item):
        return (yield)
