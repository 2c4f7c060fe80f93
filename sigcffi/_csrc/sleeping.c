/* Sleeping: until a flag is set, or a receiver has something to read.
 *
 * Law: ordinary calls, made outside handlers. Who sleeps counts itself first and looks then; who
 * wakes (sigcffi_something_happened in slots.c) has changed something first and counts then.
 */
#include "state.h"

#if SIGCFFI_HAS_FUTEX
#include <linux/futex.h>
#endif

/* Sleep until `state.events` is not `event` any more, for at most so many nanoseconds (for ever if
 * negative): -ETIMEDOUT if the time is over, else -EINTR, and the caller looks again. Not at all if
 * a handler has run in this thread since sigcffi_arrivals() returned `arrivals`: Python may have
 * to run one of its own. */
static int nap(uint32_t event, unsigned arrivals, int64_t nanoseconds)
{
    if (sigcffi_arrivals() != arrivals) return -EINTR;
    struct timespec time = {.tv_sec = (time_t)(nanoseconds / 1000000000),
                            .tv_nsec = (long)(nanoseconds % 1000000000)};
    bool over;
#if SIGCFFI_HAS_FUTEX
    over = syscall(SYS_futex, &state.events, FUTEX_WAIT_PRIVATE, event,
                   nanoseconds < 0 ? NULL : &time, NULL, 0) != 0 &&
           errno == ETIMEDOUT;
#else
    (void)event;
    const int64_t while_nobody_can_tell = 1000000;
    over = nanoseconds >= 0 && nanoseconds <= while_nobody_can_tell;
    if (!over) time = (struct timespec){.tv_nsec = (long)while_nobody_can_tell};
    nanosleep(&time, NULL);
#endif
    return over ? -ETIMEDOUT : -EINTR;
}

/* Until a flag is set, or was detached: 1, or what nap() says. */
int sigcffi_sleep_until_set(int signum, int64_t flag, unsigned arrivals, int64_t nanoseconds)
{
    /* Sequentially consistent: see sigcffi_something_happened(). */
    atomic_fetch_add(&state.sleepers, 1);
    uint32_t event = atomic_load(&state.events);
    int result = sigcffi_is_over(signum, flag) ? 1 : nap(event, arrivals, nanoseconds);
    atomic_fetch_sub(&state.sleepers, 1);
    return result;
}

/* Until there are records, or the receiver was closed: 1, or what nap() says. */
int sigcffi_sleep_until_received(int64_t handle, unsigned arrivals, int64_t nanoseconds)
{
    atomic_fetch_add(&state.sleepers, 1);
    uint32_t event = atomic_load(&state.events);
    int result = sigcffi_received(handle) != 0 ? 1 : nap(event, arrivals, nanoseconds);
    atomic_fetch_sub(&state.sleepers, 1);
    return result;
}

/* In a forked child, which has one thread: nobody sleeps. */
void sigcffi_sleepers_after_fork(void)
{
    atomic_store(&state.sleepers, 0);
}
