/* Masks: what a thread has blocked, and the blocks that it is in.
 *
 * Law: ordinary calls, made outside handlers, on the calling thread's mask and its own blocks. The
 * numbers are those of the steps in tests/models/wake.pml.
 */
#include "threads.h"

/* Change the mask that this thread's owner has chosen, which is not the thread's where rings are
 * full. The former; all ones, which no mask can be since SIGKILL is never blocked, if `how` is not
 * a way to change it. */
uint64_t sigcffi_masks_sigmask(int how, uint64_t word)
{
    if (how != SIG_BLOCK && how != SIG_UNBLOCK && how != SIG_SETMASK) return UINT64_MAX;
    sigset_t set = sigcffi_set_of(word), mask;
    uint64_t former;
    unsigned arrivals = sigcffi_trampoline_arrivals();
    /* 1. Before: what is sent to this thread from now on is let in with the rest, or refused. */
    sigcffi_main_thread_will_mask(how, word);
    if (sigcffi_owner_differs()) {
        former = sigcffi_backpressure_change_mask(how, word);
    } else {
        pthread_sigmask(how, &set, &mask); /* 2 */
        former = sigcffi_word_of(&mask);
        /* Actors: this call, and a handler that comes between the two looks at `arrivals`. The bad
         * interleaving: the handler blocks for a while, or lets in, what the owner blocks from now
         * on, and takes that for its own to undo. It is forbidden by changing the mask once more,
         * with every signal blocked; `former` is mended. */
        if (sigcffi_trampoline_arrivals() != arrivals) {
            if (how != SIG_UNBLOCK)
                former = (former & ~sigcffi_owner_added()) | (sigcffi_owner_let_in() & ~word);
            sigcffi_backpressure_change_mask(how, word);
        }
    }
    sigcffi_main_thread_will_mask(how, word);
    sigcffi_wake_look_around(NULL); /* 3: what was left to a poke that is now blocked */
    return former;
}

/* ---- Threads that take no signals ---- */

/* This thread is about to fork: it takes no signals until sigcffi_masks_fork_ends(), and nor does
 * its child. An interpreter forgets in the child what had come to its handler there before it has
 * seen to the child's state. */
void sigcffi_masks_fork_begins(void)
{
    sigcffi_owner_forks(1);
    sigcffi_backpressure_change_mask(SIG_BLOCK, 0);
}

/* It has forked, or failed to; in both processes. */
void sigcffi_masks_fork_ends(void)
{
    sigcffi_owner_forks(-1);
    sigcffi_backpressure_change_mask(SIG_BLOCK, 0);
}

/* This thread takes no signals until its mask is set anew, but real faults: the former mask. */
uint64_t sigcffi_masks_take_no_signals(void)
{
    return sigcffi_masks_sigmask(SIG_SETMASK, state.trampoline.mask);
}

/* ---- Looking ---- */

/* Blocked and pending, for the thread or the process. */
uint64_t sigcffi_masks_sigpending(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigpending(&set); /* cannot fail with a good address */
    return sigcffi_word_of(&set);
}

/* The signals a program may use: the C library keeps some for itself. */
uint64_t sigcffi_masks_valid_signals(void)
{
    sigset_t set;
    sigfillset(&set);
    uint64_t word = 0;
    for (int signum = 1; signum < NSIG; signum++)
        if (sigismember(&set, signum) == 1) word |= sigcffi_bit(signum);
    return word;
}

/* ---- Blocks ---- */

enum { KEPT = 64 }; /* bits of `changed` */

/* How many blocks this thread is in. */
unsigned sigcffi_masks_blocks(void)
{
    const struct thread *thread = sigcffi_threads_current();
    return thread != NULL ? thread->depth : 0;
}

/* Begin a block, in which the signals in `word` are blocked in the calling thread: the former mask;
 * all ones, and nothing is blocked, where there is no memory. */
uint64_t sigcffi_masks_block(uint64_t word)
{
    struct thread *thread = sigcffi_threads_current();
    if (thread == NULL) return UINT64_MAX;
    uint64_t former = sigcffi_masks_sigmask(SIG_BLOCK, word);
    for (uint64_t rest = word; rest != 0; rest &= rest - 1) {
        int signum = __builtin_ctzll(rest) + 1;
        struct blocks *these = &thread->blocks[signum];
        if (these->depth++ < KEPT)
            these->changed = these->changed << 1 | !(former & sigcffi_bit(signum));
    }
    thread->depth++;
    return former;
}

/* End a block that was begun with just these signals: those that it has blocked are not any more.
 * Where blocks overlap, the last that ends decides. */
void sigcffi_masks_unblock(uint64_t word)
{
    struct thread *thread = sigcffi_threads_current();
    uint64_t changed = 0;
    if (thread == NULL) return;
    for (uint64_t rest = word; rest != 0; rest &= rest - 1) {
        int signum = __builtin_ctzll(rest) + 1;
        struct blocks *these = &thread->blocks[signum];
        if (these->depth == 0 || these->depth-- > KEPT) continue;
        if (these->changed & 1) changed |= sigcffi_bit(signum);
        these->changed >>= 1;
    }
    thread->depth--;
    if (changed != 0) sigcffi_masks_sigmask(SIG_UNBLOCK, changed);
}
