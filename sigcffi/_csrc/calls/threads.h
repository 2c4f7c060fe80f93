/* Threads: what is kept for each thread, and no handler reads; and those of our own. */
#ifndef SIGCFFI_THREADS_H
#define SIGCFFI_THREADS_H

#include "calls.h"

/* How many critical sections every signal is in, how many are for all signals, and how many there
 * are. */
struct sections {
    int of[NSIG];
    int of_all;
    int all;
};

/* The blocks of one signal: how many, and which of them have blocked it, for the others found it
 * blocked; the innermost in the lowest bit. Of those behind as many as there are bits only the
 * number is kept: they count as the others. */
struct blocks {
    uint64_t changed;
    unsigned depth;
};

struct thread {
    struct sections sections; /* that it is in */
    struct blocks blocks[NSIG];
    unsigned depth; /* how many blocks it is in */
};

/* Outside handlers. That of the calling thread; null where there is no memory for it. */
struct thread *sigcffi_threads_current(void);

/* Start a thread that takes no signals and never runs Python; a negative errno. Not by the
 * interpreter: others make something else of its threads. */
int sigcffi_threads_start(void *function(void *), void *argument);

#endif
