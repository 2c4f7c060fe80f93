/* Masks, waits and sending: what a thread does about signals while no handler runs.
 *
 * Law: every function here is an ordinary call, made outside handlers, and touches no state
 * but the calling thread's mask and the blocks it is in, and what trampoline.c offers in sigcffi.h.
 * Where a wait must not miss a signal, the signals are blocked first and the kernel swaps the masks
 * and sleeps in one step.
 */

#include "threads.h"
#include "wake.h"

#include <pthread.h>

/* Change the mask of which the caller knows: its owner's, which is not the thread's where rings are
 * full. The former; all ones, which no mask can be since SIGKILL is never blocked, if `how` is not
 * a way to change it. */
uint64_t sigcffi_sigmask(int how, uint64_t word)
{
    if (how != SIG_BLOCK && how != SIG_UNBLOCK && how != SIG_SETMASK) return UINT64_MAX;
    sigset_t set = sigcffi_set_of(word), mask;
    uint64_t former;
    unsigned arrivals = sigcffi_arrivals();
    /* Before: what is sent to this thread from now on is let in with the rest, or refused. */
    sigcffi_main_mask(how, word);
    if (sigcffi_pressed() != 0) {
        former = sigcffi_change_mask(how, word);
    } else {
        pthread_sigmask(how, &set, &mask);
        former = sigcffi_word_of(&mask);
        /* A handler that came in between may have blocked for a while, or let in, what its owner
         * blocks from now on. */
        if (sigcffi_arrivals() != arrivals) {
            const uint64_t urgent = sigcffi_bit(SIGURG);
            if (how != SIG_UNBLOCK)
                former = (former & ~(sigcffi_pressed() & ~urgent)) |
                         (sigcffi_pressed() & urgent & ~word);
            sigcffi_change_mask(how, word);
        }
    }
    sigcffi_main_mask(how, word);
    sigcffi_look_around(NULL); /* what was left to a poke that is now blocked */
    return former;
}

/* ---- Blocks ---- */

enum { KEPT = 64 };

/* How many blocks this thread is in. */
unsigned sigcffi_blocks(void)
{
    const struct thread *thread = sigcffi_this_thread();
    return thread != NULL ? thread->depth : 0;
}

/* Begin a block, in which the signals in `word` are blocked in the calling thread: the former mask;
 * all ones, and nothing is blocked, where there is no memory. */
uint64_t sigcffi_block(uint64_t word)
{
    struct thread *thread = sigcffi_this_thread();
    if (thread == NULL) return UINT64_MAX;
    uint64_t former = sigcffi_sigmask(SIG_BLOCK, word);
    for (uint64_t rest = word; rest != 0; rest &= rest - 1) {
        int signum = __builtin_ctzll(rest) + 1;
        struct blocks *these = &thread->blocks[signum];
        if (these->depth++ < KEPT)
            these->changed = these->changed << 1 | !(former & sigcffi_bit(signum));
    }
    thread->depth++;
    return former;
}

/* End one that was begun with the same signals: those that it has blocked are not any more. Where
 * blocks overlap, the last that ends decides. */
void sigcffi_unblock(uint64_t word)
{
    struct thread *thread = sigcffi_this_thread();
    uint64_t changed = 0;
    if (thread == NULL) return;
    for (uint64_t rest = word; rest != 0; rest &= rest - 1) {
        int signum = __builtin_ctzll(rest) + 1;
        struct blocks *these = &thread->blocks[signum];
        if (these->depth == 0 || these->depth-- > KEPT) continue;
        if (these->changed & 1) changed |= sigcffi_bit(signum);
        these->changed >>= 1;
    }
    thread->depth--;
    if (changed != 0) sigcffi_sigmask(SIG_UNBLOCK, changed);
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

/* Sleep with the mask `asleep` until a handler has run in this thread, or not at all if the
 * trampoline has run since sigcffi_arrivals() returned `arrivals`. */
static void suspend(sigset_t asleep, unsigned arrivals)
{
    sigset_t all, former;
    sigfillset(&all);
    sigcffi_main_mask(SIG_SETMASK, sigcffi_word_of(&asleep));
    pthread_sigmask(SIG_SETMASK, &all, &former);
    uint64_t owners = sigcffi_owners(sigcffi_word_of(&former));
    if (sigcffi_arrivals() == arrivals) sigsuspend(&asleep);
    sigcffi_change_mask(SIG_SETMASK, owners);
    sigcffi_look_around(NULL);
}

/* The same with the mask that the thread has. */
void sigcffi_pause(unsigned arrivals)
{
    suspend(sigcffi_set_of(sigcffi_sigmask(SIG_BLOCK, 0)), arrivals);
}

/* The same with the mask `word`. */
void sigcffi_sigsuspend(uint64_t word, unsigned arrivals)
{
    suspend(sigcffi_set_of(word), arrivals);
}

/* Accept one of the signals in `word` without running its handler: its number, and what it carries
 * in `record` unless that is null. Waits at most so many nanoseconds, for ever if negative. -EAGAIN
 * when the time is over, -EINTR when a handler for another signal ran, -ERANGE if no time_t is so
 * long. */
int sigcffi_accept(uint64_t word, int64_t nanoseconds, struct sigcffi_record *record)
{
#if SIGCFFI_HAS_SIGTIMEDWAIT
    if (!sigcffi_is_time(nanoseconds / 1000000000)) return -ERANGE;
    sigset_t set = sigcffi_set_of(word);
    siginfo_t info;
    memset(&info, 0, sizeof info);
    int signum = sigcffi_sigtimedwait(&set, &info, nanoseconds);
    if (signum < 0) return -errno;
    if (sigcffi_was_poke(signum, &info)) return -EINTR;
    if (!SIGCFFI_WAITS_SHOW_TKILL && info.si_code == SI_TKILL) info.si_code = SI_USER;
    if (record != NULL) sigcffi_describe(record, signum, &info);
    return signum;
#else
    (void)word;
    (void)nanoseconds;
    (void)record;
    return -ENOSYS;
#endif
}

/* Accept all of the signals in `word` that are there, at most as many as there are `records`: how
 * many.
 *
 * Not by a signalfd, which hands out many at a time: it shows a few members of a siginfo only, and
 * by those another thread's poke could not be told from a signal. */
int sigcffi_drain(uint64_t word, struct sigcffi_record *records, int count)
{
    int taken = 0;
    while (taken < count) {
        int result = sigcffi_accept(word, 0, &records[taken]);
        if (result > 0)
            taken++;
        else if (result != -EINTR)
            return result == -EAGAIN || taken > 0 ? taken : result;
    }
    return taken;
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
