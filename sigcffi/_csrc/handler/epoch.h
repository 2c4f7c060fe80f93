/* Epochs: a handler says while it may see what is attached to a signal.
 *
 * Law: handler context. A slot that a signal's order names is filled in, and stays so until every
 * handler that may have read that order has left its epoch (calls/epoch.c waits for that).
 */
#ifndef SIGCFFI_EPOCH_H
#define SIGCFFI_EPOCH_H

#include "handler.h"

/* handler context. From here to leave() what the order of a signal names is not recycled.
 *
 * Sequentially consistent, the default: a handler enters and then reads the order, while who
 * detaches writes the order and then looks for handlers (wait_for_handlers in attaching.c). Were
 * the load allowed to pass the store, the handler would see the old order and not be seen. */
static inline unsigned sigcffi_epoch_enter(void)
{
    unsigned epoch = atomic_load(&state.epoch.current) & 1;
    atomic_fetch_add(&state.epoch.inside[epoch], 1);
    return epoch;
}

/* handler context. release: what was done to a slot was done before it can be recycled. */
static inline void sigcffi_epoch_leave(unsigned epoch)
{
    atomic_fetch_sub_explicit(&state.epoch.inside[epoch], 1, memory_order_release);
}

/* handler context. Whether anything is attached; relaxed: what is just being attached may be
 * missed, and what was attached before the signal was sent is not. */
static inline bool sigcffi_epoch_has_slots(int signum)
{
    return atomic_load_explicit(&state.attachments.order[signum], memory_order_relaxed) != 0;
}

/* handler context. The first slot in an order. */
static inline struct slot *sigcffi_epoch_first_of(int signum, uint64_t order)
{
    return &state.attachments.slots[signum][(order & 15) - 1];
}

#endif
