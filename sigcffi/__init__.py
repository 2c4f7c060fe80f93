"""POSIX signals for Python, complete: ``import sigcffi as signal``."""

# The map. Imports point downwards only.
#
#   __main__                              the table of signals, for a terminal
#   _inspect                              what every signal would do now
#   _waiting                              pause, sigwait, sigwaitinfo, sigtimedwait
#   _handlers                             signal, getsignal, siginterrupt
#   _itimers  _masks  _sending            alarm and itimers; masks; pthread_kill, pidfd_send_signal
#   _mainthread  _constants               which thread runs handlers; names shared with `signal`
#   _registry  _arguments  _ffi           pure: who handles a signal, what is a number; the C half
#   _csrc/                                trampoline.c, masks.c, timers.c: the C half itself
#
# Objects that programs compare or catch, and the three functions that speak to the interpreter
# itself, are the standard module's own.

from signal import *  # noqa: F403

from sigcffi._constants import *  # noqa: F403
from sigcffi._handlers import getsignal, siginterrupt, signal
from sigcffi._inspect import SignalState, deliveries, dispositions, strsignal
from sigcffi._itimers import alarm, getitimer, setitimer
from sigcffi._masks import pthread_sigmask, sigpending, valid_signals
from sigcffi._sending import *  # noqa: F403
from sigcffi._sending import pthread_kill
from sigcffi._waiting import pause, sigtimedwait, sigwait, sigwaitinfo
