# Made by generate.py of __init__.py: change that.
import sys
from signal import ITIMER_PROF as ITIMER_PROF
from signal import ITIMER_REAL as ITIMER_REAL
from signal import ITIMER_VIRTUAL as ITIMER_VIRTUAL
from signal import NSIG as NSIG
from signal import SIG_BLOCK as SIG_BLOCK
from signal import SIG_DFL as SIG_DFL
from signal import SIG_IGN as SIG_IGN
from signal import SIG_SETMASK as SIG_SETMASK
from signal import SIG_UNBLOCK as SIG_UNBLOCK
from signal import SIGABRT as SIGABRT
from signal import SIGALRM as SIGALRM
from signal import SIGBUS as SIGBUS
from signal import SIGCHLD as SIGCHLD
from signal import SIGCLD as SIGCLD
from signal import SIGCONT as SIGCONT
from signal import SIGFPE as SIGFPE
from signal import SIGHUP as SIGHUP
from signal import SIGILL as SIGILL
from signal import SIGINT as SIGINT
from signal import SIGIO as SIGIO
from signal import SIGIOT as SIGIOT
from signal import SIGKILL as SIGKILL
from signal import SIGPIPE as SIGPIPE
from signal import SIGPOLL as SIGPOLL
from signal import SIGPROF as SIGPROF
from signal import SIGPWR as SIGPWR
from signal import SIGQUIT as SIGQUIT
from signal import SIGRTMAX as SIGRTMAX
from signal import SIGRTMIN as SIGRTMIN
from signal import SIGSEGV as SIGSEGV
from signal import SIGSTKFLT as SIGSTKFLT
from signal import SIGSTOP as SIGSTOP
from signal import SIGSYS as SIGSYS
from signal import SIGTERM as SIGTERM
from signal import SIGTRAP as SIGTRAP
from signal import SIGTSTP as SIGTSTP
from signal import SIGTTIN as SIGTTIN
from signal import SIGTTOU as SIGTTOU
from signal import SIGURG as SIGURG
from signal import SIGUSR1 as SIGUSR1
from signal import SIGUSR2 as SIGUSR2
from signal import SIGVTALRM as SIGVTALRM
from signal import SIGWINCH as SIGWINCH
from signal import SIGXCPU as SIGXCPU
from signal import SIGXFSZ as SIGXFSZ
from signal import Handlers as Handlers
from signal import ItimerError as ItimerError
from signal import Sigmasks as Sigmasks
from signal import Signals as Signals
from signal import default_int_handler as default_int_handler
from signal import raise_signal as raise_signal
from signal import set_wakeup_fd as set_wakeup_fd
from signal import struct_siginfo as struct_siginfo

