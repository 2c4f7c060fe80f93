/* Handlers of others that were put on top of the trampoline, and call what they have found there.
 */
#ifndef SIGCFFI_TEST_CHAINING_H
#define SIGCFFI_TEST_CHAINING_H

#include "foreign.h"
#include "reading.h"

extern struct sigaction found; /* what the handler has replaced */

/* It passes on one argument, as signal(2) has it. */
void pass_one(int signum);

/* It passes on what the other two arguments may be, by chance: nothing that can be read. */
void pass_garbage(int signum);

/* All of them, with the flags that they are installed with. */
enum { CHAINING = 5 };
extern const struct chaining {
    void (*handler)(int);
    int flags;
} chaining[CHAINING];

/* What was there is `found` then. */
void put_on_top(int signum, void (*handler)(int), int flags);

#endif
