/* Bases: what stands beneath each level of the trampoline, for each signal.
 *
 * Law: ordinary calls, made outside handlers, with the lock held. A base that another handler may
 * call stays where it is: whoever has found a level in the kernel may call it, or put it back, at
 * any time and unseen. So each base has a level of its own, for good: the default action, ignoring,
 * the interpreter's handler, and each handler of others.
 *
 * There are few levels. Where a signal has had more bases than that, one that is not the
 * interpreter's loses its level, and a handler of others may be passed by.
 */
#include "calls.h"

/* The bases with flags and mask, to be put back. */
static struct sigaction whole[SIGCFFI_LEVELS][NSIG];

static signed char on_top[NSIG];   /* the level that we have given the kernel, plus one */
static signed char based[NSIG];    /* how many levels have been given a base */
static signed char taken_of[NSIG]; /* the level that was given another base last */

/* Which level of the trampoline an action has for its handler; -1: none. The lock need not be held.
 */
int sigcffi_bases_level_of(const struct sigaction *action)
{
    return sigcffi_levels_find(sigcffi_handler_of(action));
}

/* Lock held. Give a level its base for a signal. */
void sigcffi_bases_set(int level, int signum, const struct sigaction *under)
{
    struct base *base = &state.dispositions.bases[level][signum];
    whole[level][signum] = *under;
    uint64_t itself = (under->sa_flags & SA_NODEFER) ? 0 : sigcffi_bit(signum);
    atomic_store(&base->mask, sigcffi_word_of(&under->sa_mask) | itself);
    atomic_store(&base->one_shot, (under->sa_flags & SA_RESETHAND) != 0);
    /* release, with the acquiring load in deliver(): a handler that sees this base sees its mask,
     * and what `interpreter` was when it was stored. */
    atomic_store_explicit(&base->handler, sigcffi_handler_of(under), memory_order_release);
}

/* Lock held. The base of a level, with flags and mask. */
struct sigaction sigcffi_bases_of(int level, int signum)
{
    return whole[level][signum];
}

/* Lock held. The base as it would be now without the trampoline `above`. */
struct sigaction sigcffi_bases_under(int signum, const struct sigaction *above)
{
    int level = sigcffi_bases_level_of(above);
    uintptr_t handler = atomic_load(&state.dispositions.bases[level][signum].handler);
    struct sigaction base = whole[level][signum];
    /* siginterrupt() would have done to the base what it has done to the trampoline. Not so
     * signal(2), which has put the trampoline back without the rest of its flags. */
    if (sigcffi_is_function(sigcffi_handler_of(&base)) && (above->sa_flags & SA_SIGINFO))
        base.sa_flags = (base.sa_flags & ~SA_RESTART) | (above->sa_flags & SA_RESTART);
    /* A handler with SA_RESETHAND that has been called is no longer there. */
    if (!sigcffi_is_function(handler))
        base.sa_handler = handler == (uintptr_t)SIG_IGN ? SIG_IGN : SIG_DFL;
    return base;
}

/* Lock held. The kernel has this level for the signal; -1: none. */
void sigcffi_bases_put_on_top(int signum, int level)
{
    on_top[signum] = (signed char)(level + 1);
}

/* Lock held. The kernel is known to have this for the signal. */
void sigcffi_bases_note(int signum, const struct sigaction *now)
{
    int level = sigcffi_bases_level_of(now);
    if (level >= 0) sigcffi_bases_put_on_top(signum, level);
}

/* Lock held. The level that we have given the kernel last, if it still counts; else -1. */
int sigcffi_bases_on_top(int signum)
{
    return on_top[signum] - 1;
}

/* Lock held. The level that is to stand on top of `under`. */
int sigcffi_bases_level_for(int signum, const struct sigaction *under)
{
    for (int level = 0; level < based[signum]; level++)
        if (atomic_load(&state.dispositions.bases[level][signum].handler) ==
            sigcffi_handler_of(under))
            return level;
    if (based[signum] < SIGCFFI_LEVELS) return based[signum]++;
    int level = taken_of[signum];
    do level = (level + 1) % SIGCFFI_LEVELS;
    while (level == on_top[signum] - 1 ||
           sigcffi_interpreter_classify(
               atomic_load(&state.dispositions.bases[level][signum].handler)) == SIGCFFI_PYTHON);
    taken_of[signum] = (signed char)level;
    return level;
}
