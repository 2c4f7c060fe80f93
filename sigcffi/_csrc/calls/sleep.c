/* Sleeping: until a flag is set, or a receiver has something to read.
 *
 * Law: ordinary calls, made outside handlers. A thread that is going to sleep counts itself first
 * and looks then; handler/eventcount.c is the other side, and says what that forbids.
 */
#include "calls.h"

/* Sleep until `state.eventcount.events` is not `event` any more, for at most so many nanoseconds
 * (for ever if negative): -ETIMEDOUT if the time is over, else -EINTR, and the caller looks again.
 * Not at all if a handler has run in this thread since sigcffi_trampoline_arrivals() returned
 * `arrivals`: Python may have to run one of its own. */
static int nap(uint32_t event, unsigned arrivals, int64_t nanoseconds)
{
    if (sigcffi_trampoline_arrivals() != arrivals) return -EINTR;
    return sigcffi_platform_sleep_on(&state.eventcount.events, event, nanoseconds) ? -ETIMEDOUT
                                                                                   : -EINTR;
}

/* Until a flag is set, or was detached: 1, or what nap() says. */
int sigcffi_sleep_until_set(int signum, int64_t flag, unsigned arrivals, int64_t nanoseconds)
{
    sigcffi_backpressure_recheck();
    /* Sequentially consistent: see sigcffi_eventcount_notify(). */
    atomic_fetch_add(&state.eventcount.sleepers, 1);
    uint32_t event = atomic_load(&state.eventcount.events);
    int result = sigcffi_attachments_is_over(signum, flag) ? 1 : nap(event, arrivals, nanoseconds);
    atomic_fetch_sub(&state.eventcount.sleepers, 1);
    return result;
}

/* Until there are records, or the receiver was closed: 1, or what nap() says. */
int sigcffi_sleep_until_received(int64_t handle, unsigned arrivals, int64_t nanoseconds)
{
    sigcffi_backpressure_recheck();
    atomic_fetch_add(&state.eventcount.sleepers, 1);
    uint32_t event = atomic_load(&state.eventcount.events);
    int result = sigcffi_receivers_count(handle) != 0 ? 1 : nap(event, arrivals, nanoseconds);
    atomic_fetch_sub(&state.eventcount.sleepers, 1);
    return result;
}

/* In a forked child, which has one thread: nobody sleeps. */
void sigcffi_sleep_after_fork(void)
{
    atomic_store(&state.eventcount.sleepers, 0);
}
