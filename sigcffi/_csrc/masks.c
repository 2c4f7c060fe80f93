/* Masks, waits and sending: what a thread does about signals while no handler runs.
 *
 * Law: every function here is an ordinary call, made outside handlers, and touches no state
 * but the calling thread's mask, and what trampoline.c offers in sigcffi.h. Where a wait must not
 * miss a signal, the signals are blocked first and the kernel swaps the masks and sleeps in one
 * step.
 */

#include "sigcffi.h"

#include <pthread.h>

/* The former mask; all ones, which no mask can be since SIGKILL is never blocked, if `how` is
 * not a way to change it. */
uint64_t sigcffi_sigmask(int how, uint64_t word)
{
    sigset_t set = sigcffi_set_of(word), former;
    /* What a full ring has blocked for a while is not part of the mask that its owner sees, and
     * not to be put back when the owner restores a mask; what the owner blocks stays so. */
    uint64_t owned = how == SIG_UNBLOCK ? 0 : word;
    unsigned arrivals = sigcffi_arrivals();
    uint64_t hidden = sigcffi_pressure(owned);
    if (pthread_sigmask(how, &set, &former) != 0) return UINT64_MAX;
    /* A handler that came in between may have blocked for a while, or let in, what its owner blocks
     * from now on: once more, until none has come. */
    while (owned != 0 && sigcffi_arrivals() != arrivals) {
        arrivals = sigcffi_arrivals();
        hidden |= sigcffi_pressure(owned);
        pthread_sigmask(SIG_BLOCK, &set, NULL);
    }
    return sigcffi_word_of(&former) & ~hidden;
}

/* Block one signal in the calling thread: 1 if it was blocked, 0 if not. */
int sigcffi_hold(int signum)
{
    sigset_t set, former;
    sigemptyset(&set);
    if (sigaddset(&set, signum) != 0) return -errno;
    pthread_sigmask(SIG_BLOCK, &set, &former);
    return sigismember(&former, signum);
}

/* Unblock it again. */
void sigcffi_let_go(int signum)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, signum);
    pthread_sigmask(SIG_UNBLOCK, &set, NULL);
}

/* Blocked and pending, for the thread or the process. */
uint64_t sigcffi_sigpending(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigpending(&set); /* cannot fail with a good address */
    return sigcffi_word_of(&set);
}

/* The signals a program may use: the C library keeps some for itself. */
uint64_t sigcffi_valid_signals(void)
{
    sigset_t set;
    sigfillset(&set);
    uint64_t word = 0;
    for (int signum = 1; signum < NSIG; signum++)
        if (sigismember(&set, signum) == 1) word |= sigcffi_bit(signum);
    return word;
}

/* Sleep until a handler has run in this thread, or not at all if the trampoline has run since
 * sigcffi_arrivals() returned `arrivals`. */
void sigcffi_pause(unsigned arrivals)
{
    sigset_t all, former;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, NULL, &former);
    former = sigcffi_set_of(sigcffi_word_of(&former) & ~sigcffi_pressure(0));
    /* Before blocking: who finds the signals blocked must find the promise too. */
    sigcffi_promise_mask(&former);
    pthread_sigmask(SIG_SETMASK, &all, NULL);
    if (sigcffi_arrivals() == arrivals) sigsuspend(&former);
    pthread_sigmask(SIG_SETMASK, &former, NULL);
    sigcffi_promise_mask(NULL);
}

/* One of the signals in `word`, accepted without running its handler; waits at most so many
 * nanoseconds, for ever if negative. signo is -EAGAIN when the time is over and -EINTR when a
 * handler for another signal ran. */
sigcffi_siginfo sigcffi_sigtimedwait(uint64_t word, int64_t nanoseconds)
{
    sigcffi_siginfo result;
    memset(&result, 0, sizeof result);
#if SIGCFFI_HAS_SIGTIMEDWAIT
    sigset_t set = sigcffi_set_of(word);
    struct timespec timeout = {.tv_sec = (time_t)(nanoseconds / 1000000000),
                               .tv_nsec = (long)(nanoseconds % 1000000000)};
    siginfo_t info;
    memset(&info, 0, sizeof info);
    int signum = nanoseconds < 0 ? sigwaitinfo(&set, &info) : sigtimedwait(&set, &info, &timeout);
    if (signum < 0) {
        result.signo = -errno;
        return result;
    }
    if (sigcffi_was_note(signum, &info)) {
        result.signo = -EINTR;
        return result;
    }
    result.signo = info.si_signo;
    result.code = info.si_code;
    result.error = info.si_errno;
    result.pid = (int)info.si_pid;
    result.uid = (int)info.si_uid;
    result.status = info.si_status;
    result.band = info.si_band;
#else
    (void)word;
    (void)nanoseconds;
    result.signo = -ENOSYS;
#endif
    return result;
}

int sigcffi_pthread_kill(unsigned long thread, int signum)
{
    return -pthread_kill((pthread_t)thread, signum);
}

int sigcffi_sigqueue(int pid, int signum, int value)
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

int sigcffi_pthread_sigqueue(unsigned long thread, int signum, int value)
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

int sigcffi_pidfd_send_signal(int pidfd, int signum, unsigned flags)
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
