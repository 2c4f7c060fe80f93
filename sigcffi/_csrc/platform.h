/* What this platform has.
 *
 * Law: the only place that asks which platform it is. An optional feature is one
 * SIGCFFI_HAS_* flag here and one stub where it is used, or a small function here that every
 * platform has; no other file tests for a system. Include it before any other header: _GNU_SOURCE
 * must come first.
 *
 * A system call is made bare where the C library's function is a cancellation point, is missing in
 * some of them, or hides what the kernel does. What it takes has the kernel's layout then, which is
 * not the C library's: its time_t may have 64 bits where the system call takes a long.
 */
#ifndef SIGCFFI_PLATFORM_H
#define SIGCFFI_PLATFORM_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>
#include <unistd.h>

#include <sys/ioctl.h>

#if defined(__linux__)
#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#endif

#ifndef NSIG
#define NSIG _NSIG
#endif

/* ---- Threads, dispositions ---- */

/* A signal can be queued to one thread together with a value of ours. */
#if defined(SYS_rt_tgsigqueueinfo)
#define SIGCFFI_HAS_TGSIGQUEUE 1
#else
#define SIGCFFI_HAS_TGSIGQUEUE 0
#endif

/* The kernel keeps with a handler the code by which it returns. */
#if defined(__linux__) &&                                                                         \
    ((defined(__x86_64__) && !defined(__ILP32__)) || defined(__i386__) || defined(__aarch64__) || \
     defined(__arm__) || defined(__powerpc__) || defined(__s390__))
#define SIGCFFI_HAS_RESTORER 1
#ifndef SA_RESTORER
#define SA_RESTORER 0x04000000 /* of these processors; some C libraries keep it to themselves */
#endif

/* A disposition as the kernel has it. Reading one, C libraries leave out some of it. */
struct sigcffi_kernel_sigaction {
    void (*handler)(int);
    unsigned long flags;
    void (*restorer)(void);
    unsigned long mask[sizeof(uint64_t) / sizeof(unsigned long)];
};
#else
#define SIGCFFI_HAS_RESTORER 0
#endif

/* ThreadSanitizer calls handlers by itself, and keeps a table of its own of them. */
#if defined(__SANITIZE_THREAD__)
#define SIGCFFI_KERNEL_CALLS_HANDLERS 0
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define SIGCFFI_KERNEL_CALLS_HANDLERS 0
#endif
#endif
#ifndef SIGCFFI_KERNEL_CALLS_HANDLERS
#define SIGCFFI_KERNEL_CALLS_HANDLERS 1
#endif

/* How a handler with three arguments returns: to the byte what debuggers and unwinders know a
 * signal's frame by. glibc for i386 has no room for it: what it reads is written with SA_RESTORER
 * and without the address, and whoever saves a handler and puts it back would crash the process. */
#if SIGCFFI_HAS_RESTORER && SIGCFFI_KERNEL_CALLS_HANDLERS
#if defined(__x86_64__)
#define SIGCFFI_RETURN "movq $15, %rax\n\tsyscall\n"
#elif defined(__i386__) && !defined(__GLIBC__)
#define SIGCFFI_RETURN "movl $173, %eax\n\tint $0x80\n"
#elif defined(__aarch64__)
#define SIGCFFI_RETURN "mov x8, #139\n\tsvc #0\n"
#endif
#endif
#if defined(SIGCFFI_RETURN)
#define SIGCFFI_HAS_RETURN 1
#else
#define SIGCFFI_HAS_RETURN 0
#endif

/* What the kernel calls for a signal. */
struct sigcffi_called {
    uintptr_t handler;
    bool has_info;        /* is it given three arguments */
    uintptr_t returns_to; /* 0: that is not known */
};

