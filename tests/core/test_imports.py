"""Because a signal has come, or an object goes, nothing is imported: the signal may have come in
the middle of that very import, and at the interpreter's end there is none any more: what our own
modules have had may be gone then, too.
"""

from __future__ import annotations

import signal
import sys

import pytest
from support import run_python

# What the library may do without the program having called it, or in its handlers.
SITUATIONS = {
    "a receiver that was not closed": "signal.open_signal_receiver(signal.SIGUSR2)",
    "a timer that was not closed": "signal.Timer()",
    "a number that is no signal's": "signal.blocked(32)",
    "two handlers that raise": """
def fail(info, frame):
    raise KeyError
signal.subscribe(signal.SIGUSR2, fail)
signal.subscribe(signal.SIGUSR2, fail)
os.kill(os.getpid(), signal.SIGUSR2)
""",
    "a subscriber of a handler": "signal.subscribe(signal.SIGUSR2, print)",
    "a handler that is one action": "signal.Action(lambda info, frame: info)(12, None)",
    "a switch": "signal.kill_after(60).cancel()",
    "a timeout": "with signal.timeout(60, kill_after=60): pass",
    "a block whose handler was replaced": """
with signal.ignoring(signal.SIGUSR2):
    signal.signal(signal.SIGUSR2, print)
""",
    "a flag": "signal.actions.flag(signal.SIGUSR2).close()",
}


@pytest.mark.parametrize("what", SITUATIONS.values(), ids=SITUATIONS)
def test_nothing_is_imported_in_a_handler(what: str) -> None:
    code = """
        import builtins, gc, os, sys
        import sigcffi as signal

        def handler(info, frame):
            builtins.__import__ = refuse
            try:
                exec(compiled, {"signal": signal, "os": os})
            except (KeyError, Warning):
                pass
            finally:
                gc.collect()
                builtins.__import__ = importing

        def refuse(name, *arguments, **more):
            # The interpreter itself imports what it shows exceptions with: not in the code's name.
            caller = sys._getframe(1)
            ours = caller.f_globals["__name__"].startswith("sigcffi")
            if ours and name in caller.f_code.co_names:
                os.write(1, f"imports {name} in {caller.f_code.co_qualname}".encode())
            return importing(name, *arguments, **more)

        importing = builtins.__import__
        compiled = compile(sys.argv[1], "what", "exec")
        signal.sigaction(signal.SIGUSR1, handler)
        try:
            os.kill(os.getpid(), signal.SIGUSR1)
            signal.pthread_sigmask(signal.SIG_BLOCK, ())
        except KeyError:
            pass  # of a handler that PyPy has run behind this one, and not within
        print("done")
    """
    done = run_python(code, what)
    assert (done.returncode, done.stdout) == (0, "done\n"), done.stderr


OUTLIVING = {
    "a flag": "signal.actions.flag(signal.SIGUSR2)",
    "a timer": "signal.Timer()",
    "a receiver": "signal.open_signal_receiver(signal.SIGUSR2)",
    "what a loop watches": "Watch(asyncio.new_event_loop(), os.dup(0), int)",
}


@pytest.mark.parametrize("what", OUTLIVING.values(), ids=OUTLIVING)
def test_what_goes_when_modules_have_been_emptied_says_nothing(what: str) -> None:
    code = """
        import asyncio, os, sys, _thread
        import sigcffi as signal
        from sigcffi._attached.loops import _Watch as Watch

        class Last:
            def __del__(self, space=signal.actions.__dict__, write=os.write):
                write(1, f"{space['lib']}".encode())

        # A module in C goes after those in Python, and so does what it holds.
        _thread.kept = [eval(sys.argv[1]), Last(), list(sys.modules.values())]
    """
    done = run_python(code, what)
    assert (done.returncode, done.stderr) == (0, "")
    if sys.implementation.name == "cpython":  # PyPy collects nothing at its end
        assert done.stdout == "None"


def test_a_receiver_does_not_outlive_its_memory() -> None:
    """Opened by a function of atexit that comes after our own: the signal has its default action
    again when the receiver has gone.
    """
    code = """
        import atexit, os, sys, _thread

        def late():
            receiver = signal.open_signal_receiver(signal.SIGUSR2)
            _thread.kept = [Last(), receiver, list(sys.modules.values())]  # the last goes first

        class Last:
            def __del__(self, kill=os.kill, pid=os.getpid(), number=int(sys.argv[1])):
                kill(pid, number)

        atexit.register(late)
        import sigcffi as signal
        signal.open_signal_receiver(signal.SIGUSR1).close()
    """
    done = run_python(code, str(int(signal.SIGUSR2)))
    collects = sys.implementation.name == "cpython"  # PyPy does not, at its end
    assert (done.returncode, done.stderr) == (-signal.SIGUSR2 if collects else 0, "")
