/* Pokes and what is pending, from outside: for pokes.c, urgent.c, waking.c and pending.c. */
#ifndef SIGCFFI_TEST_POKES_H
#define SIGCFFI_TEST_POKES_H

#include "reading.h"

static inline uint64_t urgent(void)
{
    return sigcffi_bit(SIGURG);
}

static inline uint64_t pending(void)
{
    return atomic_load(word(SIGCFFI_WORD_PENDING));
}

/* A signal that the first taker takes, and is through with. On QUEUED_TOO stands the trampoline. */
void taken_by_another_thread(int signum);

/* One of two takers takes QUEUED: that is one call, on the spot or on the main thread. */
void next_is_called(bool on_the_spot);

#endif
