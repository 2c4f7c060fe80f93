/* The main thread: which one it is, and whether it takes pokes.
 *
 * Law: handler context, and outside handlers. The main thread, in which the interpreter runs Python
 * handlers, is known by its pthread_t, which costs nothing to compare. Whether it has SIGURG
 * blocked is known from our own calls and from the signals that it takes; nothing asks another
 * thread's mask.
 */
#include "handler.h"

/* handler context. A signal has interrupted this thread. If it is the main thread, and had SIGURG
 * not blocked, then it takes pokes, whatever other code has done to its mask. */
void sigcffi_main_thread_note_mask(const void *context)
{
    if (context == NULL ||
        !atomic_load_explicit(&state.main_thread.blocks_pokes, memory_order_relaxed))
        return;
    const ucontext_t *interrupted = context;
    if (sigcffi_main_thread_is_current() && !sigismember(&interrupted->uc_sigmask, SIGURG))
        atomic_store(&state.main_thread.blocks_pokes, false);
}

/* handler context, or outside handlers. This thread is about to change its mask, now or when its
 * handler returns, as pthread_sigmask(how, word) does. Of the main thread is kept whether it has
 * SIGURG blocked from then on. Called before the change, and behind it once more: a handler in
 * between has seen the former mask.
 *
 * Actors: the main thread, which says here that it blocks pokes (1), blocks them (2) and looks
 * around (3); another thread, which sets a bit of `pending` and then asks whether to poke. The bad
 * interleaving: the other thread finds pokes taken, the main thread finds nothing pending, and the
 * poke meets a thread that has blocked it. It is forbidden by sequential consistency: each stores
 * its own word before it loads the other's. */
void sigcffi_main_thread_will_mask(int how, uint64_t word)
{
    bool urgent = (word & sigcffi_bit(SIGURG)) != 0;
    if (!sigcffi_main_thread_is_current()) return;
    if (how == SIG_SETMASK || (how == SIG_BLOCK && urgent))
        atomic_store(&state.main_thread.blocks_pokes, urgent);
    else if (how == SIG_UNBLOCK && urgent)
        atomic_store(&state.main_thread.blocks_pokes, false);
}

/* The thread `ident`, known to the kernel as `tid` (0: the calling thread), is the one in
 * which the interpreter runs Python handlers. */
void sigcffi_main_thread_set(unsigned long ident, int tid)
{
#if SIGCFFI_HAS_TGSIGQUEUE
    atomic_store(&state.main_thread.tid, tid != 0 ? tid : (int)syscall(SYS_gettid));
#else
    (void)tid;
#endif
    atomic_store(&channel.main_thread, ident);
    sigset_t mask;
    if (sigcffi_main_thread_is_current() && pthread_sigmask(SIG_BLOCK, NULL, &mask) == 0)
        sigcffi_main_thread_will_mask(SIG_SETMASK, sigcffi_word_of(&mask));
}