/* handler context, or outside handlers */
static inline struct sigcffi_called sigcffi_platform_kernel_calls(int signum)
{
#if SIGCFFI_HAS_RESTORER && SIGCFFI_KERNEL_CALLS_HANDLERS
    struct sigcffi_kernel_sigaction now;
    if (syscall(SYS_rt_sigaction, signum, NULL, &now, sizeof now.mask) != 0)
        return (struct sigcffi_called){(uintptr_t)SIG_DFL, false, 0};
    return (struct sigcffi_called){(uintptr_t)now.handler, (now.flags & SA_SIGINFO) != 0,
                                   now.flags & SA_RESTORER ? (uintptr_t)now.restorer : 0};
#else
    struct sigaction now;
    if (sigaction(signum, NULL, &now) != 0)
        return (struct sigcffi_called){(uintptr_t)SIG_DFL, false, 0};
    return (struct sigcffi_called){(uintptr_t)now.sa_handler, (now.sa_flags & SA_SIGINFO) != 0, 0};
#endif
}

/* ---- Waits ---- */

/* A span of time as the bare calls take it: the ones that every kernel has. Those for 64 bits are
 * unknown to old kernels, and refused by the filters of old containers; a span needs them only
 * where it is longer than 68 years. */
#if defined(__x86_64__)
typedef int64_t sigcffi_kernel_long; /* also where a long has 32 bits */
#else
typedef long sigcffi_kernel_long;
#endif
struct sigcffi_span {
    sigcffi_kernel_long seconds, nanoseconds;
};

/* handler context */
static inline struct sigcffi_span sigcffi_platform_span_of(int64_t nanoseconds)
{
    const int64_t most = sizeof(sigcffi_kernel_long) > 4 ? INT64_MAX : INT32_MAX;
    const int64_t seconds = nanoseconds / 1000000000;
    return (struct sigcffi_span){
        .seconds = (sigcffi_kernel_long)(seconds < most ? seconds : most),
        .nanoseconds = (sigcffi_kernel_long)(nanoseconds % 1000000000),
    };
}

/* Whether a time_t can hold so many seconds. */
static inline bool sigcffi_platform_is_time(int64_t seconds)
{
    return (int64_t)(time_t)seconds == seconds;
}

/* handler context. Sleep for so many nanoseconds. */
static inline void sigcffi_platform_rest(int64_t nanoseconds)
{
#if defined(SYS_nanosleep)
    const struct sigcffi_span span = sigcffi_platform_span_of(nanoseconds);
    syscall(SYS_nanosleep, &span, NULL);
#else
    (void)nanoseconds; /* nanosleep() is a cancellation point */
#endif
}

/* Sleep until `word` is not `seen` any more and somebody says so, or a handler has run, for at most
 * so many nanoseconds (for ever if negative); whether the time is over. */
static inline bool sigcffi_platform_sleep_on(_Atomic uint32_t *word, uint32_t seen,
                                             int64_t nanoseconds)
{
#if defined(SYS_futex)
    enum { WAIT_PRIVATE = 0 | 128 }; /* <linux/futex.h>, which not every system has */
    const struct sigcffi_span span = sigcffi_platform_span_of(nanoseconds);
    return syscall(SYS_futex, word, WAIT_PRIVATE, seen, nanoseconds < 0 ? NULL : &span, NULL, 0) !=
               0 &&
           errno == ETIMEDOUT;
#else
    (void)word;
    (void)seen;
    const int64_t while_nobody_can_tell = 1000000;
    const bool last = nanoseconds >= 0 && nanoseconds <= while_nobody_can_tell;
    const struct timespec time = {.tv_nsec = (long)(last ? nanoseconds : while_nobody_can_tell)};
    nanosleep(&time, NULL);
    return last;
#endif
}

/* handler context, or outside handlers. Wake at most so many that sleep on `word`. */
static inline void sigcffi_platform_wake(_Atomic uint32_t *word, int count)
{
#if defined(SYS_futex)
    enum { WAKE_PRIVATE = 1 | 128 };
    syscall(SYS_futex, word, WAKE_PRIVATE, count, NULL, NULL, 0);
#else
    (void)word;
    (void)count;
#endif
}

/* sigtimedwait(2) and sigwaitinfo(2): POSIX, but macOS and OpenBSD lack them. */
#if defined(__linux__) || (defined(_POSIX_REALTIME_SIGNALS) && _POSIX_REALTIME_SIGNALS > 0)
#define SIGCFFI_HAS_SIGTIMEDWAIT 1

