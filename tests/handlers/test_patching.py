"""``patch_stdlib``: what replaces the standard module's functions, and that it can be undone."""

from __future__ import annotations

import asyncio
import ctypes
import inspect
import os
import signal as standard
import threading
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
from support import DEADLINE, join, python_says

import sigcffi

# The standard module's own on purpose: see sigcffi/__init__.py.
STAY = {"default_int_handler", "raise_signal", "set_wakeup_fd"}
FUNCTIONS = {
    name
    for name, value in vars(standard).items()
    if inspect.isroutine(value) and not name.startswith("_")
} - STAY


def nothing(signum: int, frame: FrameType | None) -> None:
    pass


@pytest.fixture(autouse=True)
def unpatched() -> Iterator[dict[str, Any]]:
    """The standard module as it is; put back whatever a test has done to it."""
    before = dict(vars(standard))
    yield before
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        sigcffi.unpatch_stdlib()
    for name in set(vars(standard)) - set(before):
        delattr(standard, name)
    for name, value in before.items():
        setattr(standard, name, value)


def changed(before: dict[str, Any]) -> set[str]:
    now = vars(standard)
    assert list(now) == list(before)
    return {name for name in before if now[name] is not before[name]}


def test_every_function_is_replaced_and_nothing_else(unpatched: dict[str, Any]) -> None:
    assert {"signal", "getsignal", "alarm", "pthread_kill", "sigwait", "strsignal"} <= FUNCTIONS
    sigcffi.patch_stdlib()
    assert changed(unpatched) == FUNCTIONS
    for name in FUNCTIONS:
        assert getattr(standard, name) is getattr(sigcffi, name)


def test_names_that_the_standard_module_lacks_are_not_added() -> None:
    sigcffi.patch_stdlib()
    for name in ("sigaction", "subscribe", "sigqueue", "patch_stdlib", "SigInfo"):
        assert hasattr(sigcffi, name)
        assert not hasattr(standard, name)


def test_afterwards_everything_is_the_identical_object(unpatched: dict[str, Any]) -> None:
    for _ in range(2):
        sigcffi.patch_stdlib()
        assert standard.signal is sigcffi.signal
        sigcffi.unpatch_stdlib()
        assert changed(unpatched) == set()


def test_a_second_patch_and_a_second_unpatch_do_nothing(unpatched: dict[str, Any]) -> None:
    sigcffi.unpatch_stdlib()
    assert changed(unpatched) == set()
    sigcffi.patch_stdlib()
    patched = dict(vars(standard))
    sigcffi.patch_stdlib()
    assert changed(patched) == set()
    sigcffi.unpatch_stdlib()
    assert changed(unpatched) == set()
    sigcffi.unpatch_stdlib()
    assert changed(unpatched) == set()


def test_a_second_patch_leaves_a_replacement_alone() -> None:
    sigcffi.patch_stdlib()
    standard.alarm = nothing  # type: ignore[assignment]
    sigcffi.patch_stdlib()
    assert standard.alarm is nothing  # type: ignore[comparison-overlap]


def test_what_somebody_else_has_replaced_since_stays(unpatched: dict[str, Any]) -> None:
    sigcffi.patch_stdlib()
    standard.strsignal = nothing  # type: ignore[assignment]
    del standard.siginterrupt
    with pytest.warns(RuntimeWarning) as caught:
        sigcffi.unpatch_stdlib()
    [warning] = caught
    assert "signal.strsignal" in str(warning.message)
    assert "signal.siginterrupt" in str(warning.message)
    assert "signal.alarm" not in str(warning.message)
    assert Path(warning.filename).name == Path(__file__).name
    assert standard.strsignal is nothing  # type: ignore[comparison-overlap]
    assert not hasattr(standard, "siginterrupt")
    standard.siginterrupt = unpatched["siginterrupt"]
    assert {name for name in unpatched if vars(standard)[name] is not unpatched[name]} == {
        "strsignal"
    }
    sigcffi.unpatch_stdlib()  # which has nothing to do, nor to warn of


def test_a_warning_that_is_an_error_leaves_nothing_patched(unpatched: dict[str, Any]) -> None:
    """Whichever function it is about: the others are put back before."""
    for name in FUNCTIONS:
        sigcffi.patch_stdlib()
        setattr(standard, name, nothing)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            with pytest.raises(RuntimeWarning, match=rf"signal\.{name}\b"):
                sigcffi.unpatch_stdlib()
        assert changed(unpatched) == {name}
        setattr(standard, name, unpatched[name])


