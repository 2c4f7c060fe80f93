/* A reader of the main channel, as the one in Python: for records.c, resume.c and those of
 * pokes.h.
 */
#ifndef SIGCFFI_TEST_READING_H
#define SIGCFFI_TEST_READING_H

#include "harness.h"

extern uint64_t tail; /* the number of the next record */

static inline _Atomic uint64_t *word(int index)
{
    return (_Atomic uint64_t *)sigcffi_channel_memory() + index;
}

/* What the interpreter and sigcffi do for a signal with a Python handler. */
void dispatch(int signum);

/* Whether there was a record. */
bool read_record(struct sigcffi_record *record);

/* Waits for it. */
struct sigcffi_record next_record(void);

/* Those that are still being written among them. */
uint64_t waiting_records(void);

/* The signals because of which threads may have to be told that there is room. */
uint64_t backpressure(void);

/* Set the second, and the first thread stays in the handler that writes its next record: then the
 * third is set, until the fourth is. */
extern pthread_t slow_writer;

/* Called once, before the next change of a mask; throttled.c. */
extern void (*_Atomic before_change)(void);
extern atomic_bool writer_is_slow, writing, go_on;

/* In a forked child: the ring is empty, and as large as ever. Ends the process. */
_Noreturn void check_ring_of_child(void);

#endif