/* handler context, or outside handlers. Accept a signal, within so many nanoseconds (for ever if
 * negative), which a time_t holds: its number, or -1 and an errno. Bare: after a handler has run
 * musl's sigtimedwait() waits anew, for all of the time. */
static inline int sigcffi_platform_sigtimedwait(const sigset_t *set, siginfo_t *info,
                                                int64_t nanoseconds)
{
#if defined(SYS_rt_sigtimedwait)
    const struct sigcffi_span span = sigcffi_platform_span_of(nanoseconds);
    const size_t kernels = sizeof(uint64_t); /* a sigset_t begins with the kernel's */
    return (int)syscall(SYS_rt_sigtimedwait, set, info, nanoseconds < 0 ? NULL : &span, kernels);
#else
    const struct timespec time = {.tv_sec = (time_t)(nanoseconds / 1000000000),
                                  .tv_nsec = (long)(nanoseconds % 1000000000)};
    return nanoseconds < 0 ? sigwaitinfo(set, info) : sigtimedwait(set, info, &time);
#endif
}
#else
#define SIGCFFI_HAS_SIGTIMEDWAIT 0
#endif

/* The C library's own waits show what a thread has sent to one thread as if to the process. */
#if defined(__GLIBC__)
#define SIGCFFI_WAITS_SHOW_TKILL 0
#else
#define SIGCFFI_WAITS_SHOW_TKILL 1
#endif

/* ---- Descriptors ---- */

/* handler context. write(2), where possible without being a cancellation point. */
static inline long sigcffi_platform_write(int fd, const void *data, size_t size)
{
#if defined(SYS_write)
    return syscall(SYS_write, fd, data, size);
#else
    return (long)write(fd, data, size);
#endif
}

/* A byte can be sent to a socket by one system call without waiting, and without SIGPIPE. */
#if defined(SYS_sendto)
#define SIGCFFI_HAS_SENDTO 1
#else
#define SIGCFFI_HAS_SENDTO 0
#endif

/* Whether a descriptor has room can be asked by one system call, which is no cancellation point. */
#if defined(SYS_ppoll)
#define SIGCFFI_HAS_PPOLL 1
#else
#define SIGCFFI_HAS_PPOLL 0
#endif

/* A terminal's controlling side has a number. */
#if defined(TIOCGPTN)
#define SIGCFFI_HAS_TERMINAL_NUMBER 1
#else
#define SIGCFFI_HAS_TERMINAL_NUMBER 0
#endif

/* /proc/PID/comm is the command of a process. */
#if defined(__linux__)
#define SIGCFFI_HAS_PROC_COMM 1
#else
#define SIGCFFI_HAS_PROC_COMM 0
#endif

/* A descriptor that is a counter. */
#if defined(__linux__)
#define SIGCFFI_HAS_EVENTFD 1
#else
#define SIGCFFI_HAS_EVENTFD 0
#endif

/* signalfd(2), and the size of what is read from one. */
#if defined(__linux__)
#define SIGCFFI_HAS_SIGNALFD 1
#define SIGCFFI_SIGNALFD_SIZE 128
#else
#define SIGCFFI_HAS_SIGNALFD 0
#define SIGCFFI_SIGNALFD_SIZE 0
#endif

/* timer_create(2) and its kin, as the kernel's own calls with times of 64 bits. */
#if defined(SYS_timer_settime64)
#define SIGCFFI_HAS_POSIX_TIMERS 1
#define SIGCFFI_SYS_TIMER_SETTIME SYS_timer_settime64
#define SIGCFFI_SYS_TIMER_GETTIME SYS_timer_gettime64
#elif defined(SYS_timer_settime) && ULONG_MAX > 0xffffffffUL
#define SIGCFFI_HAS_POSIX_TIMERS 1
#define SIGCFFI_SYS_TIMER_SETTIME SYS_timer_settime
#define SIGCFFI_SYS_TIMER_GETTIME SYS_timer_gettime
#else
#define SIGCFFI_HAS_POSIX_TIMERS 0
#endif
#if SIGCFFI_HAS_POSIX_TIMERS && !defined(sigev_notify_thread_id)
#define sigev_notify_thread_id _sigev_un._tid /* glibc before 2.35 */
#endif

