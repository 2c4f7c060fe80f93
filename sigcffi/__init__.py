"""POSIX signals for Python, complete: ``import sigcffi as signal``."""

# The map. Imports point downwards only.
#
#   __main__                         the table of signals, for a terminal
#   _patching                        the standard module's functions replaced
#   _inspect                         what every signal would do now; strsignal
#   actions  _force_quit  _receiving flags, counters, ... in C; force_quit; open_signal_receiver
#   _attaching  _sleeping            what acts in C until it is closed; sleeping until it has
#   _deferring  _waiting             deferred; pause, sigsuspend, sigwait, sigwaitinfo,
#                                    sigtimedwait, sigdrain
#   _timeouts                        timeout, timeout_at
#   _limits                          blocks with a deadline, and what interrupts them
#   _handlers  _sigaction  _subscribing   signal, getsignal, siginterrupt; sigaction, handling,
#                                    ignoring; subscribe
#   _installing                      how what is done about a signal changes
#   _blocking                        blocked
#   _dispatch  _action               from the ring to the handlers; Action, SA_*
#   _signalfd                        signalfd, and what is read from it
#   _itimers  _timers  _masks  _sending  _siginfo   alarm and itimers; Timer; masks; sigqueue, ...;
#                                    SigInfo
#   _dead_man                        kill_after
#   _sections                        no handler starts: what deferred is made of; undisturbed
#   _changing  _exits                the lock for what threads and handlers share; how blocks end
#   _mainthread  _constants  _names  which thread runs handlers; names the standard module may
#                                    lack; names of signals and of SI_* codes
#   _places                          where in the code that runs a block is
#   _registry  _arguments  _scope  _unwinding   pure: who handles a signal, what is a number, what
#                                    is a block, and whether an exception would reach its end
#   _loops  _ffi                     waiting under asyncio and trio; the door to C
#   _csrc/                           the C half: process.c, calls/, handler/, ring.c, state.h
#
# What is not replaced is the standard module's own object: constants, enums, ItimerError,
# default_int_handler, and the two builtins that must speak to the interpreter itself:
# set_wakeup_fd, because its C handler writes the bytes, and raise_signal, because a Python
# function would put a frame of its own between the caller and the handler.

from signal import *  # noqa: F403

from sigcffi import actions as actions
from sigcffi._attached.dead_man import DeadMansSwitch as DeadMansSwitch
from sigcffi._attached.dead_man import kill_after as kill_after
from sigcffi._attached.force_quit import ForceQuit as ForceQuit
from sigcffi._attached.force_quit import force_quit as force_quit
from sigcffi._attached.receiving import Receiver as Receiver
from sigcffi._attached.receiving import open_signal_receiver as open_signal_receiver
from sigcffi._core.constants import *  # type: ignore[assignment,unused-ignore]  # noqa: F403
from sigcffi._core.names import *  # noqa: F403
from sigcffi._core.sending import *  # noqa: F403
from sigcffi._core.siginfo import SigInfo as SigInfo
from sigcffi._dispatch.action import *  # noqa: F403
from sigcffi._handlers.deferring import deferred as deferred
from sigcffi._handlers.inspecting import SignalState as SignalState
from sigcffi._handlers.inspecting import deliveries as deliveries
from sigcffi._handlers.inspecting import dispositions as dispositions
from sigcffi._handlers.inspecting import dropped as dropped
from sigcffi._handlers.inspecting import strsignal as strsignal
from sigcffi._handlers.patching import patch_stdlib as patch_stdlib
from sigcffi._handlers.patching import unpatch_stdlib as unpatch_stdlib
from sigcffi._handlers.sigaction import handling as handling
from sigcffi._handlers.sigaction import ignoring as ignoring
from sigcffi._handlers.sigaction import sigaction as sigaction
from sigcffi._handlers.signal import getsignal as getsignal
from sigcffi._handlers.signal import siginterrupt as siginterrupt
from sigcffi._handlers.signal import signal as signal
from sigcffi._handlers.subscribing import Subscription as Subscription
from sigcffi._handlers.subscribing import subscribe as subscribe
from sigcffi._masks.blocking import blocked as blocked
from sigcffi._masks.masks import pthread_sigmask as pthread_sigmask  # type: ignore[assignment]
from sigcffi._masks.masks import sigpending as sigpending
from sigcffi._masks.masks import valid_signals as valid_signals
from sigcffi._masks.signalfd import *  # noqa: F403
from sigcffi._time.itimers import alarm as alarm
from sigcffi._time.itimers import getitimer as getitimer
from sigcffi._time.itimers import setitimer as setitimer
from sigcffi._time.timeouts import *  # noqa: F403
from sigcffi._time.timers import *  # noqa: F403
from sigcffi._waits.waiting import pause as pause
from sigcffi._waits.waiting import sigdrain as sigdrain
from sigcffi._waits.waiting import sigsuspend as sigsuspend
from sigcffi._waits.waiting import sigtimedwait as sigtimedwait  # type: ignore[assignment,unused-ignore]
from sigcffi._waits.waiting import sigwait as sigwait
from sigcffi._waits.waiting import sigwaitinfo as sigwaitinfo  # type: ignore[assignment,unused-ignore]

# Shown, and pickled, under the name that programs use.
for _name, _object in list(globals().items()):
    if getattr(_object, "__module__", "").startswith("sigcffi."):
        _object.__module__ = __name__
del _name, _object
