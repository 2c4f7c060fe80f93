/* A reader of a receiver, as the one in Python: for receivers.c, backpressure.c and throttled.c. */
#ifndef SIGCFFI_TEST_RECEIVING_H
#define SIGCFFI_TEST_RECEIVING_H

#include "harness.h"
#include "ring.h"

struct reader {
    int64_t handle; /* or a negative errno */
    uint64_t capacity;
    struct sigcffi_record *records;
    _Atomic uint64_t *ring; /* head and tail */
};

typedef void record_function(const struct sigcffi_record *record, void *argument);

struct reader open_reader(uint64_t capacity, uint64_t set, bool drops);

/* What there is, `most` at most, shown to `see` unless that is null; how many. One thread at a
 * time. */
long long read_some(struct reader *reader, long long most, record_function *see, void *argument);

/* All that there is, unseen. */
void read_everything(struct reader *reader);

/* Send to this thread until the receiver holds that back; how many were sent. */
int fill(const struct reader *reader, int signum);

/* Nothing comes to it any more. */
void stop_reader(struct reader *reader);

/* It may have been stopped. */
void close_reader(struct reader *reader);

bool is_readable(const struct reader *reader);

#endif
