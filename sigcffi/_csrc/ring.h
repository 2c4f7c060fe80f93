/* The ring: what signals carried, on its way from C handlers to a reader in Python.
 *
 * Law: bounded, many producers (handlers on any thread), one reader; no lock, no system call but
 * the reading of a clock. The reader may look at this memory without calling C, so its layout is
 * an interface.
 *
 * A record, 80 bytes, native byte order:
 *
 *   offset  bytes
 *      0      8    sequence: the record's number in the ring plus one, stored last
 *      8      4    signo, and in the main channel whom it is for: SIGCFFI_FOR_ALL and what follows
 *     12      4    code
 *     16      4    error
 *     20      4    fields: which of the following mean something, the bits below
 *     24      4    pid
 *     28      4    uid, unsigned
 *     32      4    status
 *     36      4    fd
 *     40      4    timerid
 *     44      4    overrun
 *     48      4    value, as the int that it is for sigqueue(3)
 *     52      4    nothing
 *     56      8    addr, unsigned
 *     64      8    band
 *     72      8    time_ns, CLOCK_MONOTONIC
 *
 * Record number n lies at index n modulo the capacity. `head` is the number of records reserved
 * so far, `tail` of those read. A producer reserves (head), fills in, publishes (sequence); the
 * reader stops at the first record that is not published, reads, and gives it back (tail).
 */
#ifndef SIGCFFI_RING_H
#define SIGCFFI_RING_H

#include "sigcffi.h"

#include <stdatomic.h>

enum {
    SIGCFFI_FIELD_PID = 1,
    SIGCFFI_FIELD_UID = 2,
    SIGCFFI_FIELD_STATUS = 4,
    SIGCFFI_FIELD_BAND = 8,
    SIGCFFI_FIELD_VALUE = 16,
    SIGCFFI_FIELD_ADDR = 32,
    SIGCFFI_FIELD_FD = 64,
    SIGCFFI_FIELD_TIMERID = 128,
    SIGCFFI_FIELD_OVERRUN = 256,
    SIGCFFI_FIELD_NOTHING = 512, /* nothing but signo and time_ns means anything */
};

/* Whom a record is for, and in which state it came; above the number of its signal. */
enum {
    SIGCFFI_FOR_ALL,
    SIGCFFI_FOR_SUBSCRIBERS = 0x100, /* the interpreter's handler was not come to */
    SIGCFFI_FOR_HANDLER = 0x200,     /* it was, by a handler that has called it */
    SIGCFFI_IN_SECTION = 0x400,      /* in addition: it came within a critical section */
};

struct sigcffi_record {
    _Atomic uint64_t sequence;
    int32_t signo;
    int32_t code;
    int32_t error;
    uint32_t fields;
    int32_t pid;
    uint32_t uid;
    int32_t status;
    int32_t fd;
    int32_t timerid;
    int32_t overrun;
    int32_t value;
    int32_t nothing;
    uint64_t addr;
    int64_t band;
    int64_t time_ns;
};

_Static_assert(sizeof(struct sigcffi_record) == SIGCFFI_RECORD_SIZE, "see the table above");

struct sigcffi_ring {
    _Atomic uint64_t head;
    _Atomic uint64_t tail;
};

/* handler context. Which fields mean something for a signal with this code, sent by this process.
 */
uint32_t sigcffi_ring_fields_of(int signum, int code, int pid);

/* handler context. Fill in all but the sequence; `info` is null where nothing is known. */
void sigcffi_ring_describe(struct sigcffi_record *record, int signum, const siginfo_t *info);

/* handler context. Reserve the place of a record; how full the ring is then, or 0 if it was full
 * before. `capacity` is a power of two. The place is ours until it is published. */
uint64_t sigcffi_ring_reserve(struct sigcffi_ring *ring, uint64_t capacity, uint64_t *reserved);

/* handler context. Fill in the record with this number, and let it be read. */
void sigcffi_ring_publish(struct sigcffi_record *record, uint64_t number, int signum, int whom,
                          const siginfo_t *info);

/* handler context. Both: add a record; how full the ring is then, or 0 if it was full before.
 * `capacity` is a power of two. */
uint64_t sigcffi_ring_push(struct sigcffi_ring *ring, struct sigcffi_record *records,
                           uint64_t capacity, int signum, int whom, const siginfo_t *info);

#endif
