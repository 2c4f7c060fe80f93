"""POSIX signals for Python, complete: ``import sigcffi as signal``.

The names, results and exceptions of the standard module ``signal``, and beyond it:

- handlers that learn who sent a signal: ``sigaction``; further ones beside them: ``subscribe``;
- what acts in C, at once: the module ``actions``, ``force_quit``, ``kill_after``;
- signals one after the other, for threads, asyncio and trio: ``open_signal_receiver``;
- blocks: ``shutdown`` (stop well), ``timeout``, ``deferred``, ``blocked``, ``handling``;
- waits without a race: ``sigsuspend``, ``sigwaitinfo``, ``sigdrain``, ``signalfd``; ``Timer``;
- senders: ``sigqueue``, ``pthread_sigqueue``; a look: ``dispositions``, ``process_signals``.

``help(sigcffi.NAME)`` tells of each: arguments, result, errors, threads, and race conditions where
there are some. ``sigcffi.testing`` is for tests of programs that use signals.

Law: importing the package opens the door to C, which may refuse, and brings the standard module's
objects: constants, enums, ItimerError, default_int_handler. Functions and classes of sigcffi's own
are imported on first use, a module at a time. A name by which a handler can be installed brings all
the others: so a handler finds them here, and nothing is imported because a signal has come, perhaps
in the middle of that very import. ``dir(sigcffi)`` brings all, for a program that is going to lose
the right to read its libraries (chroot, setuid).

Two functions stay the standard module's, because they must speak to the interpreter itself:
set_wakeup_fd, whose C handler writes the bytes, and raise_signal, because a Python function would
put a frame of its own between the caller and the handler.

pytest warns of a package with a plugin for it that was imported before pytest was, unless it reads
here: PYTEST_DONT_REWRITE.
"""

import sys as _sys
from signal import *  # noqa: F403

from sigcffi._core import mainthread as _mainthread

del _mainthread  # imported, and not shown by help()

__version__ = "0.2.0"  # here alone: pyproject.toml takes it from this line

# Where names are: generate.py makes __init__.pyi of this, for type checkers. A platform may lack
# some. "*" stands for the module's __all__: numbers that the C compiler has.
_OTHERS = {
    "_core.names": "SIGSTKFLT struct_siginfo *",
    "_core.siginfo": "SigInfo",
    "_core.sending": "pidfd_send_signal pthread_kill pthread_sigqueue sigqueue",
    "_masks.masks": "pthread_sigmask sigpending valid_signals",
    "_masks.blocking": "blocked",
    "_masks.signalfd": "signalfd signalfd_siginfo",
    "_dispatch.action": "Action *",
    "_handlers.inspecting": "SignalState deliveries dispositions dropped strsignal",
    "_handlers.processes": "ProcessSignals ThreadSignals process_signals",
    "_waits.waiting": "pause sigdrain sigsuspend sigtimedwait sigwait sigwaitinfo",
    "_attached.dead_man": "DeadMansSwitch kill_after",
    "_attached.receiving": "Receiver open_signal_receiver",
    "_time.itimers": "alarm getitimer setitimer",
    "_time.timers": "CLOCK_BOOTTIME_ALARM CLOCK_REALTIME_ALARM Timer",
    "actions": "actions",  # the module itself
}
_INSTALLING = {
    "_handlers.signal": "getsignal siginterrupt signal",
    "_handlers.sigaction": "handling ignoring sigaction",
    "_subscribed.subscribing": "Subscription subscribe",
    "_handlers.deferring": "deferred",
    "_handlers.patching": "patch_stdlib unpatch_stdlib",
    "_attached.force_quit": "ForceQuit force_quit",
    "_shutdown.asked": "AsyncShutdown",
    "_shutdown.shutdown": "ShutdownInterrupt shutdown",
    "_time.timeouts": "TimedOut TimeoutInterrupt set_timeout_signal timeout timeout_at",
}

for _name in " ".join([*_OTHERS.values(), *_INSTALLING.values()]).split():
    if callable(globals().get(_name)) and _name != "struct_siginfo":
        del globals()[_name]  # the standard module's function, of which sigcffi has its own
del _name


def _load(wanted: dict[str, str]) -> None:
    """Import modules, and then have their names here, shown and pickled as the package's.

    Threads: while one imports a module, the import system has others wait for it. Each stores the
    objects that it finds then; a name that is here already stays. If ``signal`` were stored before
    all modules are there, another thread could install a handler, and that could interrupt an
    import which it needs itself: so names are stored when all modules have been imported.
    """
    for home in wanted:
        __import__(f"{__name__}.{home}")
    for home, names in wanted.items():
        module = vars(_sys.modules[f"{__name__}.{home}"])
        for name in module["__all__"] + names.split() if "*" in names else names.split():
            if name in module:
                value = module[name]
                if getattr(value, "__module__", "").startswith(f"{__name__}."):
                    value.__module__ = __name__
                globals().setdefault(name, value)


def _load_all() -> None:
    """All names are here from now on: nobody need be asked for one, and the interpreter finds them
    the quick way, which it does not go in a module that has a ``__getattr__``. Without a GIL that
    stays: another thread may just have found a name missing, and be about to ask it.
    """
    _load(_OTHERS | _INSTALLING)
    here = sorted(globals())  # at once: other threads add to it
    others = {name for name in here if f"{__name__}.{name}" in _sys.modules} - {*_OTHERS}
    names = [name for name in here if name[0] != "_" and name not in others]
    globals().setdefault("__all__", names)  # without what is there as pytest loads a plugin
    if "t" not in _sys.abiflags:  # not free-threaded
        globals().pop("__getattr__", None)


def __getattr__(name: str) -> object:
    if name == "__all__" or any(name in names.split() for names in _INSTALLING.values()):
        _load_all()
    elif not name.startswith("_"):
        own = {home: names for home, names in _OTHERS.items() if name in names.split()}
        _load(own or {home: names for home, names in _OTHERS.items() if "*" in names})
    if name in globals():
        return globals()[name]
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}", name=name)


def __dir__() -> list[str]:
    _load_all()
    return sorted(globals())
