/* Pokes, from outside: for pokes.c, urgent.c and waking.c. */
#ifndef SIGCFFI_TEST_POKING_H
#define SIGCFFI_TEST_POKING_H

#include "reading.h"

static inline uint64_t urgent(void)
{
    return sigcffi_bit(SIGURG);
}

/* A signal that the first taker takes, and is through with. On QUEUED_TOO stands the trampoline. */
void taken_by_another_thread(int signum);

/* One of two takers takes QUEUED: that is one call, on the spot or on the main thread. */
void next_is_called(bool on_the_spot);

#endif
