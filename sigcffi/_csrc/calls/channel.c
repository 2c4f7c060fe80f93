/* The main channel, as the dispatcher uses it: which signals are recorded, and how its ring is
 * read.
 *
 * Law: ordinary calls, made outside handlers. There is one reader, the dispatcher, in the main
 * thread; it reads the ring's memory by itself, and calls these functions where that does not do.
 */
#include "calls.h"

/* The dispatcher is called by SIGURG for the signals in `set`, or no more: see wake.c. */
void sigcffi_channel_call_by_urgent(uint64_t set, int on)
{
    if (on)
        atomic_fetch_or(&channel.by_urgent, set);
    else
        atomic_fetch_and(&channel.by_urgent, ~set);
}

/* Record this signal from now on, or no more. */
void sigcffi_channel_record(int signum, int on)
{
    if (on) {
        atomic_fetch_or(&channel.recorded, sigcffi_bit(signum));
    } else {
        atomic_fetch_and(&channel.recorded, ~sigcffi_bit(signum));
        sigcffi_channel_call_by_urgent(sigcffi_bit(signum), 0);
    }
}

/* The main channel, as Python reads it. */
void *sigcffi_channel_memory(void)
{
    return &channel;
}

/* The sequence of the record at this place, counted in bytes. For the reader where the processor
 * may show stores in another order: a reader that finds the record published finds it filled in. */
uint64_t sigcffi_channel_sequence(size_t offset)
{
    /* acquire: pairs with the release in sigcffi_ring_publish() */
    const _Atomic uint64_t *words = (const _Atomic uint64_t *)&channel;
    return atomic_load_explicit(&words[offset / sizeof *words], memory_order_acquire);
}

/* A record has been read.
 *
 * Actors: the reader, which has read the record and gives back its place by a plain store of the
 * tail; a producer, whose load of the tail acquires. The bad interleaving: the processor lets that
 * store pass the loads before it; the producer sees the place free and fills it in, and the
 * reader's loads find the new record. It is forbidden by the fence here. */
void sigcffi_channel_has_read(void)
{
    SIGCFFI_LOADS_COME_FIRST();
}

/* ---- Counts ---- */

uint64_t sigcffi_channel_deliveries(int signum)
{
    return sigcffi_is_signal(signum) ? atomic_load(&state.counts.deliveries[signum]) : 0;
}

uint64_t sigcffi_channel_dropped(int signum)
{
    return sigcffi_is_signal(signum) ? atomic_load(&state.counts.dropped[signum]) : 0;
}

/* Deliveries that the main channel was to take. */
uint64_t sigcffi_channel_offered(void)
{
    uint64_t offered = atomic_load(&channel.ring.head) - atomic_load(&state.counts.began);
    for (int signum = 1; signum < NSIG; signum++)
        offered += atomic_load(&state.counts.dropped[signum]);
    return offered;
}

/* ---- fork ---- */

/* Lock held, every signal blocked, in a forked child: nothing has been delivered to it, and the
 * records are the parent's, also those that a thread was just writing. */
void sigcffi_channel_after_fork(void)
{
    for (int signum = 1; signum < NSIG; signum++) {
        atomic_store(&state.counts.deliveries[signum], 0);
        atomic_store(&state.counts.dropped[signum], 0);
        atomic_fetch_and(&channel.calls[signum], SIGCFFI_ON_ITS_WAY - 1);
    }
    uint64_t head = atomic_load(&channel.ring.head);
    atomic_store(&state.counts.began, head);
    for (uint64_t n = atomic_exchange(&channel.ring.tail, head); n != head; n++)
        atomic_store(&channel.records[n % SIGCFFI_CAPACITY].sequence, 0);
    /* The handlers that ran were the main thread's, which may be another. */
    if (!sigcffi_main_thread_is_current()) atomic_store(&channel.running, 0);
}
