"""Names are imported on first use; a handler finds all of them there."""

from __future__ import annotations

import pickle
import re
import signal as standard
import sys
from pathlib import Path

import pytest
from support import FREE_THREADED, run_python

import sigcffi

STUB = (Path(sigcffi.__file__).parent / "__init__.pyi").read_text()
IMPORTED = re.findall(r"^from *(\S+) import (\w+) as \w+", STUB, re.MULTILINE)
NUMBERS = re.findall(r"^(\w+): int$", STUB, re.MULTILINE)
INSTALLING = [
    *("signal", "getsignal", "sigaction", "handling", "ignoring", "subscribe", "deferred"),
    *("patch_stdlib", "force_quit", "timeout", "TimedOut"),
]


def test_importing_the_package_opens_the_door_to_c_and_no_more() -> None:
    code = """
        import signal, sys
        before = set(sys.modules)
        import sigcffi
        print(*sorted(name for name in set(sys.modules) - before if name.startswith("sigcffi")))
        others = {"collections", "functools", "operator", "struct"}
        print(*sorted(others & set(sys.modules) - before))
    """
    done = run_python(code)
    names, others = done.stdout.splitlines()
    names = [name for name in names.split() if not name.startswith("sigcffi._sigcffi.")]
    assert names == [
        *("sigcffi", "sigcffi._core", "sigcffi._core.ffi", "sigcffi._core.mainthread"),
        "sigcffi._sigcffi",
    ]
    assert not others


def test_every_name_of_the_stub_is_there_unless_the_platform_lacks_it() -> None:
    for _, name in IMPORTED:
        if hasattr(sigcffi, name):
            assert name in dir(sigcffi)
            assert name in sigcffi.__all__
        else:
            assert name.startswith(("CLOCK_", "SIGCLD", "Timer", "signalfd", "sigqueue", "p"))
    assert {"SIGINT", "SIG_BLOCK", "Signals", "default_int_handler"} <= set(dir(sigcffi))
    assert "SI_USER" in NUMBERS
    assert "SA_RESTART" in NUMBERS
    assert [
        name for name in dir(sigcffi) if re.match("SA_|SI_|CLD_", name) if name not in NUMBERS
    ] == []


def test_every_public_name_is_in_the_stub() -> None:
    assert {*sigcffi.__all__} <= {name for _, name in IMPORTED} | {*NUMBERS}


def test_constants_are_the_standard_modules_objects_and_functions_are_not() -> None:
    for name in dir(standard):
        own = getattr(standard, name)
        if name.startswith("_") or not hasattr(sigcffi, name):
            continue
        is_own = getattr(sigcffi, name) is not own
        assert is_own == (("sigcffi._", name) in [(home[:9], each) for home, each in IMPORTED])


def test_a_star_import_brings_all() -> None:
    code = """
        import sigcffi
        from sigcffi import *
        print(*sorted(name for name in dir(sigcffi) if not name.startswith("_")
                      if globals()[name] is not getattr(sigcffi, name)))
        print(timeout, SA_RESTART, SI_USER, SIGINT, actions.flag)
    """
    done = run_python(code)
    assert done.stdout.startswith("\n<class 'sigcffi.timeout'>"), done


@pytest.mark.parametrize("name", INSTALLING)
def test_a_name_that_may_install_a_handler_brings_all_the_others(name: str) -> None:
    code = """
        import sys
        import sigcffi
        getattr(sigcffi, sys.argv[1])
        before = set(sys.modules)
        dir(sigcffi)
        print(*set(sys.modules) - before, "signal" in vars(sigcffi))
    """
    assert run_python(code, name).stdout == "True\n"


def test_other_names_come_a_module_at_a_time() -> None:
    code = """
        import sys
        import sigcffi
        sigcffi.alarm(0)
        assert "setitimer" in vars(sigcffi)
        assert "signal" not in vars(sigcffi)
        assert sigcffi.SI_USER == 0
        print(*sorted(name for name in sys.modules if name.startswith("sigcffi._time.")))
    """
    done = run_python(code)
    assert done.stdout == "sigcffi._time.itimers\n", done


PROGRAMS = {
    "signal": "sigcffi.signal(A, lambda signum, frame: seen.append(signum))",
    "sigaction": "sigcffi.sigaction(A, lambda info, frame: seen.append(info.describe()))",
    "subscribe": "sigcffi.subscribe(A, lambda info, frame: seen.append(repr(info)))",
    "standard": """
import signal
sigcffi.patch_stdlib()
signal.signal(A, lambda signum, frame: seen.append(signal.getsignal(signum)))
""",
    "deferred": """
sigcffi.sigaction(A, lambda info, frame: seen.append(info))
def send(signum=A):
    with sigcffi.deferred():
        os.kill(os.getpid(), signum)
""",
    "timeout": """
timeout = sigcffi.timeout
def send():
    try:
        with timeout(0.001):
            while True:
                pass
    except sigcffi.TimedOut as over:
        seen.append(over)
""",
    "mask": """
sigcffi.signal(A, lambda signum, frame: seen.append(sigcffi.pthread_sigmask(0, ())))
""",
    "force_quit": """
sigcffi.signal(A, lambda signum, frame: seen.append(sigcffi.deliveries(signum)))
sigcffi.force_quit(A, after=3)
""",
}


