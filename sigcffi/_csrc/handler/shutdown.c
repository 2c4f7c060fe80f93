/* A shutdown: how a signal brings it on, whether or not Python gets to run.
 *
 * Law: handler context, and outside handlers. The stage is the number of signals that have come: 0
 * while the program runs, 1 while it drains, 2 and more when it is to be interrupted. It only
 * grows. If Python does not see that it is to interrupt the program, the thread of the dead man's
 * switch ends the process; so do as many signals beyond the second as the program has said.
 */
#include "handler.h"

/* handler context, or outside handlers. The process ends at `when`, or before, if nobody sees. */
static void end_at(struct shutdown *shutdown, int64_t when, int signum)
{
    int64_t former = atomic_load(&shutdown->deadline);
    /* Actors: two threads that take the first signal and the second. The bad interleaving: the
     * second puts the deadline forward, and the first puts it back. It is forbidden by the
     * compare-and-swap: a deadline is only put forward. */
    do {
        if (former != 0 && former <= when) return;
        atomic_store(&shutdown->signum, signum); /* first: the deadline may be over */
    } while (!atomic_compare_exchange_weak(&shutdown->deadline, &former, when));
    atomic_fetch_add(&state.deadlines, 1);
    sigcffi_platform_wake(&state.deadlines, 1);
}

/* handler context, or outside handlers. A time as long as the clock can count is never over. */
static int64_t later(int64_t when, int64_t by)
{
    int64_t sum;
    return __builtin_add_overflow(when, by, &sum) ? INT64_MAX : sum;
}

/* handler context, or outside handlers. A stage has been reached. */
void sigcffi_shutdown_reach(struct shutdown *shutdown, int stage, int signum)
{
    struct timespec now;
    int64_t wait = stage == 1 ? shutdown->grace : 0;
    if (shutdown->kill < 0 || wait < 0 || stage > 2) return;
    clock_gettime(CLOCK_MONOTONIC, &now);
    int64_t when = (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
    end_at(shutdown, later(later(when, wait), shutdown->kill), signum);
}