def test_what_was_replaced_before_comes_back() -> None:
    """Also if it is no function, but an object that somebody wrapped around one."""

    class Wrapper:
        def __call__(self, *arguments: Any) -> Any:
            raise AssertionError

    wrapper = Wrapper()
    standard.alarm = wrapper  # type: ignore[assignment]
    sigcffi.patch_stdlib()
    assert standard.alarm is sigcffi.alarm
    sigcffi.unpatch_stdlib()
    assert standard.alarm is wrapper  # type: ignore[comparison-overlap]


@pytest.mark.parametrize("name", sorted(STAY))
def test_a_replacement_of_what_is_not_ours_is_not_overwritten(name: str) -> None:
    setattr(standard, name, nothing)
    sigcffi.patch_stdlib()
    assert getattr(standard, name) is nothing
    sigcffi.unpatch_stdlib()
    assert getattr(standard, name) is nothing


def test_a_replacement_that_was_there_before_the_import_does_not_come_back() -> None:
    """It is in the namespace of the package, but not sigcffi's own."""
    code = """
        import signal
        original = signal.raise_signal
        signal.raise_signal = lambda signum: None
        import sigcffi
        signal.raise_signal = original
        sigcffi.patch_stdlib()
        print(signal.raise_signal is original)
    """
    assert python_says(code) == "True\n"


def test_any_thread_may_patch(unpatched: dict[str, Any]) -> None:
    for call, expected in ((sigcffi.patch_stdlib, FUNCTIONS), (sigcffi.unpatch_stdlib, set())):
        thread = threading.Thread(target=call)
        thread.start()
        join(thread)
        assert changed(unpatched) == expected


def test_code_that_imported_a_function_before_keeps_the_original(unpatched: dict[str, Any]) -> None:
    from signal import getsignal as imported_before

    sigcffi.patch_stdlib()
    from signal import getsignal as imported_after

    assert imported_before is unpatched["getsignal"]
    assert imported_after is sigcffi.getsignal  # type: ignore[comparison-overlap]


def test_classes_and_constants_are_the_same_objects_anyway() -> None:
    sigcffi.patch_stdlib()
    for name in ("SIGINT", "SIG_DFL", "Signals", "ItimerError", "SIG_BLOCK", "ITIMER_REAL"):
        assert getattr(standard, name) is getattr(sigcffi, name)


def test_getsignal_tells_of_a_c_librarys_handler(foreign: ctypes.CDLL) -> None:
    standard.signal(standard.SIGUSR1, nothing)
    assert foreign.foreign_install(int(standard.SIGUSR1), 0) == 0
    assert standard.getsignal(standard.SIGUSR1) is nothing  # which is not true
    sigcffi.patch_stdlib()
    assert standard.getsignal(standard.SIGUSR1) is None
    sigcffi.unpatch_stdlib()
    assert standard.getsignal(standard.SIGUSR1) is nothing


def test_a_handler_set_by_a_library_leaves_a_subscriber_in_place() -> None:
    """What the patch is for."""
    seen: list[str] = []
    signum = standard.SIGUSR1
    standard.signal(signum, nothing)
    with sigcffi.subscribe([signum], lambda info, frame: seen.append("subscriber")):
        sigcffi.patch_stdlib()
        standard.signal(signum, lambda signum, frame: seen.append("handler"))
        standard.raise_signal(signum)
        standard.pthread_sigmask(standard.SIG_BLOCK, ())
        assert sorted(seen) == ["handler", "subscriber"]


@pytest.mark.parametrize("patched_before", [True, False], ids=["patched before", "while running"])
def test_asyncio_adds_and_removes_handlers(patched_before: bool) -> None:
    signum = standard.SIGUSR1
    standard.signal(signum, nothing)

    async def main() -> list[int]:
        loop = asyncio.get_running_loop()
        values: list[int] = []
        came = asyncio.Event()

        def called(value: int) -> None:
            values.append(value)
            came.set()

        loop.add_signal_handler(signum, called, 7)
        if not patched_before:
            sigcffi.patch_stdlib()
        for _ in range(3):
            os.kill(os.getpid(), signum)
            await asyncio.wait_for(came.wait(), DEADLINE)
            came.clear()
        assert loop.remove_signal_handler(signum)
        assert not loop.remove_signal_handler(signum)
        assert sigcffi.getsignal(signum) is sigcffi.SIG_DFL
        return values

    if patched_before:
        sigcffi.patch_stdlib()
    assert asyncio.run(main()) == [7, 7, 7]


