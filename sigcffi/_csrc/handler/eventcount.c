/* The event count: how threads sleep until something has happened.
 *
 * Law: handler context, and outside handlers. calls/sleep.c is the side of the sleepers.
 *
 * Actors: a thread that is going to sleep, which counts itself a sleeper and then looks whether
 * anything has happened; and whatever has happened, in a handler or a call, which stores that and
 * then looks whether anybody sleeps. The bad interleaving: the thread sees nothing, the other sees
 * no sleeper, and the thread sleeps on. It is forbidden because both store to `sleepers`: the one
 * that finds nobody stores the count, too, unchanged. Of two stores to one word one comes first,
 * and the thread that makes the second sees it and all that came before it. A plain load here could
 * pass the store of what has happened.
 */
#include "handler.h"

/* handler context, or outside handlers. Something has happened, and was stored: wake the sleepers.
 */
void sigcffi_eventcount_notify(void)
{
    if (atomic_fetch_add(&state.eventcount.sleepers, 0) == 0) return;
    atomic_fetch_add(&state.eventcount.events, 1);
    sigcffi_platform_wake(&state.eventcount.events, INT_MAX);
}
