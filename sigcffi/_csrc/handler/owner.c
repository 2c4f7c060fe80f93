/* Whose will a thread's mask is: the owner's, or in part the library's.
 *
 * Law: the library blocks signals in a thread beside those that its owner has blocked: what full
 * rings hold back (backpressure.c), and all of them in one that is forking.
 * Calls that tell or change a mask speak of the owner's, and a forked child begins with that.
 */
#include "handler.h"

/* Where this thread's mask is not its owner's: what is blocked in addition, and the bit of SIGKILL,
 * which cannot be blocked, where SIGURG is let in although the owner has blocked it. One word, and
 * atomic, since handlers of this thread change it between any two steps of its ordinary calls. */
static SIGCFFI_THREAD_LOCAL _Atomic uint64_t difference;
#define LETS_IN (UINT64_C(1) << (SIGKILL - 1))

/* By ordinary calls of this thread: how many forks have begun. */
static SIGCFFI_THREAD_LOCAL unsigned char forking;

/* handler context, or outside handlers. What is blocked in addition; a handler may change that, and
 * what follows, at any time. */
uint64_t sigcffi_owner_added(void)
{
    return atomic_load_explicit(&difference, memory_order_relaxed) & ~LETS_IN;
}

/* handler context, or outside handlers. SIGURG, if that is let in. */
uint64_t sigcffi_owner_let_in(void)
{
    bool lets_in = atomic_load_explicit(&difference, memory_order_relaxed) & LETS_IN;
    return lets_in ? sigcffi_bit(SIGURG) : 0;
}

/* handler context, or outside handlers. Whether this thread's mask is not its owner's. */
bool sigcffi_owner_differs(void)
{
    return atomic_load_explicit(&difference, memory_order_relaxed) != 0;
}

/* handler context, or outside handlers */
void sigcffi_owner_set_difference(uint64_t added, bool lets_in)
{
    atomic_store(&difference, added | (lets_in ? LETS_IN : 0));
}

/* handler context, or outside handlers. The mask that this thread's owner has chosen, where `mask`
 * is in force. If what this thread has blocked is not, then somebody has restored another mask, as
 * siglongjmp does, and SIGURG is as they want it. */
uint64_t sigcffi_owner_mask(uint64_t mask)
{
    uint64_t added = sigcffi_owner_added();
    return (mask & ~added) | ((added & ~mask) == 0 ? sigcffi_owner_let_in() : 0);
}

/* handler context, or outside handlers. What this thread keeps out whatever rings hold back: all
 * that a handler blocks, so that a real fault is not among it. */
uint64_t sigcffi_owner_kept_out(void)
{
    return forking != 0 ? state.trampoline.mask : 0;
}

/* Outside handlers. This thread begins to fork (1), or has forked (-1). */
void sigcffi_owner_forks(int change)
{
    forking = (unsigned char)(forking + change);
}

/* Outside handlers, in a forked child, whose thread is its program's: the mask that this thread's
 * owner has chosen, where `mask` was in force. */
uint64_t sigcffi_owner_after_fork(uint64_t mask)
{
    uint64_t owners = sigcffi_owner_mask(mask);
    sigcffi_owner_set_difference(sigcffi_owner_kept_out() & ~owners, false);
    return owners;
}
