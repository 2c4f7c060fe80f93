"""POSIX signals for Python, complete: ``import sigcffi as signal``."""

# The map. Imports point downwards only.
#
#   __main__                         the table of signals, for a terminal
#   _inspect                         what every signal would do now; strsignal
#   _waiting                         pause, sigwait, sigwaitinfo, sigtimedwait
#   _handlers                        signal, getsignal, siginterrupt
#   _itimers  _masks  _sending       alarm and itimers; masks; pthread_kill, pidfd_send_signal
#   _mainthread  _constants          which thread runs handlers; names the standard module may lack
#   _registry  _arguments  _ffi      pure: who handles a signal, what is a number; the door to C
#   _csrc/                           the C half: trampoline.c, masks.c, timers.c
#
# What is not replaced is the standard module's own object: constants, enums, ItimerError,
# default_int_handler, and the two builtins that must speak to the interpreter itself:
# set_wakeup_fd, because its C handler writes the bytes, and raise_signal, because a Python
# function would put a frame of its own between the caller and the handler.

from signal import *  # noqa: F403

from sigcffi._constants import *  # type: ignore[assignment,unused-ignore]  # noqa: F403
from sigcffi._handlers import getsignal as getsignal
from sigcffi._handlers import siginterrupt as siginterrupt
from sigcffi._handlers import signal as signal
from sigcffi._inspect import SignalState as SignalState
from sigcffi._inspect import deliveries as deliveries
from sigcffi._inspect import dispositions as dispositions
from sigcffi._inspect import strsignal as strsignal
from sigcffi._itimers import alarm as alarm
from sigcffi._itimers import getitimer as getitimer
from sigcffi._itimers import setitimer as setitimer
from sigcffi._masks import pthread_sigmask as pthread_sigmask  # type: ignore[assignment]
from sigcffi._masks import sigpending as sigpending
from sigcffi._masks import valid_signals as valid_signals
from sigcffi._sending import *  # noqa: F403
from sigcffi._waiting import pause as pause
from sigcffi._waiting import sigtimedwait as sigtimedwait
from sigcffi._waiting import sigwait as sigwait
from sigcffi._waiting import sigwaitinfo as sigwaitinfo

# Shown, and pickled, under the name that programs use.
for _name, _object in list(globals().items()):
    if getattr(_object, "__module__", "").startswith("sigcffi."):
        _object.__module__ = __name__
del _name, _object
