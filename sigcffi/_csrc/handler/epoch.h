/* Epochs: a handler says while it may see what is attached to a signal.
 *
 * Law: handler context. This is the reader's side of epoch-based reclamation; calls/epoch.c is the
 * other.
 *
 * Actors: a handler, which enters, reads a signal's order and acts on the slots that it names; and
 * a call that detaches, which stores the new order, waits until no handler is inside, and takes the
 * slot apart. The bad interleaving: the handler reads the former order, the call sees nobody
 * inside, and the handler acts on a slot that is being taken apart. It is forbidden by sequential
 * consistency: the handler counts itself in before it loads the order, the call stores the order
 * before it loads the count. Were a load allowed to pass the store before it, both could read what
 * was there before.
 */
#ifndef SIGCFFI_EPOCH_H
#define SIGCFFI_EPOCH_H

#include "handler.h"

/* handler context. From here to sigcffi_epoch_leave() no slot is recycled that an order names. */
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
