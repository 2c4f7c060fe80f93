/* Resuming: a ring has been read, and the threads that it has held back go on.
 *
 * Law: ordinary calls, made outside handlers, by whatever reads. What handlers do about a ring that
 * is full, and why that leads to this, stands in handler/backpressure.c; the numbers are those of
 * the steps in tests/models/backpressure.pml.
 */
#include "calls.h"

/* A ring has room again: the threads that have blocked its signals look whether they may go on. */
void sigcffi_resume_threads(int number)
{
    uint64_t ring = UINT64_C(1) << number;
    if (atomic_exchange(sigcffi_backpressure_of(number), 0) == 0) return; /* 8 */
    sigcffi_interpose_again(SIGURG); /* somebody may have taken it, and the pokes with it */
    for (int index = 0; index < SIGCFFI_THROTTLED; index++) {
        struct throttled *thread = &state.throttled[index];
        if (!(atomic_load(&thread->by) & ring) || index + 1 == sigcffi_backpressure_place())
            continue;
        int tid = atomic_load(&thread->tid);
        if (tid != 0) sigcffi_wake_poke(tid); /* 9 */
    }
    sigcffi_backpressure_recheck();
}

/* The dispatcher has read the main channel (7). 1 if it has not read enough, and can go on: behind
 * a record that a thread had reserved and not filled in. That is waited for: the thread is in a
 * handler, and the poke by which it tells of the record may be blocked here. */
int sigcffi_resume_main_channel(void)
{
    if (!sigcffi_backpressure_is_high(SIGCFFI_MAIN_CHANNEL))
        sigcffi_resume_threads(SIGCFFI_MAIN_CHANNEL);
    /* Asked again: another thread may have filled the ring meanwhile, so that this thread has
     * stayed as it is. Nobody else reads, so what was high then is high now. */
    if (!sigcffi_backpressure_is_high(SIGCFFI_MAIN_CHANNEL)) return 0;
    uint64_t tail = atomic_load(&channel.ring.tail);
    struct sigcffi_record *next = &channel.records[tail % SIGCFFI_CAPACITY];
    const struct timespec instant = {.tv_nsec = 50000};
    /* acquire: pairs with the release in sigcffi_ring_publish() */
    while (atomic_load_explicit(&next->sequence, memory_order_acquire) != tail + 1)
        nanosleep(&instant, NULL);
    return 1;
}
