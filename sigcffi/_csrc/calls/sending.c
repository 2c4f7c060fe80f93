/* Sending signals.
 *
 * Law: ordinary calls, made outside handlers, one system call each; what a platform lacks is
 * -ENOSYS.
 */
#include "calls.h"

#if SIGCFFI_HAS_PIDFD || SIGCFFI_HAS_TGSIGQUEUE
/* What sigqueue(3) sends along. */
static siginfo_t queued(int signum, int value)
{
    siginfo_t info;
    memset(&info, 0, sizeof info);
    info.si_signo = signum;
    info.si_code = SI_QUEUE;
    info.si_pid = getpid();
    info.si_uid = getuid();
    info.si_value.sival_int = value;
    return info;
}
#endif

int sigcffi_sending_pthread_kill(unsigned long thread, int signum)
{
    return -pthread_kill((pthread_t)thread, signum);
}

int sigcffi_sending_sigqueue(int pid, int signum, int value)
{
#if SIGCFFI_HAS_SIGQUEUE
    return sigqueue(pid, signum, (union sigval){.sival_int = value}) == 0 ? 0 : -errno;
#else
    (void)pid;
    (void)signum;
    (void)value;
    return -ENOSYS;
#endif
}

int sigcffi_sending_pthread_sigqueue(unsigned long thread, int signum, int value)
{
#if SIGCFFI_HAS_PTHREAD_SIGQUEUE
    return -pthread_sigqueue((pthread_t)thread, signum, (union sigval){.sival_int = value});
#else
    (void)thread;
    (void)signum;
    (void)value;
    return -ENOSYS;
#endif
}

int sigcffi_sending_pidfd_send_signal(int pidfd, int signum, unsigned flags)
{
#if SIGCFFI_HAS_PIDFD
    return syscall(SYS_pidfd_send_signal, pidfd, signum, NULL, flags) == 0 ? 0 : -errno;
#else
    (void)pidfd;
    (void)signum;
    (void)flags;
    return -ENOSYS;
#endif
}

/* A hold on a process, or on a thread (before Linux 6.9 -EINVAL): a descriptor, closed by exec. */
int sigcffi_sending_pidfd_open(int pid, bool is_thread)
{
#if SIGCFFI_HAS_PIDFD
    int fd = (int)syscall(SYS_pidfd_open, pid, is_thread ? SIGCFFI_PIDFD_THREAD : 0);
    return fd >= 0 ? fd : -errno;
#else
    (void)pid;
    (void)is_thread;
    return -ENOSYS;
#endif
}

/* sigqueue(3) to whatever is behind a descriptor of sigcffi_sending_pidfd_open. */
int sigcffi_sending_pidfd_queue(int pidfd, int signum, int value)
{
#if SIGCFFI_HAS_PIDFD
    siginfo_t info = queued(signum, value);
    return syscall(SYS_pidfd_send_signal, pidfd, signum, &info, 0) == 0 ? 0 : -errno;
#else
    (void)pidfd;
    (void)signum;
    (void)value;
    return -ENOSYS;
#endif
}

int sigcffi_sending_tgkill(int pid, int tid, int signum)
{
#if SIGCFFI_HAS_TGSIGQUEUE
    return syscall(SYS_tgkill, pid, tid, signum) == 0 ? 0 : -errno;
#else
    (void)pid;
    (void)tid;
    (void)signum;
    return -ENOSYS;
#endif
}

/* sigqueue(3) to one thread of any process. */
int sigcffi_sending_tgqueue(int pid, int tid, int signum, int value)
{
#if SIGCFFI_HAS_TGSIGQUEUE
    siginfo_t info = queued(signum, value);
    return syscall(SYS_rt_tgsigqueueinfo, pid, tid, signum, &info) == 0 ? 0 : -errno;
#else
    (void)pid;
    (void)tid;
    (void)signum;
    (void)value;
    return -ENOSYS;
#endif
}
