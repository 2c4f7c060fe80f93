/* Sending signals.
 *
 * Law: ordinary calls, made outside handlers, one system call each; what a platform lacks is
 * -ENOSYS.
 */
#include "calls.h"

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
