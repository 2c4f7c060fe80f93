"""What can only be seen of a whole process: its start, its end, its children."""

from __future__ import annotations

import ctypes
import os
import signal as standard
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from support import DEADLINE, PYPY, python_says, run_python

import sigcffi as signal


@pytest.mark.parametrize(
    ("fault", "signum"),
    [
        ("segv", signal.SIGSEGV),
        ("ill", signal.SIGILL),
        ("fpe", signal.SIGFPE),
        ("trap", signal.SIGTRAP),
    ],
)
def test_a_real_fault_ends_the_process_by_its_signal(
    foreign_path: Path, fault: str, signum: int
) -> None:
    """The standard module's handler returns to the faulting instruction, for ever."""
    if not hasattr(ctypes.CDLL(str(foreign_path)), f"foreign_{fault}"):
        pytest.skip("the instruction for it on this processor is not known here")
    done = run_python(
        """
        import ctypes, resource, sys
        import sigcffi as signal
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        signal.signal(int(sys.argv[2]), lambda signum, frame: print("handled", flush=True))
        signal.raise_signal(int(sys.argv[2]))
        getattr(ctypes.CDLL(sys.argv[1]), "foreign_" + sys.argv[3])()
        """,
        str(foreign_path),
        str(int(signum)),
        fault,
    )
    assert done.returncode == -signum
    # What is sent, and not caused by an instruction, is handled like any other signal.
    assert done.stdout == "handled\n"


def test_a_fault_under_faulthandler_dumps_the_traceback_and_ends_the_process(
    foreign_path: Path,
) -> None:
    done = run_python(
        """
        import ctypes, faulthandler, resource, sys
        import sigcffi as signal
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        faulthandler.enable()
        from sigcffi._sigcffi import lib
        assert lib.sigcffi_interpose(signal.SIGSEGV) == 0
        assert signal.getsignal(signal.SIGSEGV) is None
        ctypes.CDLL(sys.argv[1]).foreign_segv()
        """,
        str(foreign_path),
    )
    assert done.returncode == -signal.SIGSEGV
    assert "Segmentation fault" in done.stderr
    assert 'File "<string>", line' in done.stderr


def test_ctrl_c_is_a_keyboard_interrupt_and_kills_by_sigint_if_nobody_catches_it() -> None:
    done = run_python("import os, sigcffi; os.kill(os.getpid(), sigcffi.SIGINT)")
    assert "KeyboardInterrupt" in done.stderr
    assert done.returncode == -signal.SIGINT


def test_sigpipe_stays_ignored() -> None:
    code = """
        import os, sigcffi
        assert sigcffi.getsignal(sigcffi.SIGPIPE) is sigcffi.SIG_IGN
        reading, writing = os.pipe()
        os.close(reading)
        try:
            os.write(writing, b".")
        except BrokenPipeError:
            print("broken pipe")
    """
    assert python_says(code) == "broken pipe\n"


@pytest.mark.skipif(PYPY, reason="PyPy takes SIGINT at its start, also where it was ignored")
@pytest.mark.parametrize("module", ["signal", "sigcffi"])
def test_an_inherited_ignored_sigint_stays_ignored(module: str) -> None:
    code = """
        import importlib, sys
        module = importlib.import_module(sys.argv[1])
        import sigcffi
        print(sigcffi.getsignal(sigcffi.SIGINT))
        sigcffi.raise_signal(sigcffi.SIGINT)
    """
    before = standard.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        said = python_says(code, module, restore_signals=False)
    finally:
        standard.signal(signal.SIGINT, before)
    assert said in ("Handlers.SIG_IGN\n", "1\n")


def test_a_handler_installed_in_c_before_the_import_is_none(foreign_path: Path) -> None:
    code = """
        import ctypes, sys
        assert ctypes.CDLL(sys.argv[1]).foreign_install(2, 0) == 0
        import sigcffi
        print(sigcffi.getsignal(2), sigcffi.dispositions()[1].disposition)
    """
    assert python_says(code, str(foreign_path)) == "None foreign\n"


def test_a_handler_installed_with_the_standard_module_before_the_import_is_known() -> None:
    code = """
        import signal
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        signal.signal(signal.SIGUSR1, print)
        signal.siginterrupt(signal.SIGUSR1, False)
        import sigcffi
        print(sigcffi.getsignal(signal.SIGUSR1) is print)
    """
    assert python_says(code) == "True\n"


def test_faulthandlers_own_handler_is_none() -> None:
    code = """
        import faulthandler, sigcffi, sys
        sigcffi.signal(sigcffi.SIGUSR1, print)
        faulthandler.register(sigcffi.SIGUSR1, chain=True, file=sys.stderr)
        print(sigcffi.getsignal(sigcffi.SIGUSR1))
        faulthandler.register(sigcffi.SIGUSR2, file=sys.stderr)
        print(sigcffi.getsignal(sigcffi.SIGUSR2))
    """
    assert python_says(code) == "None\nNone\n"