def test_asyncio_leaves_a_subscriber_in_place() -> None:
    signum = standard.SIGUSR1
    standard.signal(signum, nothing)

    async def main() -> None:
        came = asyncio.Event()
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signum, came.set)
        os.kill(os.getpid(), signum)
        await asyncio.wait_for(came.wait(), DEADLINE)
        loop.remove_signal_handler(signum)

    seen: list[int] = []
    sigcffi.patch_stdlib()
    with sigcffi.subscribe([signum], lambda info, frame: seen.append(info.si_signo)):
        asyncio.run(main())
        assert seen == [signum]


def test_a_subscriber_gets_its_calls_before_during_and_after_asyncios_handler() -> None:
    signum = standard.SIGUSR1
    standard.signal(signum, nothing)
    seen: list[str] = []
    when = "before"

    def send() -> None:
        os.kill(os.getpid(), signum)
        standard.pthread_sigmask(standard.SIG_BLOCK, ())

    async def main() -> list[int]:
        nonlocal when
        loop = asyncio.get_running_loop()
        values: list[int] = []
        came = asyncio.Event()

        def called(value: int) -> None:
            values.append(value)
            came.set()

        send()
        loop.add_signal_handler(signum, called, 7)
        when = "during"
        for _ in range(3):
            send()
            await asyncio.wait_for(came.wait(), DEADLINE)
            came.clear()
        assert loop.remove_signal_handler(signum)
        assert not loop.remove_signal_handler(signum)
        when = "after"
        send()  # its default action is not taken while there is a subscriber
        return values

    sigcffi.patch_stdlib()
    with sigcffi.subscribe(signum, lambda info, frame: seen.append(when)):
        assert asyncio.run(main()) == [7, 7, 7]
        when = "unpatched"
        sigcffi.unpatch_stdlib()
        send()
        assert sigcffi.getsignal(signum) is sigcffi.SIG_DFL
    assert seen == ["before", "during", "during", "during", "after", "unpatched"]


# Called with the module patched and not: what they do must be the same.
CALLS: list[Callable[[], Any]] = [
    lambda: standard.signal(standard.SIGUSR2, standard.SIG_IGN),
    lambda: standard.getsignal(standard.SIGUSR2),
    lambda: standard.signal(standard.SIGUSR2, nothing),
    lambda: standard.signal(standard.SIGUSR2, standard.SIG_DFL),
    lambda: standard.siginterrupt(standard.SIGUSR2, False),
    lambda: standard.alarm(0),
    lambda: standard.setitimer(standard.ITIMER_VIRTUAL, 0),
    lambda: standard.getitimer(standard.ITIMER_VIRTUAL),
    lambda: standard.pthread_sigmask(standard.SIG_BLOCK, [standard.SIGUSR2]),
    lambda: standard.pthread_kill(threading.get_ident(), standard.SIGUSR2),
    lambda: standard.sigpending(),
    lambda: standard.sigwait([standard.SIGUSR2]),
    lambda: standard.pthread_sigmask(standard.SIG_UNBLOCK, [standard.SIGUSR2]),
    lambda: standard.valid_signals(),
    lambda: standard.strsignal(standard.SIGINT),
]


def test_patched_functions_give_the_results_of_the_originals() -> None:
    """Above all, none calls itself by way of the module that it has been put into."""
    originals = [call() for call in CALLS]
    sigcffi.patch_stdlib()
    assert [call() for call in CALLS] == originals


def test_the_package_can_be_imported_afresh_while_patched() -> None:
    code = """
        import signal, sys, sigcffi
        sigcffi.patch_stdlib()
        first = sigcffi
        for name in [name for name in sys.modules if name.partition(".")[0] == "sigcffi"]:
            if name != "sigcffi._sigcffi":
                del sys.modules[name]
        import sigcffi
        assert sigcffi.signal is not first.signal
        assert signal.signal is first.signal
        print(sigcffi.getsignal(signal.SIGINT) is signal.default_int_handler)
    """
    assert python_says(code) == "True\n"


def test_the_interpreter_ends_well_while_patched() -> None:
    code = """
        import sigcffi
        sigcffi.patch_stdlib()
        import asyncio, signal, subprocess, sys
        assert subprocess.call([sys.executable, "-S", "-c", ""]) == 0
        asyncio.run(asyncio.sleep(0))
        signal.signal(signal.SIGINT, signal.default_int_handler)
        try:
            signal.raise_signal(signal.SIGINT)
        except KeyboardInterrupt:
            print("interrupted")
    """
    assert python_says(code) == "interrupted\n"
