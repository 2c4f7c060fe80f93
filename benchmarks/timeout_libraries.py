"""Timeout libraries on the same cases: ``python benchmarks/timeout_libraries.py``.

Prints a table in Markdown: which of the cases of ``timeout_cases.py`` each gets right, and what it
does instead. Each case runs in an interpreter of its own, which is killed if it hangs.

What is not installed is left out, with a message. To have all of them, as they were compared:

    pip install timeout-decorator stopit interruptingcow wrapt-timeout-decorator pytest-timeout \
        "setuptools<81"

(The last is for stopit, which imports pkg_resources.)
"""

from __future__ import annotations

import argparse
import os
import platform
import signal
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

from timeout_cases import CASES, Error, Lacks, Limits, what_comes_out

HERE = Path(__file__).parent

# ---- The libraries: each function imports one, and says how it is used ----


def recipe() -> Limits:
    """As it is found in many answers and code bases."""

    @contextmanager
    def time_limit(seconds: float, error: Error) -> Iterator[None]:
        def handler(signum: int, frame: object) -> None:
            raise (error or TimeoutError)

        former = signal.signal(signal.SIGALRM, handler)
        signal.setitimer(signal.ITIMER_REAL, seconds)
        try:
            yield
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, former)

    return Limits(time_limit, time_limit)


def pytest_timeout() -> Limits:
    """Its signal method, called as pytest calls it before and after a test."""
    import pytest
    import pytest_timeout as plugin

    class Silent:
        hasmarkup = False

        def __getattr__(self, name: str) -> Callable[..., None]:
            return lambda *args, **kwargs: None

    class Test:
        def __init__(self, seconds: float, error: Error) -> None:
            config = SimpleNamespace(get_terminal_writer=Silent)
            self.item = SimpleNamespace(config=config, nodeid="a test")
            self.settings = SimpleNamespace(
                method="signal", timeout=seconds, disable_debugger_detection=True
            )

        def __enter__(self) -> None:
            plugin.pytest_timeout_set_timer(self.item, self.settings)

        def __exit__(self, *error: object) -> None:
            plugin.pytest_timeout_cancel_timer(self.item)

    return Limits(Test, None, pytest.fail.Exception, nests=False)


def timeout_decorator() -> Limits:
    from timeout_decorator import TimeoutError as Own
    from timeout_decorator import timeout

    return Limits(
        None,
        lambda seconds, error: timeout(seconds, timeout_exception=error or Own),
        process=lambda seconds: timeout(seconds, use_signals=False),
    )


def stopit_signal() -> Limits:
    import stopit

    def decorator(seconds: float, error: Error) -> Callable[..., object]:
        return lambda function: with_timeout(stopit.signal_timeoutable()(function), seconds)

    return Limits(
        lambda seconds, error: stopit.SignalTimeout(seconds, swallow_exc=False),
        decorator,
        stopit.TimeoutException,
        unit=1,
    )


def stopit_threading() -> Limits:
    import stopit

    def decorator(seconds: float, error: Error) -> Callable[..., object]:
        return lambda function: with_timeout(stopit.threading_timeoutable()(function), seconds)

    return Limits(
        lambda seconds, error: stopit.ThreadingTimeout(seconds, swallow_exc=False),
        decorator,
        stopit.TimeoutException,
    )


def with_timeout(decorated: Callable[..., object], seconds: float) -> Callable[..., object]:
    """The decorated functions of stopit are told the time with each call."""

    def call() -> object:
        return decorated(timeout=seconds)

    call.__name__ = decorated.__name__
    return call


def interruptingcow() -> Limits:
    from interruptingcow import timeout

    def limit(seconds: float, error: Error) -> object:
        return timeout(seconds) if error is None else timeout(seconds, error)

    return Limits(limit, limit)  # type: ignore[arg-type]


