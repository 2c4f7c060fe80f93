/* Waits: a thread sleeps until a signal comes, or accepts one without its handler.
 *
 * Law: ordinary calls, made outside handlers. Where a wait must not miss a signal, the signals are
 * blocked first, and the kernel swaps the masks and sleeps in one step.
 */
#include "calls.h"

/* A wait begins, and ends for what arrives from now on: `arrivals` for the calls below. */
unsigned sigcffi_waits_begin(void)
{
    sigcffi_retry_no_more();
    return sigcffi_trampoline_arrivals();
}

/* Sleep with the mask `asleep` until a handler has run in this thread, or not at all if the
 * trampoline has run since sigcffi_waits_begin() returned `arrivals`. */
static void suspend(sigset_t asleep, unsigned arrivals)
{
    sigset_t all, former;
    sigfillset(&all);
    sigcffi_main_thread_will_mask(SIG_SETMASK, sigcffi_word_of(&asleep));
    pthread_sigmask(SIG_SETMASK, &all, &former);
    uint64_t owners = sigcffi_owner_mask(sigcffi_word_of(&former));
    if (sigcffi_trampoline_arrivals() == arrivals) sigsuspend(&asleep);
    sigcffi_backpressure_change_mask(SIG_SETMASK, owners);
    sigcffi_wake_look_around(NULL);
}

/* Sleep with the mask that the thread has, unless the trampoline has run since `arrivals`. */
void sigcffi_waits_pause(unsigned arrivals)
{
    suspend(sigcffi_set_of(sigcffi_masks_sigmask(SIG_BLOCK, 0)), arrivals);
}

/* Sleep with the mask `word`, unless the trampoline has run since `arrivals`. */
void sigcffi_waits_sigsuspend(uint64_t word, unsigned arrivals)
{
    suspend(sigcffi_set_of(word), arrivals);
}

/* Accept one of the signals in `word` without running its handler: its number, and what it carries
 * in `record` unless that is null. Waits at most so many nanoseconds, for ever if negative. -EAGAIN
 * when the time is over, -EINTR when a handler for another signal ran, -ERANGE if no time_t is so
 * long. */
int sigcffi_waits_accept(uint64_t word, int64_t nanoseconds, struct sigcffi_record *record)
{
#if SIGCFFI_HAS_SIGTIMEDWAIT
    if (!sigcffi_platform_is_time(nanoseconds / 1000000000)) return -ERANGE;
    sigset_t set = sigcffi_set_of(word);
    siginfo_t info;
    memset(&info, 0, sizeof info);
    int signum = sigcffi_platform_sigtimedwait(&set, &info, nanoseconds);
    if (signum < 0) return -errno;
    /* As after a handler. Whatever was accepted, a poke may have merged with it; and what is a poke
     * is none of the caller's. */
    sigcffi_backpressure_recheck();
    sigcffi_wake_look_around(NULL);
    if (sigcffi_wake_is_poke(signum, &info)) return -EINTR;
    if (!SIGCFFI_WAITS_SHOW_TKILL && info.si_code == SI_TKILL) info.si_code = SI_USER;
    if (record != NULL) sigcffi_ring_describe(record, signum, &info);
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
 * Not by a signalfd, which hands out many at a time: it takes a descriptor, of which there may be
 * none, and shows fewer members of a siginfo. */
int sigcffi_waits_drain(uint64_t word, struct sigcffi_record *records, int count)
{
    int taken = 0;
    while (taken < count) {
        int result = sigcffi_waits_accept(word, 0, &records[taken]);
        if (result > 0)
            taken++;
        else if (result != -EINTR)
            return result == -EAGAIN || taken > 0 ? taken : result;
    }
    return taken;
}