@pytest.mark.parametrize("program", PROGRAMS.values(), ids=PROGRAMS)
def test_nothing_is_imported_because_a_signal_has_come(program: str) -> None:
    code = """
        import os, sys
        import sigcffi

        A = sigcffi.SIGUSR1
        seen = []
        def send():
            os.kill(os.getpid(), A)
        exec(sys.argv[1])
        imports = []
        sys.addaudithook(lambda event, args: event == "import" and imports.append(args[0]))
        before = set(sys.modules)
        send()
        sigcffi.pthread_sigmask(sigcffi.SIG_BLOCK, ())
        print(len(seen), imports, set(sys.modules) - before)
    """
    assert run_python(code, program).stdout == "1 [] set()\n"


def test_threads_that_ask_for_the_first_time_get_the_same() -> None:
    code = """
        import sys, threading
        import sigcffi

        names = "timeout signal alarm SI_USER Receiver actions sigaction blocked".split()
        barrier = threading.Barrier(len(names))
        got = {}

        def ask(first):
            barrier.wait()
            got[first] = [getattr(sigcffi, name) for name in [first, *names]][1:]

        threads = [threading.Thread(target=ask, args=(name,)) for name in names]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        [first, *others] = got.values()
        print(len(got), all(a is b for other in others for a, b in zip(first, other, strict=True)))
    """
    for _ in range(3):
        done = run_python(code)
        assert done.stdout == "8 True\n", done


def test_a_class_is_pickled_under_the_packages_name() -> None:
    code = """
        import pickle, sys
        import sigcffi
        print(pickle.loads(bytes.fromhex(sys.argv[1])).__name__, sigcffi.SigInfo.__module__)
    """
    for name in ("SigInfo", "Action", "TimedOut", "Receiver", "DeadMansSwitch"):
        text = pickle.dumps(getattr(sigcffi, name))
        assert b"sigcffi._" not in text
        assert run_python(code, text.hex()).stdout == f"{name} sigcffi\n"


def test_help_tells_of_every_function() -> None:
    done = run_python("import sigcffi; help(sigcffi)")
    for name in ("sigaction", "timeout", "sigtimedwait", "open_signal_receiver", "strsignal"):
        assert re.search(rf"\b{name}\b", done.stdout), name


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(
        AttributeError, match="module 'sigcffi' has no attribute 'SIGNAL'"
    ) as caught:
        sigcffi.SIGNAL  # type: ignore[attr-defined]  # noqa: B018
    with pytest.raises(AttributeError) as of_the_standard_module:
        standard.SIGNAL  # type: ignore[attr-defined]  # noqa: B018
    assert caught.value.name in ("SIGNAL", of_the_standard_module.value.name)  # PyPy gives none
    assert not hasattr(sigcffi, "_handler")
    with pytest.raises(ImportError):
        exec("from sigcffi import nothing")


def test_when_all_names_are_there_nobody_is_asked_for_one() -> None:
    """The interpreter does not remember where it found a name in a module with a ``__getattr__``:
    each call through the module would take longer. Without a GIL it stays: a thread that has found
    a name missing, while another one has loaded them all, would have nobody left to ask.
    """
    code = """
        import sigcffi
        sigcffi.sigpending
        asked = "__getattr__" in vars(sigcffi)
        sigcffi.signal
        print(asked, "__getattr__" in vars(sigcffi), "signal" in sigcffi.__all__)
        try:
            sigcffi.nothing
        except AttributeError as error:
            print(error)
    """
    assert run_python(code).stdout == (
        f"True {FREE_THREADED} True\nmodule 'sigcffi' has no attribute 'nothing'\n"
    )


def test_what_a_program_has_put_there_stays() -> None:
    code = """
        import sigcffi
        sigcffi.alarm = print
        dir(sigcffi)
        print(sigcffi.alarm is print, sigcffi.setitimer.__module__)
    """
    assert run_python(code).stdout == "True sigcffi\n"


@pytest.mark.skipif(sys.implementation.name != "cpython", reason="the times of CPython")
def test_importing_takes_little_more_than_the_compiled_module() -> None:
    """Counted in modules, which cost the same each: times are for benchmarks/importing.py."""
    code = """
        import signal, sys
        before = set(sys.modules)
        import sigcffi
        print(len(set(sys.modules) - before))
    """
    assert int(run_python(code).stdout) <= 12
