# What the compiled module offers to Python, for type checkers. A test holds it against the module.
from typing import Any, final

@final
class _Siginfo:
    signo: int
    code: int
    error: int
    pid: int
    uid: int
    status: int
    band: int

@final
class _Itimer:
    value: float
    interval: float

@final
class _Lib:
    SA_NOCLDSTOP: int
    SA_NOCLDWAIT: int
    SA_NODEFER: int
    SA_ONSTACK: int
    SA_RESETHAND: int
    SA_RESTART: int
    SA_SIGINFO: int
    SIGCFFI_SIGSTKFLT: int
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
    SIGCFFI_ABSENT: int
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
    SIGCFFI_HAS_TGSIGQUEUE: int
    SIGCFFI_HAS_PIDFD: int
    SIGCFFI_HAS_SIGTIMEDWAIT: int
    SIGCFFI_HAS_SIGQUEUE: int
    SIGCFFI_HAS_PTHREAD_SIGQUEUE: int
    SIGCFFI_STORES_IN_ORDER: int
    SIGCFFI_SLOTS: int
    SIGCFFI_SLOT_COUNTER: int
    SIGCFFI_DEFAULT: int
    SIGCFFI_IGNORED: int
    SIGCFFI_PYTHON: int
    SIGCFFI_FOREIGN: int
    SIGCFFI_COVERED: int
    SIGCFFI_USUAL: int
    SIGCFFI_CAPACITY: int
    SIGCFFI_RECORD_SIZE: int
    SIGCFFI_WORD_HEAD: int
    SIGCFFI_WORD_TAIL: int
    SIGCFFI_WORD_NEWS: int
    SIGCFFI_WORD_DEFERRED: int
    SIGCFFI_WORD_RUNNING: int
    SIGCFFI_WORD_HELD_BACK: int
    SIGCFFI_WORD_PRESSURE: int
    SIGCFFI_WORD_SLOTTED: int
    SIGCFFI_WORD_MAIN_THREAD: int
    SIGCFFI_WORD_TRIPS: int
    SIGCFFI_WORD_ELSEWHERE: int
    SIGCFFI_WORDS: int

    def sigaction(self, signum: int, action: Any, former: Any, /) -> int: ...
    def alarm(self, seconds: int, /) -> int: ...
    def setitimer(self, which: int, setting: Any, former: Any, /) -> int: ...
    def getitimer(self, which: int, setting: Any, /) -> int: ...
    def siginterrupt(self, signum: int, flag: int, /) -> int: ...
    def pause(self) -> int: ...
    def strsignal(self, signum: int, /) -> Any: ...
    def sigcffi_start(self) -> int: ...
    def sigcffi_set_main_thread(self, ident: int, tid: int, /) -> None: ...
    def sigcffi_is_main_thread(self) -> int: ...
    def sigcffi_query(self, signum: int, /) -> int: ...
    def sigcffi_recognise(self, signum: int, /) -> int: ...
    def sigcffi_registered(self, signum: int, /) -> int: ...
    def sigcffi_cover(self, signum: int, /) -> int: ...
    def sigcffi_interpose(self, signum: int, /) -> int: ...
    def sigcffi_withdraw(self, signum: int, /) -> int: ...
    def sigcffi_dispatched(self, signum: int, flags: int, /) -> int: ...
    def sigcffi_record(self, signum: int, on: int, /) -> None: ...
    def sigcffi_save(self, signum: int, saved: Any, /) -> int: ...
    def sigcffi_put_back(self, signum: int, base: Any, covered: int, /) -> int: ...
    def sigcffi_ignore(self, base: Any, /) -> None: ...
    def sigcffi_usual_flags(self) -> int: ...
    def sigcffi_attach(self, signum: int, kind: int, operand: int, /) -> int: ...
    def sigcffi_detach(self, signum: int, index: int, /) -> int: ...
    def sigcffi_count(self, signum: int, index: int, /) -> int: ...
    def sigcffi_deliveries(self, signum: int, /) -> int: ...
    def sigcffi_dropped(self, signum: int, /) -> int: ...
    def sigcffi_offered(self) -> int: ...
    def sigcffi_arrivals(self) -> int: ...
    def sigcffi_memory(self) -> Any: ...
    def sigcffi_sequence(self, offset: int, /) -> int: ...
    def sigcffi_mask_of(self, action: Any, /) -> int: ...
    def sigcffi_defer(self, signals: int, /) -> bool: ...
    def sigcffi_lift(self, signals: int, /) -> int: ...
    def sigcffi_settle_held(self) -> None: ...
    def sigcffi_owe_again(self, signum: int, deliveries: int, /) -> None: ...
    def sigcffi_owe_at_least(self, signum: int, deliveries: int, /) -> None: ...
    def sigcffi_disown(self, signum: int, /) -> int: ...
    def sigcffi_relieve(self) -> None: ...
    def sigcffi_nudge(self, signum: int, /) -> None: ...
    def sigcffi_hold(self, signum: int, /) -> int: ...
    def sigcffi_let_go(self, signum: int, /) -> None: ...
    def sigcffi_sigmask(self, how: int, signals: int, /) -> int: ...
    def sigcffi_sigpending(self) -> int: ...
    def sigcffi_valid_signals(self) -> int: ...
    def sigcffi_pause(self, arrivals: int, /) -> None: ...
    def sigcffi_sigtimedwait(self, signals: int, nanoseconds: int, /) -> _Siginfo: ...
    def sigcffi_pthread_kill(self, thread: int, signum: int, /) -> int: ...
    def sigcffi_sigqueue(self, pid: int, signum: int, value: int, /) -> int: ...
    def sigcffi_pthread_sigqueue(self, thread: int, signum: int, value: int, /) -> int: ...
    def sigcffi_pidfd_send_signal(self, pidfd: int, signum: int, flags: int, /) -> int: ...
    def sigcffi_setitimer(self, which: int, value_ns: int, interval_ns: int, /) -> _Itimer: ...
    def sigcffi_getitimer(self, which: int, /) -> _Itimer: ...

ffi: Any
lib: _Lib
