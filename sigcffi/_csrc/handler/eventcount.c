/* The event count: how threads sleep until something has happened.
 *
 * Law: handler context, and outside handlers. A thread that is going to sleep counts itself first,
 * and looks then (calls/sleep.c); what wakes it stores first what has happened, and counts the
 * event then.
 */
#include "handler.h"

/* handler context, or outside handlers. Wake the threads that sleep until something has happened.
 *
 * What has happened was stored before; who sleeps counts itself first and looks then. Here the
 * count is stored too, unchanged: of the two stores one comes first, and who makes the other sees
 * it, and all that came before it. A load could miss the sleeper, and the sleeper what has
 * happened. */
void sigcffi_eventcount_notify(void)
{
    if (atomic_fetch_add(&state.eventcount.sleepers, 0) == 0) return;
    atomic_fetch_add(&state.eventcount.events, 1);
    sigcffi_platform_wake(&state.eventcount.events, INT_MAX);
}