from sigcffi import actions as actions
from sigcffi._attached.dead_man import DeadMansSwitch as DeadMansSwitch
from sigcffi._attached.dead_man import kill_after as kill_after
from sigcffi._attached.force_quit import ForceQuit as ForceQuit
from sigcffi._attached.force_quit import force_quit as force_quit
from sigcffi._attached.receiving import Receiver as Receiver
from sigcffi._attached.receiving import open_signal_receiver as open_signal_receiver
from sigcffi._core.sending import pidfd_send_signal as pidfd_send_signal
from sigcffi._core.sending import pthread_kill as pthread_kill
from sigcffi._core.sending import pthread_sigqueue as pthread_sigqueue
from sigcffi._core.sending import sigqueue as sigqueue
from sigcffi._core.siginfo import SigInfo as SigInfo
from sigcffi._dispatch.action import Action as Action
from sigcffi._handlers.deferring import deferred as deferred
from sigcffi._handlers.inspecting import SignalState as SignalState
from sigcffi._handlers.inspecting import deliveries as deliveries
from sigcffi._handlers.inspecting import dispositions as dispositions
from sigcffi._handlers.inspecting import dropped as dropped
from sigcffi._handlers.inspecting import strsignal as strsignal
from sigcffi._handlers.patching import patch_stdlib as patch_stdlib
from sigcffi._handlers.patching import unpatch_stdlib as unpatch_stdlib
from sigcffi._handlers.processes import ProcessSignals as ProcessSignals
from sigcffi._handlers.processes import ThreadSignals as ThreadSignals
from sigcffi._handlers.processes import process_signals as process_signals
from sigcffi._handlers.sigaction import handling as handling
from sigcffi._handlers.sigaction import ignoring as ignoring
from sigcffi._handlers.sigaction import sigaction as sigaction
from sigcffi._handlers.signal import getsignal as getsignal
from sigcffi._handlers.signal import siginterrupt as siginterrupt
from sigcffi._handlers.signal import signal as signal
from sigcffi._masks.blocking import blocked as blocked
from sigcffi._masks.masks import pthread_sigmask as pthread_sigmask
from sigcffi._masks.masks import sigpending as sigpending
from sigcffi._masks.masks import valid_signals as valid_signals
from sigcffi._masks.signalfd import signalfd as signalfd
from sigcffi._masks.signalfd import signalfd_siginfo as signalfd_siginfo
from sigcffi._shutdown.asked import AsyncShutdown as AsyncShutdown
from sigcffi._shutdown.shutdown import ShutdownInterrupt as ShutdownInterrupt
from sigcffi._shutdown.shutdown import shutdown as shutdown
from sigcffi._subscribed.subscribing import Subscription as Subscription
from sigcffi._subscribed.subscribing import subscribe as subscribe
from sigcffi._time.itimers import alarm as alarm
from sigcffi._time.itimers import getitimer as getitimer
from sigcffi._time.itimers import setitimer as setitimer
from sigcffi._time.timeouts import TimedOut as TimedOut
from sigcffi._time.timeouts import TimeoutInterrupt as TimeoutInterrupt
from sigcffi._time.timeouts import set_timeout_signal as set_timeout_signal
from sigcffi._time.timeouts import timeout as timeout
from sigcffi._time.timeouts import timeout_at as timeout_at
from sigcffi._time.timers import CLOCK_BOOTTIME_ALARM as CLOCK_BOOTTIME_ALARM
from sigcffi._time.timers import CLOCK_REALTIME_ALARM as CLOCK_REALTIME_ALARM
from sigcffi._time.timers import Timer as Timer
from sigcffi._waits.waiting import pause as pause
from sigcffi._waits.waiting import sigdrain as sigdrain
from sigcffi._waits.waiting import sigsuspend as sigsuspend
from sigcffi._waits.waiting import sigtimedwait as sigtimedwait
from sigcffi._waits.waiting import sigwait as sigwait
from sigcffi._waits.waiting import sigwaitinfo as sigwaitinfo

if sys.platform != "linux":
    from signal import SIGEMT as SIGEMT
    from signal import SIGINFO as SIGINFO

__version__: str
SA_NOCLDSTOP: int
SA_NOCLDWAIT: int
SA_NODEFER: int
SA_ONSTACK: int
SA_RESETHAND: int
SA_RESTART: int
SA_SIGINFO: int
SI_USER: int
SI_QUEUE: int
SI_TIMER: int
SI_MESGQ: int
SI_ASYNCIO: int
ILL_ILLOPC: int
ILL_ILLOPN: int
ILL_ILLADR: int
ILL_ILLTRP: int
ILL_PRVOPC: int
ILL_PRVREG: int
ILL_COPROC: int
ILL_BADSTK: int
FPE_INTDIV: int
FPE_INTOVF: int
FPE_FLTDIV: int
FPE_FLTOVF: int
FPE_FLTUND: int
FPE_FLTRES: int
FPE_FLTINV: int
FPE_FLTSUB: int
SEGV_MAPERR: int
SEGV_ACCERR: int
BUS_ADRALN: int
BUS_ADRERR: int
BUS_OBJERR: int
TRAP_BRKPT: int
TRAP_TRACE: int
CLD_EXITED: int
CLD_KILLED: int
CLD_DUMPED: int
CLD_TRAPPED: int
CLD_STOPPED: int
CLD_CONTINUED: int
SI_TKILL: int
SI_SIGIO: int
SI_KERNEL: int
SI_ASYNCNL: int
SI_DETHREAD: int
ILL_BADIADDR: int
FPE_FLTUNK: int
FPE_CONDTRAP: int
SEGV_BNDERR: int
SEGV_PKUERR: int
SEGV_ACCADI: int
SEGV_ADIDERR: int
SEGV_ADIPERR: int
SEGV_MTEAERR: int
SEGV_MTESERR: int
BUS_MCEERR_AR: int
BUS_MCEERR_AO: int
TRAP_BRANCH: int
TRAP_HWBKPT: int
TRAP_UNK: int
TRAP_PERF: int
POLL_IN: int
POLL_OUT: int
POLL_MSG: int
POLL_ERR: int
POLL_PRI: int
POLL_HUP: int
SYS_SECCOMP: int
SYS_USER_DISPATCH: int
