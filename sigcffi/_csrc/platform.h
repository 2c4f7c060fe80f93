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

#if defined(__linux__)
#include <sys/syscall.h>
#endif

/* A signal can be queued to one thread together with a value of ours. */
#if defined(SYS_rt_tgsigqueueinfo)
#define SIGCFFI_HAS_TGSIGQUEUE 1
#else
#define SIGCFFI_HAS_TGSIGQUEUE 0
#endif

/* Another thread's signal mask can be read from /proc. */
#if defined(__linux__)
#define SIGCFFI_HAS_PROC_STATUS 1
#else
#define SIGCFFI_HAS_PROC_STATUS 0
#endif

#if defined(__linux__) && defined(SYS_pidfd_send_signal)
#define SIGCFFI_HAS_PIDFD 1
#else
#define SIGCFFI_HAS_PIDFD 0
#endif

#if defined(SIGSTKFLT)
#define SIGCFFI_SIGSTKFLT SIGSTKFLT
#else
#define SIGCFFI_SIGSTKFLT 0
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