/* Clocks that wake the machine, which a platform may lack. */
#ifndef CLOCK_REALTIME_ALARM
#define CLOCK_REALTIME_ALARM SIGCFFI_ABSENT
#endif
#ifndef CLOCK_BOOTTIME_ALARM
#define CLOCK_BOOTTIME_ALARM SIGCFFI_ABSENT
#endif

/* What the system call that a signal has interrupted returns; 0 where that cannot be told, and
 * anything where none was interrupted. */
#if defined(__linux__) && defined(__x86_64__)
#define SIGCFFI_RESULT_IN(context) ((int)(context)->uc_mcontext.gregs[REG_RAX])
#elif defined(__linux__) && defined(__i386__)
#define SIGCFFI_RESULT_IN(context) ((int)(context)->uc_mcontext.gregs[REG_EAX])
#elif defined(__linux__) && defined(__aarch64__)
#define SIGCFFI_RESULT_IN(context) ((int)(context)->uc_mcontext.regs[0])
#else
#define SIGCFFI_RESULT_IN(context) ((void)(context), 0)
#endif

/* A processor that shows other processors its stores in the order in which they were made: then
 * Python may read a ring without a call. */
#if defined(__x86_64__) || defined(__i386__)
#define SIGCFFI_STORES_IN_ORDER 1
#define SIGCFFI_LOADS_COME_FIRST() ((void)0) /* nor does a store pass the loads before it */
#else
#define SIGCFFI_STORES_IN_ORDER 0
#define SIGCFFI_LOADS_COME_FIRST() atomic_thread_fence(memory_order_acquire)
#endif

/* A process can be held on to while its number is given to another. */
#if defined(__linux__) && defined(SYS_pidfd_send_signal) && defined(SYS_pidfd_open)
#define SIGCFFI_HAS_PIDFD 1
#define SIGCFFI_PIDFD_THREAD O_EXCL /* what <linux/pidfd.h> defines PIDFD_THREAD as */
#else
#define SIGCFFI_HAS_PIDFD 0
#endif

/* A process can take the place of the first one for what its descendants leave behind. */
#if defined(PR_SET_CHILD_SUBREAPER)
#define SIGCFFI_HAS_SUBREAPER 1
#else
#define SIGCFFI_HAS_SUBREAPER 0
#endif

/* sigqueue(3): POSIX, but macOS and OpenBSD lack it. */
#if defined(__linux__) || (defined(_POSIX_REALTIME_SIGNALS) && _POSIX_REALTIME_SIGNALS > 0)
#define SIGCFFI_HAS_SIGQUEUE 1
#else
#define SIGCFFI_HAS_SIGQUEUE 0
#endif

/* pthread_sigqueue(3) */
#if defined(__GLIBC__)
#define SIGCFFI_HAS_PTHREAD_SIGQUEUE 1
#else
#define SIGCFFI_HAS_PTHREAD_SIGQUEUE 0
#endif

#if defined(SIGSTKFLT)
#define SIGCFFI_SIGSTKFLT SIGSTKFLT
#else
#define SIGCFFI_SIGSTKFLT 0
#endif

/* ---- What signals carry ---- */

/* A siginfo says which descriptor is ready (POSIX has the event only). */
#if defined(__linux__) || defined(__NetBSD__)
#define SIGCFFI_HAS_SI_FD 1
#define sigcffi_si_fd(info) ((info)->si_fd)
#else
#define SIGCFFI_HAS_SI_FD 0
#define sigcffi_si_fd(info) (-1)
#endif

/* And which timer has expired, how often. */
#if defined(__linux__) || defined(__FreeBSD__)
#define SIGCFFI_HAS_SI_TIMERID 1
#define sigcffi_si_timerid(info) ((info)->si_timerid)
#define sigcffi_si_overrun(info) ((info)->si_overrun)
#else
#define SIGCFFI_HAS_SI_TIMERID 0
#define sigcffi_si_timerid(info) (-1)
#define sigcffi_si_overrun(info) (0)
#endif

/* Values of si_code that POSIX does not demand, or calls obsolescent (POLL_*). Python leaves
 * out the names whose value is this one, which no signal carries. */
