/* The lock of everything that changes what handlers read.
 *
 * Law: ordinary calls, made outside handlers; handler context never takes the lock. Its holder may
 * be interrupted by a handler of others, and that may fork: so the lock is recursive, and is held
 * while the process forks.
 */
#include "calls.h"

#include <sched.h>

/* The thread that changes the tables, 0 if there is none, and how often over it holds the lock. */
static _Atomic uintptr_t owner;
static unsigned depth;

/* Wait a little, for another thread to go on. Asleep after a while: sched_yield() does not let a
 * thread of lower priority run, and the other may be one. */
void sigcffi_lock_back_off(int tries)
{
    const struct timespec instant = {.tv_nsec = 50000};
    if (tries < 64)
        sched_yield();
    else
        nanosleep(&instant, NULL);
}

/* Outside handlers. Held for microseconds, and while the process forks.
 *
 * Not a mutex. Actors: a call that acquires the lock, and a foreign handler that interrupts it and
 * forks, so that before_fork() acquires the lock in this thread again. The bad interleaving: a
 * recursive mutex takes two steps to note its owner; the handler comes between them, does not find
 * its thread to be the owner, and waits for ever. It is forbidden because one compare-and-swap
 * takes the lock and notes the owner: it has no between.
 *
 * acquire, with the release of the holder before: this one sees what that has written. */
void sigcffi_lock_acquire(void)
{
    uintptr_t self = (uintptr_t)pthread_self(), nobody = 0;
    if (atomic_load_explicit(&owner, memory_order_relaxed) == self) {
        depth++;
        return;
    }
    for (int tries = 0; !atomic_compare_exchange_weak_explicit(
             &owner, &nobody, self, memory_order_acquire, memory_order_relaxed);
         tries++) {
        nobody = 0;
        sigcffi_lock_back_off(tries);
    }
}

/* Outside handlers */
void sigcffi_lock_release(void)
{
    if (depth > 0)
        depth--;
    else
        atomic_store_explicit(&owner, 0, memory_order_release);
}

/* Acquire the lock with every signal blocked; the former mask. A foreign handler that came in
 * between could fork, and the child, which takes its parent's receivers apart, would find an order
 * that is just changing. */
sigset_t sigcffi_lock_acquire_masked(void)
{
    sigset_t all, former;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &former);
    sigcffi_lock_acquire();
    return former;
}

void sigcffi_lock_release_masked(const sigset_t *former)
{
    sigcffi_lock_release();
    pthread_sigmask(SIG_SETMASK, former, NULL);
}