def test_signals_at_exit_do_no_harm() -> None:
    """They arrive while the interpreter takes itself apart."""
    code = (
        "import os, sigcffi as signal;"
        "signal.signal(signal.SIGUSR1, lambda signum, frame: None);"
        "os.write(1, b'going')"
    )
    for _ in range(5):
        with subprocess.Popen(
            [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE
        ) as child:
            assert child.stdout is not None
            assert child.stderr is not None
            assert child.stdout.read(5) == b"going"
            while child.poll() is None:
                child.send_signal(signal.SIGUSR1)
            # Once the interpreter has given the signal back, its default action ends the process.
            assert child.returncode in (0, -signal.SIGUSR1)
            assert child.stderr.read() == b""


def test_a_forked_childs_own_thread_is_its_main_thread() -> None:
    code = """
        import os, threading
        import sigcffi as signal

        seen = []
        signal.signal(signal.SIGUSR1, lambda signum, frame: seen.append(os.getpid()))
        signal.raise_signal(signal.SIGUSR1)

        def fork():
            child = os.fork()
            if child == 0:
                try:
                    assert signal.deliveries(signal.SIGUSR1) == 0
                    signal.raise_signal(signal.SIGUSR1)
                    signal.pthread_sigmask(signal.SIG_BLOCK, ())  # look for due handlers
                    assert signal.deliveries(signal.SIGUSR1) == 1
                    assert seen[-1] == os.getpid(), seen
                    signal.signal(signal.SIGUSR1, signal.SIG_DFL)
                    os._exit(0)
                finally:
                    os._exit(1)
            assert os.waitpid(child, 0)[1] == 0

        fork()
        thread = threading.Thread(target=fork)
        thread.start()
        thread.join()
        print(len(seen), signal.deliveries(signal.SIGUSR1))
    """
    assert python_says(code) == "1 1\n"


@pytest.mark.parametrize("asks", ["signal.pthread_sigmask(signal.SIG_BLOCK, ())", "pass"])
def test_what_comes_to_a_child_of_another_thread_reaches_its_subscriber(asks: str) -> None:
    """CPython from 3.13 on never looks there by itself. At the latest the end of the subscription
    asks it to: behind that the signal would end the process.
    """
    code = """
        import os, sys, threading
        import sigcffi as signal
        from sigcffi._core.ffi import lib

        def child():
            seen = []
            with signal.subscribe(signal.SIGRTMIN, lambda info, frame: seen.append(info.si_value)):
                for value in range(5):
                    lib.sigcffi_sending_sigqueue(os.getpid(), signal.SIGRTMIN, value)  # asks nobody
                exec(sys.argv[1])
                there = len(seen)
            os._exit(seen != [*range(5)] or (sys.argv[1] != "pass" and there != 5))

        def fork():
            pid = os.fork()
            if pid == 0:
                try:
                    child()
                finally:
                    os._exit(2)
            print(os.waitpid(pid, 0)[1])

        thread = threading.Thread(target=fork)
        thread.start()
        thread.join()
    """
    ignored = ["-W", "ignore:This process:DeprecationWarning"]  # 3.12: of threads and forks
    assert python_says(code, asks, flags=ignored) == "0\n"


def test_subprocesses_start_with_default_handlers() -> None:
    signal.signal(signal.SIGUSR1, lambda signum, frame: None)
    done = subprocess.run(
        [sys.executable, "-c", "import os, signal; os.kill(os.getpid(), signal.SIGUSR1)"],
        check=False,
        timeout=DEADLINE,
    )
    assert done.returncode == -signal.SIGUSR1


def run_in_a_subinterpreter(
    code: str, before: str = "", after: str = ""
) -> subprocess.CompletedProcess[str]:
    """Run code in a subinterpreter that shares the GIL, and closes then; in the main interpreter
    something else before it and after it, where ``interpret()`` does it once more.
    """
    prelude = f"import sys\nsys.path[:] = {sys.path!r}\n"
    return run_python(
        f"{textwrap.dedent(before)}\n"
        + textwrap.dedent(
            """
            import sys

            def interpret():
                try:
                    import _interpreters as interpreters
                    interpreter = interpreters.create("legacy")
                except ImportError:  # before CPython 3.13
                    import _xxsubinterpreters as interpreters
                    interpreter = interpreters.create(isolated=False)
                raised = interpreters.run_string(interpreter, sys.argv[1])
                assert raised is None, raised
                interpreters.destroy(interpreter)

            interpret()
            """
        )
        + textwrap.dedent(after),
        prelude + textwrap.dedent(code),
    )


def in_a_subinterpreter(code: str, before: str = "", after: str = "") -> str:
    """What that prints, if all ends well."""
    done = run_in_a_subinterpreter(code, before, after)
    assert done.returncode == 0, done
    return done.stdout


@pytest.mark.skipif(PYPY, reason="PyPy has no subinterpreters")
def test_a_subinterpreter_cannot_import_it() -> None:
    said = in_a_subinterpreter(
        """
        for _ in range(2):
            try:
                import sigcffi
            except ImportError as error:
                print(error, flush=True)
        """
    )
    assert said == 2 * (
        "sigcffi works in the main interpreter only: signals belong to the process\n"
    )


@pytest.mark.skipif(PYPY, reason="PyPy has no subinterpreters")
def test_a_subinterpreter_that_tries_to_import_it_changes_nothing_for_the_main_one() -> None:
    before = """
        import os
        import sigcffi as signal

        receiver = signal.open_signal_receiver(signal.SIGUSR1)
        counter = signal.actions.counter(signal.SIGUSR2)
        switch = signal.kill_after(60)
        heard = []
        signal.sigaction(signal.SIGTERM, lambda info, frame: heard.append(info.si_pid))
    """
    after = """
        for signum in (signal.SIGUSR1, signal.SIGUSR2, signal.SIGTERM):
            os.kill(os.getpid(), signum)
        print(receiver.wait(60).si_signo, int(counter), heard == [os.getpid()])
        print(switch.remaining() > 0)
    """
    code = "try:\n    import sigcffi\nexcept ImportError:\n    pass\n"
    assert in_a_subinterpreter(code, before, after) == "10 1 True\nTrue\n"


@pytest.mark.skipif(PYPY, reason="PyPy has no subinterpreters")
def test_a_deadline_is_in_force_whatever_subinterpreters_there_have_been() -> None:
    code = "try:\n    import sigcffi\nexcept ImportError:\n    pass\n"
    before = "import resource; resource.setrlimit(resource.RLIMIT_CORE, (0, 0))"
    after = "import sigcffi, time; sigcffi.kill_after(0.01); interpret(); time.sleep(1000)"
    assert run_in_a_subinterpreter(code, before, after).returncode == -signal.SIGABRT


@pytest.mark.skipif(PYPY, reason="PyPy has no subinterpreters")
def test_a_thread_of_the_main_interpreter_may_import_it_first() -> None:
    code = """
        import threading

        def work():
            import sigcffi

        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
        import os
        import sigcffi as signal
        signal.sigaction(signal.SIGUSR1, lambda info, frame: print("handled"))
        os.kill(os.getpid(), signal.SIGUSR1)
    """
    assert python_says(code) == "handled\n"


@pytest.mark.skipif(PYPY, reason="PyPy has no function of this kind that it names")
def test_a_handler_beside_the_interpreters_in_one_program_is_not_taken_for_it() -> None:
    """As of an extension that is linked into one program with the interpreter."""
    code = """
        import ctypes, signal as standard

        beside = ctypes.cast(ctypes.pythonapi.PyErr_SetInterruptEx, ctypes.c_void_p)
        standard.signal(standard.SIGINT, standard.SIG_DFL)
        standard.signal(standard.SIGUSR1, print)
        ctypes.CDLL(None).signal(standard.SIGUSR1, beside)

        import sigcffi as signal

        print(signal.getsignal(signal.SIGUSR1))
        standard.signal(standard.SIGUSR2, print)
        print(signal.getsignal(signal.SIGUSR2) is print)
        print(standard.getsignal(standard.SIGURG) is standard.SIG_DFL)
    """
    assert python_says(code) == "None\nTrue\nTrue\n"


def test_the_table_of_signals_shows_what_each_would_do() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "sigcffi"], capture_output=True, text=True, check=True
    )
    lines = {line.split()[1]: line.split() for line in done.stdout.splitlines()}
    assert lines["SIGINT"][3:7] == ["terminate", "Python", "handler", "default_int_handler"]
    assert "ignored" in lines["SIGPIPE"]
    assert "default" in lines["SIGTERM"]
    assert "continue" in lines["SIGCONT"]
    assert len(lines) == 1 + len(signal.valid_signals())


def test_dispositions_tell_blocked_pending_and_deliveries(foreign_path: Path) -> None:
    signal.signal(signal.SIGUSR1, print)
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR2})
    os.kill(os.getpid(), signal.SIGUSR2)
    state = {row.signum: row for row in signal.dispositions()}
    assert state[signal.SIGUSR1].handler is print
    assert state[signal.SIGUSR1].disposition == "Python handler"
    assert (state[signal.SIGUSR2].blocked, state[signal.SIGUSR2].pending) == (True, True)
    assert (state[signal.SIGHUP].blocked, state[signal.SIGHUP].pending) == (False, False)
    assert state[signal.SIGUSR2].name == "SIGUSR2"
    assert "signum=12" in repr(state[signal.SIGUSR2])
    signal.sigwait([signal.SIGUSR2])