#define SIGCFFI_ABSENT INT_MIN
#ifndef SI_TKILL
#define SI_TKILL SIGCFFI_ABSENT
#endif
#ifndef SI_SIGIO
#define SI_SIGIO SIGCFFI_ABSENT
#endif
#ifndef SI_KERNEL
#define SI_KERNEL SIGCFFI_ABSENT
#endif
#ifndef SI_ASYNCNL
#define SI_ASYNCNL SIGCFFI_ABSENT
#endif
#ifndef SI_DETHREAD
#define SI_DETHREAD SIGCFFI_ABSENT
#endif
#ifndef ILL_BADIADDR
#define ILL_BADIADDR SIGCFFI_ABSENT
#endif
#ifndef FPE_FLTUNK
#define FPE_FLTUNK SIGCFFI_ABSENT
#endif
#ifndef FPE_CONDTRAP
#define FPE_CONDTRAP SIGCFFI_ABSENT
#endif
#ifndef SEGV_BNDERR
#define SEGV_BNDERR SIGCFFI_ABSENT
#endif
#ifndef SEGV_PKUERR
#define SEGV_PKUERR SIGCFFI_ABSENT
#endif
#ifndef SEGV_ACCADI
#define SEGV_ACCADI SIGCFFI_ABSENT
#endif
#ifndef SEGV_ADIDERR
#define SEGV_ADIDERR SIGCFFI_ABSENT
#endif
#ifndef SEGV_ADIPERR
#define SEGV_ADIPERR SIGCFFI_ABSENT
#endif
#ifndef SEGV_MTEAERR
#define SEGV_MTEAERR SIGCFFI_ABSENT
#endif
#ifndef SEGV_MTESERR
#define SEGV_MTESERR SIGCFFI_ABSENT
#endif
#ifndef BUS_MCEERR_AR
#define BUS_MCEERR_AR SIGCFFI_ABSENT
#endif
#ifndef BUS_MCEERR_AO
#define BUS_MCEERR_AO SIGCFFI_ABSENT
#endif
#ifndef TRAP_BRANCH
#define TRAP_BRANCH SIGCFFI_ABSENT
#endif
#ifndef TRAP_HWBKPT
#define TRAP_HWBKPT SIGCFFI_ABSENT
#endif
#ifndef TRAP_UNK
#define TRAP_UNK SIGCFFI_ABSENT
#endif
#ifndef TRAP_PERF
#define TRAP_PERF SIGCFFI_ABSENT
#endif
#ifndef POLL_IN
#define POLL_IN SIGCFFI_ABSENT
#endif
#ifndef POLL_OUT
#define POLL_OUT SIGCFFI_ABSENT
#endif
#ifndef POLL_MSG
#define POLL_MSG SIGCFFI_ABSENT
#endif
#ifndef POLL_ERR
#define POLL_ERR SIGCFFI_ABSENT
#endif
#ifndef POLL_PRI
#define POLL_PRI SIGCFFI_ABSENT
#endif
#ifndef POLL_HUP
#define POLL_HUP SIGCFFI_ABSENT
#endif
#ifndef SYS_SECCOMP
#define SYS_SECCOMP SIGCFFI_ABSENT
#endif
#ifndef SYS_USER_DISPATCH
#define SYS_USER_DISPATCH SIGCFFI_ABSENT
#endif

/* On Linux a sigset_t begins with the kernel's mask: bit (signum - 1) of a 64-bit word.
 * (On a big-endian 32-bit machine the two halves would have to be swapped.) */
#if defined(__linux__) && (ULONG_MAX > 0xffffffffUL || __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__)
#define SIGCFFI_SIGSET_IS_WORD 1
#else
#define SIGCFFI_SIGSET_IS_WORD 0
#endif

/* Thread-local storage that a signal handler may touch. glibc allocates the storage of a
 * shared library's variables on first use in each thread, and so may call malloc in the
 * handler, unless they are part of the static block. musl never allocates late, and does
 * not load libraries that ask for the static block. */
#if defined(__GLIBC__)
#define SIGCFFI_THREAD_LOCAL _Thread_local __attribute__((tls_model("initial-exec")))
#else
#define SIGCFFI_THREAD_LOCAL _Thread_local
#endif

