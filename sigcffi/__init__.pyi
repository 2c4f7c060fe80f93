# Made by generate.py of __init__.py: change that.
from signal import *  # noqa: F403

from sigcffi import actions as actions
from sigcffi._attached.dead_man import DeadMansSwitch as DeadMansSwitch
from sigcffi._attached.dead_man import kill_after as kill_after
from sigcffi._attached.force_quit import ForceQuit as ForceQuit
from sigcffi._attached.force_quit import force_quit as force_quit
from sigcffi._attached.receiving import Receiver as Receiver
from sigcffi._attached.receiving import open_signal_receiver as open_signal_receiver
from sigcffi._core.sending import pidfd_send_signal as pidfd_send_signal  # type: ignore[assignment,unused-ignore]
from sigcffi._core.sending import pthread_kill as pthread_kill  # type: ignore[assignment,unused-ignore]
from sigcffi._core.sending import pthread_sigqueue as pthread_sigqueue  # type: ignore[assignment,unused-ignore]
from sigcffi._core.sending import sigqueue as sigqueue  # type: ignore[assignment,unused-ignore]
from sigcffi._core.siginfo import SigInfo as SigInfo  # type: ignore[assignment,unused-ignore]
from sigcffi._dispatch.action import Action as Action  # type: ignore[assignment,unused-ignore]
from sigcffi._handlers.deferring import deferred as deferred  # type: ignore[assignment,unused-ignore]
from sigcffi._handlers.inspecting import SignalState as SignalState  # type: ignore[assignment,unused-ignore]
from sigcffi._handlers.inspecting import deliveries as deliveries  # type: ignore[assignment,unused-ignore]
from sigcffi._handlers.inspecting import dispositions as dispositions  # type: ignore[assignment,unused-ignore]
from sigcffi._handlers.inspecting import dropped as dropped  # type: ignore[assignment,unused-ignore]
from sigcffi._handlers.inspecting import strsignal as strsignal  # type: ignore[assignment,unused-ignore]
from sigcffi._handlers.patching import patch_stdlib as patch_stdlib  # type: ignore[assignment,unused-ignore]
from sigcffi._handlers.patching import unpatch_stdlib as unpatch_stdlib  # type: ignore[assignment,unused-ignore]
from sigcffi._handlers.sigaction import handling as handling  # type: ignore[assignment,unused-ignore]
from sigcffi._handlers.sigaction import ignoring as ignoring  # type: ignore[assignment,unused-ignore]
from sigcffi._handlers.sigaction import sigaction as sigaction  # type: ignore[assignment,unused-ignore]
from sigcffi._handlers.signal import getsignal as getsignal  # type: ignore[assignment,unused-ignore]
from sigcffi._handlers.signal import siginterrupt as siginterrupt  # type: ignore[assignment,unused-ignore]
from sigcffi._handlers.signal import signal as signal  # type: ignore[assignment,unused-ignore]
from sigcffi._handlers.subscribing import Subscription as Subscription  # type: ignore[assignment,unused-ignore]
from sigcffi._handlers.subscribing import subscribe as subscribe  # type: ignore[assignment,unused-ignore]
from sigcffi._masks.blocking import blocked as blocked  # type: ignore[assignment,unused-ignore]
from sigcffi._masks.masks import pthread_sigmask as pthread_sigmask  # type: ignore[assignment,unused-ignore]
from sigcffi._masks.masks import sigpending as sigpending  # type: ignore[assignment,unused-ignore]
from sigcffi._masks.masks import valid_signals as valid_signals  # type: ignore[assignment,unused-ignore]
from sigcffi._masks.signalfd import signalfd as signalfd  # type: ignore[assignment,unused-ignore]
from sigcffi._masks.signalfd import signalfd_siginfo as signalfd_siginfo  # type: ignore[assignment,unused-ignore]
from sigcffi._time.itimers import alarm as alarm  # type: ignore[assignment,unused-ignore]
from sigcffi._time.itimers import getitimer as getitimer  # type: ignore[assignment,unused-ignore]
from sigcffi._time.itimers import setitimer as setitimer  # type: ignore[assignment,unused-ignore]
from sigcffi._time.timeouts import TimedOut as TimedOut  # type: ignore[assignment,unused-ignore]
from sigcffi._time.timeouts import TimeoutInterrupt as TimeoutInterrupt  # type: ignore[assignment,unused-ignore]
from sigcffi._time.timeouts import set_timeout_signal as set_timeout_signal  # type: ignore[assignment,unused-ignore]
from sigcffi._time.timeouts import timeout as timeout  # type: ignore[assignment,unused-ignore]
from sigcffi._time.timeouts import timeout_at as timeout_at  # type: ignore[assignment,unused-ignore]
from sigcffi._time.timers import CLOCK_BOOTTIME_ALARM as CLOCK_BOOTTIME_ALARM  # type: ignore[assignment,unused-ignore]
from sigcffi._time.timers import CLOCK_REALTIME_ALARM as CLOCK_REALTIME_ALARM  # type: ignore[assignment,unused-ignore]
from sigcffi._time.timers import Timer as Timer  # type: ignore[assignment,unused-ignore]
from sigcffi._waits.waiting import pause as pause  # type: ignore[assignment,unused-ignore]
from sigcffi._waits.waiting import sigdrain as sigdrain  # type: ignore[assignment,unused-ignore]
from sigcffi._waits.waiting import sigsuspend as sigsuspend  # type: ignore[assignment,unused-ignore]
from sigcffi._waits.waiting import sigtimedwait as sigtimedwait  # type: ignore[assignment,unused-ignore]
from sigcffi._waits.waiting import sigwait as sigwait  # type: ignore[assignment,unused-ignore]
from sigcffi._waits.waiting import sigwaitinfo as sigwaitinfo  # type: ignore[assignment,unused-ignore]

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
