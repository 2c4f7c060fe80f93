/* Sets of signals, as one word and as the C library has them; and what else is asked of a signal's
 * number, and of its handler.
 *
 * Law: bit (signum - 1) stands for signum. Small functions of their arguments alone.
 */
#ifndef SIGCFFI_SETS_H
#define SIGCFFI_SETS_H

#include "platform.h"

#include <string.h>

/* handler context */
static inline uint64_t sigcffi_bit(int signum)
{
    return UINT64_C(1) << (signum - 1);
}

/* handler context */
static inline uint64_t sigcffi_word_of(const sigset_t *set)
{
    uint64_t word = 0;
#if SIGCFFI_SIGSET_IS_WORD
    memcpy(&word, set, sizeof word);
#else
    for (int signum = 1; signum < NSIG; signum++)
        if (sigismember(set, signum) == 1) word |= sigcffi_bit(signum);
#endif
    return word;
}

/* handler context. Change a mask that may be no larger than the kernel's: that of an interrupted
 * context, with other things behind it. */
static inline void sigcffi_mask_set(sigset_t *set, uint64_t word)
{
#if SIGCFFI_SIGSET_IS_WORD
    memcpy(set, &word, sizeof word);
#else
    sigemptyset(set);
    for (int signum = 1; signum < NSIG; signum++)
        if (word & sigcffi_bit(signum)) sigaddset(set, signum);
#endif
}

/* handler context */
static inline sigset_t sigcffi_set_of(uint64_t word)
{
    sigset_t set;
    sigemptyset(&set);
    sigcffi_mask_set(&set, word);
    return set;
}

/* handler context, or outside handlers */
static inline bool sigcffi_is_signal(int signum)
{
    return signum >= 1 && signum < NSIG;
}

/* handler context, or outside handlers */
static inline bool sigcffi_is_function(uintptr_t handler)
{
    return handler != (uintptr_t)SIG_DFL && handler != (uintptr_t)SIG_IGN;
}

/* handler context, or outside handlers */
static inline uintptr_t sigcffi_handler_of(const struct sigaction *action)
{
    /* sa_handler and sa_sigaction share their storage on every platform that has both. */
    return (uintptr_t)action->sa_handler;
}

#endif