def wrapt_timeout_decorator() -> Limits:
    from wrapt_timeout_decorator import timeout

    return Limits(
        None,
        lambda seconds, error: timeout(seconds, timeout_exception=error or TimeoutError),
        process=lambda seconds: timeout(seconds, use_signals=False),
    )


def sigcffi() -> Limits:
    from sigcffi import TimedOut, timeout

    def limit(seconds: float, error: Error) -> timeout:
        return timeout(seconds)

    return Limits(
        limit,
        limit,
        TimedOut,
        kill=lambda seconds, more: timeout(seconds, kill_after=more),
    )


LIBRARIES: dict[str, Callable[[], Limits]] = {
    "recipe": recipe,
    "pytest-timeout": pytest_timeout,
    "timeout-decorator": timeout_decorator,
    "stopit, signal": stopit_signal,
    "stopit, thread": stopit_threading,
    "interruptingcow": interruptingcow,
    "wrapt-timeout-decorator": wrapt_timeout_decorator,
    "sigcffi": sigcffi,
}


# ---- One case, in a process of its own ----


def run_here(library: str, case: str) -> None:
    limits = LIBRARIES[library]()
    try:
        if case == "type":
            said = what_comes_out(limits)
        else:
            fault = CASES[case](limits)
            said = "yes" if fault is None else f"no\t{fault}"
    except Lacks as lacking:
        said = f"-\t{lacking}"
    except BaseException as error:
        said = f"no\t{type(error).__name__} comes out"
    print(said, flush=True)
    os._exit(0)  # whatever threads and timers are left


def run(library: str, limits: Limits, case: str) -> tuple[str, str]:
    """What is to be said in the table, and why."""
    try:
        done = subprocess.run(
            [sys.executable, __file__, "--library", library, "--case", case],
            capture_output=True,
            check=False,
            cwd=HERE,  # from a checkout's root the sources would be found, not what is installed
            text=True,
            timeout=10 + 50 * limits.unit,
        )
    except subprocess.TimeoutExpired:
        return "no", "hangs"
    status = done.returncode
    if limits.kill and status == -signal.SIGABRT and "in endless" in done.stderr:
        return "yes", "the process ends, as asked for, with a traceback"
    if status:
        how = f"with status {status}" if status > 0 else f"by {signal.Signals(-status).name}"
        return "no", f"the process ends {how}"
    word, _, reason = done.stdout.rstrip("\n").partition("\t")
    return word, reason


def installed(library: str) -> Limits | None:
    try:
        return LIBRARIES[library]()
    except ImportError as error:
        print(f"{library} is left out: {error}", file=sys.stderr)
        return None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--library", choices=LIBRARIES, help="only this one")
    parser.add_argument("--case", choices=[*CASES, "type"], help="only this one, and here")
    asked = parser.parse_args()
    warnings.simplefilter("ignore")  # the libraries'
    if asked.case:
        run_here(asked.library, asked.case)
    wanted = [asked.library] if asked.library else [*LIBRARIES]
    libraries = {name: limits for name in wanted if (limits := installed(name))}
    system = f"{platform.system()} {platform.machine()}"
    print(f"{platform.python_implementation()} {platform.python_version()}, {system}\n")
    print("|", " | ".join(["", *libraries]), "|")
    print("|", " | ".join(["---"] * (len(libraries) + 1)), "|")
    reasons: dict[str, dict[str, list[int]]] = {library: {} for library in libraries}
    for number, case in enumerate(CASES, 1):
        words = []
        for library, limits in libraries.items():
            word, reason = run(library, limits, case)
            words.append(word)
            if reason:
                reasons[library].setdefault(reason, []).append(number)
        print("|", " | ".join([f"{number}. {case}", *words]), "|", flush=True)
    types = [run(*each, "type")[0] for each in libraries.items()]
    print("|", " | ".join(["what comes out", *types]), "|\n")
    for library, why in reasons.items():
        said = "; ".join(f"{', '.join(map(str, cases))}: {text}" for text, cases in why.items())
        print(f"* {library}. {said}.")


if __name__ == "__main__":
    main()