/* System calls in which a thread may sleep; each processor has some of them. */
#ifndef SYS_read
#define SYS_read SIGCFFI_ABSENT
#endif
#ifndef SYS_readv
#define SYS_readv SIGCFFI_ABSENT
#endif
#ifndef SYS_pread64
#define SYS_pread64 SIGCFFI_ABSENT
#endif
#ifndef SYS_write
#define SYS_write SIGCFFI_ABSENT
#endif
#ifndef SYS_writev
#define SYS_writev SIGCFFI_ABSENT
#endif
#ifndef SYS_recvfrom
#define SYS_recvfrom SIGCFFI_ABSENT
#endif
#ifndef SYS_recvmsg
#define SYS_recvmsg SIGCFFI_ABSENT
#endif
#ifndef SYS_sendto
#define SYS_sendto SIGCFFI_ABSENT
#endif
#ifndef SYS_sendmsg
#define SYS_sendmsg SIGCFFI_ABSENT
#endif
#ifndef SYS_accept
#define SYS_accept SIGCFFI_ABSENT
#endif
#ifndef SYS_accept4
#define SYS_accept4 SIGCFFI_ABSENT
#endif
#ifndef SYS_connect
#define SYS_connect SIGCFFI_ABSENT
#endif
#ifndef SYS_poll
#define SYS_poll SIGCFFI_ABSENT
#endif
#ifndef SYS_ppoll
#define SYS_ppoll SIGCFFI_ABSENT
#endif
#ifndef SYS_ppoll_time64
#define SYS_ppoll_time64 SIGCFFI_ABSENT
#endif
#ifndef SYS_select
#define SYS_select SIGCFFI_ABSENT
#endif
#ifndef SYS__newselect
#define SYS__newselect SIGCFFI_ABSENT
#endif
#ifndef SYS_pselect6
#define SYS_pselect6 SIGCFFI_ABSENT
#endif
#ifndef SYS_pselect6_time64
#define SYS_pselect6_time64 SIGCFFI_ABSENT
#endif
#ifndef SYS_epoll_wait
#define SYS_epoll_wait SIGCFFI_ABSENT
#endif
#ifndef SYS_epoll_pwait
#define SYS_epoll_pwait SIGCFFI_ABSENT
#endif
#ifndef SYS_futex
#define SYS_futex SIGCFFI_ABSENT
#endif
#ifndef SYS_futex_time64
#define SYS_futex_time64 SIGCFFI_ABSENT
#endif
#ifndef SYS_nanosleep
#define SYS_nanosleep SIGCFFI_ABSENT
#endif
#ifndef SYS_clock_nanosleep
#define SYS_clock_nanosleep SIGCFFI_ABSENT
#endif
#ifndef SYS_clock_nanosleep_time64
#define SYS_clock_nanosleep_time64 SIGCFFI_ABSENT
#endif
#ifndef SYS_wait4
#define SYS_wait4 SIGCFFI_ABSENT
#endif
#ifndef SYS_waitid
#define SYS_waitid SIGCFFI_ABSENT
#endif
#ifndef SYS_pause
#define SYS_pause SIGCFFI_ABSENT
#endif
#ifndef SYS_rt_sigsuspend
#define SYS_rt_sigsuspend SIGCFFI_ABSENT
#endif
#ifndef SYS_rt_sigtimedwait
#define SYS_rt_sigtimedwait SIGCFFI_ABSENT
#endif
#ifndef SYS_rt_sigtimedwait_time64
#define SYS_rt_sigtimedwait_time64 SIGCFFI_ABSENT
#endif
#ifndef SYS_flock
#define SYS_flock SIGCFFI_ABSENT
#endif
#ifndef SYS_fcntl
#define SYS_fcntl SIGCFFI_ABSENT
#endif
#ifndef SYS_fcntl64
#define SYS_fcntl64 SIGCFFI_ABSENT
#endif
#ifndef SYS_open
#define SYS_open SIGCFFI_ABSENT
#endif
#ifndef SYS_openat
#define SYS_openat SIGCFFI_ABSENT
#endif

#endif
