/* Epochs, from the side of what changes: waiting until no handler sees the former order.
 *
 * Law: ordinary calls, made outside handlers, with the lock held. handler/epoch.h is the other
 * side.
 */
#include "calls.h"

/* Lock held. */
static void wait_until_left(unsigned epoch)
{
    /* acquire: pairs with the release in sigcffi_epoch_leave() */
    for (int tries = 0; atomic_load(&state.epoch.inside[epoch]) != 0; tries++)
        sigcffi_lock_back_off(tries);
}

/* Lock held. Wait until every handler has left that may have seen an order as it was before this
 * call.
 *
 * Such a handler was in one of the two counts when the order changed, and each count is seen to be
 * 0 after that: so it has left, whichever it was in, and if it had read the epoch long before it
 * entered. There are two because one might never be 0 under a flood: new handlers enter the one
 * while the other runs empty. */
void sigcffi_epoch_synchronize(void)
{
    unsigned epoch = atomic_load(&state.epoch.current) & 1;
    wait_until_left(!epoch);
    atomic_store(&state.epoch.current, !epoch);
    wait_until_left(epoch);
}

/* Lock held, in a forked child, which has one thread: no handler is running. */
void sigcffi_epoch_after_fork(void)
{
    atomic_store(&state.epoch.inside[0], 0);
    atomic_store(&state.epoch.inside[1], 0);
}
