/* How a signal becomes a record. See ring.h for the layout and the protocol.
 *
 * Law: handler context, all of it. The numbers are those of the steps in tests/models/ring.pml.
 */
#include "ring.h"

/* handler context. Which members of the siginfo's union the kernel has filled in: it decides by
 * code and signal, in this order (siginfo_layout() in its kernel/signal.c). */
uint32_t sigcffi_ring_fields_of(int signum, int code, int pid)
{
    const uint32_t sender = SIGCFFI_FIELD_PID | SIGCFFI_FIELD_UID;
    const uint32_t descriptor = SIGCFFI_HAS_SI_FD ? SIGCFFI_FIELD_BAND | SIGCFFI_FIELD_FD : 0;
    const uint32_t timer =
        SIGCFFI_HAS_SI_TIMERID ? SIGCFFI_FIELD_TIMERID | SIGCFFI_FIELD_OVERRUN : 0;
    /* Process 0 sends nothing: the sender is in another namespace, or the kernel had no memory
     * left to note it. */
    if (code == SI_USER || code == SI_TKILL) return pid != 0 ? sender : 0;
    if (code == SI_TIMER) return timer | SIGCFFI_FIELD_VALUE;
    if (code == SI_SIGIO) return descriptor;
    if (code == SI_KERNEL) return 0;
    /* Where codes below zero are what programs send, the first of these is. */
    if (code == SI_QUEUE || (SI_QUEUE < 0 && code < 0)) return sender | SIGCFFI_FIELD_VALUE;
    switch (signum) {
    case SIGCHLD: return sender | SIGCFFI_FIELD_STATUS;
    case SIGSEGV:
    case SIGBUS:
    case SIGFPE:
    case SIGILL:
    case SIGTRAP:
    case SIGSYS: return SIGCFFI_FIELD_ADDR;
    /* fcntl(F_SETSIG) lets any signal report a descriptor. */
    default: return descriptor;
    }
}

/* handler context */
void sigcffi_ring_describe(struct sigcffi_record *record, int signum, const siginfo_t *info)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    record->signo = signum;
    record->time_ns = (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
    record->fields = SIGCFFI_FIELD_NOTHING;
    if (info == NULL) return;
    uint32_t fields = sigcffi_ring_fields_of(signum, info->si_code, info->si_pid);
    record->code = info->si_code;
    record->error = info->si_errno;
    record->fields = fields;
    if (fields & SIGCFFI_FIELD_PID) {
        record->pid = info->si_pid;
        record->uid = info->si_uid;
    }
    if (fields & SIGCFFI_FIELD_STATUS) record->status = info->si_status;
    if (fields & SIGCFFI_FIELD_VALUE) record->value = info->si_value.sival_int;
    if (fields & SIGCFFI_FIELD_ADDR) record->addr = (uintptr_t)info->si_addr;
    if (fields & SIGCFFI_FIELD_BAND) {
        record->band = info->si_band;
        record->fd = sigcffi_si_fd(info);
    }
    if (fields & SIGCFFI_FIELD_TIMERID) {
        record->timerid = sigcffi_si_timerid(info);
        record->overrun = sigcffi_si_overrun(info);
    }
}

/* handler context */
uint64_t sigcffi_ring_reserve(struct sigcffi_ring *ring, uint64_t capacity, uint64_t *reserved)
{
    uint64_t number = atomic_load_explicit(&ring->head, memory_order_relaxed) /* 1 */, tail;
    do {
        /* 2. acquire, with the reader's store of the tail. The reader and this producer share a
         * place: without it the producer's stores could be seen by a reader that is still reading
         * what was there before. The reader has done with a record when it stores the tail. */
        tail = atomic_load_explicit(&ring->tail, memory_order_acquire);
        /* 3. Signed: other producers may have been so quick that the number is behind the tail. */
        if ((int64_t)(number - tail) >= (int64_t)capacity) return 0;
        /* 4. relaxed: the number is this producer's alone from here on; the record is handed over
         * by its sequence. */
    } while (!atomic_compare_exchange_weak_explicit(&ring->head, &number, number + 1,
                                                    memory_order_relaxed, memory_order_relaxed));
    *reserved = number;
    return number + 1 - tail;
}

/* handler context */
void sigcffi_ring_publish(struct sigcffi_record *record, uint64_t number, int signum, int whom,
                          const siginfo_t *info)
{
    sigcffi_ring_describe(record, signum, info); /* 5 */
    record->signo |= whom;
    /* 6. release, with the reader's load of the sequence (7): a reader that finds the sequence
     * finds the record filled in. */
    atomic_store_explicit(&record->sequence, number + 1, memory_order_release);
}

/* handler context */
uint64_t sigcffi_ring_push(struct sigcffi_ring *ring, struct sigcffi_record *records,
                           uint64_t capacity, int signum, int whom, const siginfo_t *info)
{
    uint64_t number, level = sigcffi_ring_reserve(ring, capacity, &number);
    if (level != 0)
        sigcffi_ring_publish(&records[number & (capacity - 1)], number, signum, whom, info);
    return level;
}
