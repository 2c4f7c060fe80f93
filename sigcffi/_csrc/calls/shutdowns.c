/* Shutdowns: what the program sets up for handler/shutdown.c, and what it has seen.
 *
 * Law: ordinary calls, made outside handlers. A shutdown is filled in before its slots are
 * attached, and closed when they are detached.
 */
#include "calls.h"

#include <stdio.h>
#include <stdlib.h>

/* A shutdown with these times in nanoseconds (less than 0: none) and so many signals beyond the
 * second; its number, or a negative errno: -ENOSPC if too many are open. */
int sigcffi_shutdowns_open(int64_t grace, int64_t kill, int force)
{
    int result = -ENOSPC;
    sigcffi_lock_acquire();
    for (int number = 0; number < SIGCFFI_SHUTDOWNS && result == -ENOSPC; number++) {
        struct shutdown *shutdown = &state.shutdowns[number];
        if (shutdown->open) continue;
        result = kill < 0 ? 0 : sigcffi_deadman_start();
        if (result < 0) break;
        shutdown->open = true;
        shutdown->grace = grace;
        shutdown->kill = kill;
        shutdown->force = force;
        atomic_store(&shutdown->first.sequence, 0);
        result = number;
    }
    sigcffi_lock_release();
    return result;
}

/* Its slots are detached. */
void sigcffi_shutdowns_close(int number)
{
    sigcffi_lock_acquire();
    atomic_store(&state.shutdowns[number].deadline, 0);
    state.shutdowns[number].open = false;
    sigcffi_lock_release();
    sigcffi_eventcount_notify();
}

/* The program itself brings a shutdown to a stage: whether that was new. What waits for it is
 * woken. */
bool sigcffi_shutdowns_raise(int number, int cell, int stage, int signum)
{
    int former = atomic_load(&state.cells[cell]);
    do
        if (former >= stage) return false;
    while (!atomic_compare_exchange_weak(&state.cells[cell], &former, stage));
    sigcffi_shutdown_reach(&state.shutdowns[number], stage, signum);
    sigcffi_eventcount_notify();
    return true;
}

/* What the signal that came first has carried; false if none has, or its thread is just writing. */
bool sigcffi_shutdowns_first(int number, struct sigcffi_record *record)
{
    const struct sigcffi_record *first = &state.shutdowns[number].first;
    /* acquire: pairs with the release in sigcffi_ring_publish() */
    if (atomic_load_explicit(&first->sequence, memory_order_acquire) == 0) return false;
    *record = *first;
    return true;
}

/* Python sees that it is to interrupt the program. */
void sigcffi_shutdowns_seen(int number)
{
    atomic_store(&state.shutdowns[number].deadline, 0);
}

static _Atomic int at_exit; /* 0: as exit() says */

/* When all of the program has ended, Python with what it does at the exit: end by the default
 * action of a signal. */
void sigcffi_shutdowns_end_at_exit(int signum)
{
    atomic_store(&at_exit, signum);
}

/* The C library calls this behind what was registered with atexit(). */
static void __attribute__((destructor)) end(void)
{
    int signum = atomic_load(&at_exit);
    if (signum == 0) return;
    fflush(NULL); /* it would have come to that afterwards */
    sigcffi_defaults_take(signum);
}

/* Lock held, in a forked child: its parent's deadlines are not its own. */
void sigcffi_shutdowns_after_fork(void)
{
    for (int number = 0; number < SIGCFFI_SHUTDOWNS; number++) {
        atomic_store(&state.shutdowns[number].deadline, 0);
        atomic_store(&state.shutdowns[number].first.sequence, 0);
    }
    atomic_store(&at_exit, 0);
}
