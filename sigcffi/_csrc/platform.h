/* What this platform has.
 *
 * Law: the only place that asks which platform it is. An optional feature is one
 * SIGCFFI_HAS_* flag here and one stub where it is used; no other file tests for a
 * system. Include it before any other header: _GNU_SOURCE must come first.
 */
#ifndef SIGCFFI_PLATFORM_H
#define SIGCFFI_PLATFORM_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif

#include <limits.h>
#include <signal.h>
#include <time.h>

#if defined(__linux__)
#include <sys/syscall.h>
#endif

/* A signal can be queued to one thread together with a value of ours. */
#if defined(SYS_rt_tgsigqueueinfo)
#define SIGCFFI_HAS_TGSIGQUEUE 1
#else
#define SIGCFFI_HAS_TGSIGQUEUE 0
#endif

/* The kernel keeps with a handler the code by which it returns, in a struct we know. */
#if defined(__linux__) && defined(__x86_64__)
#define SIGCFFI_HAS_RESTORER 1
#else
#define SIGCFFI_HAS_RESTORER 0
#endif

/* A thread can sleep until a word in memory changes. */
#if defined(SYS_futex)
#define SIGCFFI_HAS_FUTEX 1
#else
#define SIGCFFI_HAS_FUTEX 0
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
#else
#define SIGCFFI_STORES_IN_ORDER 0
#endif

/* Another thread's signal mask can be read from /proc. */
#if defined(__linux__)
#define SIGCFFI_HAS_PROC_STATUS 1
#else
#define SIGCFFI_HAS_PROC_STATUS 0
#endif

/* A process can be held on to while its number is given to another. */
#if defined(__linux__) && defined(SYS_pidfd_send_signal) && defined(SYS_pidfd_open)
#define SIGCFFI_HAS_PIDFD 1
#else
#define SIGCFFI_HAS_PIDFD 0
#endif

/* sigqueue(3): POSIX, but macOS and OpenBSD lack it. */
#if defined(_POSIX_REALTIME_SIGNALS) || defined(__linux__) || defined(__FreeBSD__)
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

/* sigtimedwait(2) and sigwaitinfo(2): POSIX, but macOS and OpenBSD lack them. */
#if defined(_POSIX_REALTIME_SIGNALS) || defined(__linux__) || defined(__FreeBSD__)
#define SIGCFFI_HAS_SIGTIMEDWAIT 1
#else
#define SIGCFFI_HAS_SIGTIMEDWAIT 0
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

#endif
