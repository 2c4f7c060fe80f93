/* A foreign handler: one that was there before the trampoline, and what it saw. */
#ifndef SIGCFFI_TEST_FOREIGN_H
#define SIGCFFI_TEST_FOREIGN_H

#include "harness.h"

extern _Atomic long long foreign_calls;
extern _Atomic int foreign_turn; /* what the sender did happens before what the handler does */
extern siginfo_t foreign_info;
extern pthread_t foreign_thread;
extern void *foreign_context;

/* It checks that it is given three arguments, notes them, and leaves another errno. */
void foreign_handler(int signum, siginfo_t *info, void *context);
void install_foreign(int signum, int flags);

/* For floods: no more than a count. */
void foreign_counter(int signum);

/* Whether the kernel has just this for a signal. */
bool is_action(int signum, const struct sigaction *expected);

#endif
