/* Receivers: rings that threads and event loops read, each with a descriptor that tells when.
 *
 * Law: ordinary calls, made outside handlers. A receiver is an action of its signals, attached and
 * detached as any other: handlers see it from when it is filled in until it is taken apart.
 */
#include "calls.h"

/* The receiver with this handle, or null. */
static struct receiver *receiver_of(int64_t handle)
{
    int number = (int)(handle & 0xff);
    if (handle <= 0 || number >= SIGCFFI_RECEIVERS) return NULL;
    struct receiver *receiver = &state.receivers[number];
    return atomic_load(&receiver->handle) == handle ? receiver : NULL;
}

/* Lock held. Nothing of these signals comes to a receiver any more, nor does it hold them back. */
static void detach_receiver(int number, uint64_t set)
{
    const uint64_t kept = atomic_load(&state.receivers[number].set) & ~set;
    for (; set != 0; set &= set - 1) {
        int signum = __builtin_ctzll(set) + 1;
        for (int index = 0; index < SIGCFFI_SLOTS; index++) {
            const struct slot *slot = &state.attachments.slots[signum][index];
            if (slot->kind == SIGCFFI_SLOT_RECEIVER && slot->number == number)
                sigcffi_attachments_detach_locked(signum, index);
        }
    }
    atomic_store(&state.receivers[number].set, kept);
}

/* Lock held. Attach a receiver to each of these signals, which it does not have, or to none; a
 * negative errno then. */
static int64_t attach_receiver(int number, uint64_t set)
{
    struct receiver *receiver = &state.receivers[number];
    struct slot what = {.kind = SIGCFFI_SLOT_RECEIVER,
                        .number = number,
                        .fd = -1,
                        .cell = -1,
                        .inherited = receiver->inherited};
    int64_t result = 0;
    atomic_fetch_or(&receiver->set, set);
    for (uint64_t rest = set; rest != 0 && result >= 0; rest &= rest - 1)
        result = sigcffi_attachments_attach_locked(__builtin_ctzll(rest) + 1, &what);
    if (result < 0) detach_receiver(number, set);
    return result;
}

/* Lock held. A receiver that is closed, or -ENOSPC. */
static int free_receiver(void)
{
    for (int number = 0; number < SIGCFFI_RECEIVERS; number++)
        if (atomic_load(&state.receivers[number].handle) == 0) return number;
    return -ENOSPC;
}

/* Lock held. */
static void close_receiver(struct receiver *receiver)
{
    atomic_store(&receiver->handle, 0);
    sigcffi_readiness_close(receiver);
}

/* Lock held. */
static void empty(struct receiver *receiver)
{
    /* The numbers go on: a reader of a former receiver that is late with giving back changes
     * nothing here. */
    atomic_store(&receiver->ring.tail, atomic_load(&receiver->ring.head));
    atomic_store(&receiver->raised, false);
    receiver->counted = atomic_load(&receiver->ring.tail);
    atomic_store(&receiver->dropped, 0);
    atomic_store(&receiver->backpressure, 0);
}

/* Lock held. */
static int64_t open_receiver(void *records, uint64_t capacity, uint64_t set, bool drops,
                             bool inherited)
{
    int number = free_receiver();
    if (number < 0) return number;
    struct receiver *receiver = &state.receivers[number];
    int64_t result = sigcffi_readiness_open(receiver);
    if (result < 0) return result;
    atomic_store(&receiver->records, records);
    atomic_store(&receiver->capacity, capacity);
    receiver->drops = drops;
    receiver->inherited = inherited;
    empty(receiver);
    atomic_store(&receiver->handle, sigcffi_attachments_new_handle(number));
    result = attach_receiver(number, set);
    if (result < 0) close_receiver(receiver);
    return result < 0 ? result : atomic_load(&receiver->handle);
}

/* Put what the signals in `set` carry into `records` from now on: room for `capacity` of them (a
 * power of two), all zero, which stays until the receiver is stopped. A forked child has one, too,
 * if it is `inherited`. A handle, or a negative errno: -ENOSPC if there are too many, in all or for
 * one of the signals. */
int64_t sigcffi_receivers_open(void *records, uint64_t capacity, uint64_t set, bool drops,
                               bool inherited)
{
    sigset_t former = sigcffi_lock_acquire_masked();
    int64_t result = open_receiver(records, capacity, set, drops, inherited);
    sigcffi_lock_release_masked(&former);
    /* A receiver for which some slot was lacking may have held back other signals of its set
     * already. */
    for (int number = 0; number < SIGCFFI_RECEIVERS && result < 0; number++)
        if (atomic_load(&state.receivers[number].handle) == 0) sigcffi_resume_threads(number);
    return result;
}

/* Receive the signals in `set` from now on, and no others. A negative errno, and nothing has
 * changed: -ENOSPC if one of them has too many actions, -EBADF if the receiver was closed. */
int64_t sigcffi_receivers_change(int64_t handle, uint64_t set)
{
    int number = (int)(handle & 0xff);
    int64_t result = -EBADF;
    sigset_t former = sigcffi_lock_acquire_masked();
    struct receiver *receiver = receiver_of(handle);
    if (receiver != NULL) {
        uint64_t had = atomic_load(&receiver->set);
        result = attach_receiver(number, set & ~had);
        if (result >= 0) detach_receiver(number, had & ~set);
    }
    sigcffi_lock_release_masked(&former);
    if (receiver != NULL) sigcffi_resume_threads(number); /* what it does not hold back any more */
    return result < 0 ? result : 0;
}

/* Nothing comes to a receiver from now on; its descriptor stays, and what is in the ring. -EBADF if
 * it was closed. */
int sigcffi_receivers_stop(int64_t handle)
{
    sigset_t former = sigcffi_lock_acquire_masked();
    struct receiver *receiver = receiver_of(handle);
    if (receiver != NULL) detach_receiver((int)(handle & 0xff), atomic_load(&receiver->set));
    sigcffi_lock_release_masked(&former);
    if (receiver == NULL) return -EBADF;
    sigcffi_resume_threads((int)(handle & 0xff));
    return 0;
}

/* After sigcffi_receivers_stop: close the descriptor. */
void sigcffi_receivers_close(int64_t handle)
{
    sigcffi_lock_acquire();
    struct receiver *receiver = receiver_of(handle);
    if (receiver != NULL) {
        /* For threads that wait for a copy of the descriptor. */
        atomic_store(&receiver->raised, false);
        sigcffi_actions_raise_descriptor(receiver);
        close_receiver(receiver);
    }
    sigcffi_lock_release();
    sigcffi_eventcount_notify(); /* for threads that wait for the receiver */
}

/* Nothing comes to any receiver: the program ends, and with it the memory. */
void sigcffi_receivers_stop_all(void)
{
    for (int number = 0; number < SIGCFFI_RECEIVERS; number++) {
        int64_t handle = atomic_load(&state.receivers[number].handle);
        if (handle != 0) sigcffi_receivers_stop(handle);
    }
}

/* The descriptor that can be read while there are records, or a `copy` of it, which is the caller's
 * to close; -EBADF if the receiver was closed. The caller is going to wait: so the trampoline
 * is put on top again of handlers that somebody may have installed, which would take the signals
 * away. */
int sigcffi_receivers_fd(int64_t handle, bool copy)
{
    int fd = -EBADF;
    sigcffi_lock_acquire(); /* so that nobody closes it meanwhile, and its number means another file
                             */
    const struct receiver *receiver = receiver_of(handle);
    if (receiver != NULL) {
        /* Not those of one that was stopped and is about to be closed. */
        uint64_t set = atomic_load(&receiver->set) & atomic_load(&channel.slotted);
        for (; set != 0; set &= set - 1) sigcffi_interpose_locked(__builtin_ctzll(set) + 1);
        fd = copy ? sigcffi_preparing_copy(receiver->fd) : receiver->fd;
    }
    sigcffi_lock_release();
    return fd;
}

/* Head and tail of a receiver's ring, two 64-bit words; they stay where they are. */
uint64_t *sigcffi_receivers_ring(int64_t handle)
{
    return (uint64_t *)&state.receivers[handle & 0xff].ring;
}

/* How many records can be read, from the tail on. -EBADF if the receiver was closed. */
int64_t sigcffi_receivers_count(int64_t handle)
{
    int64_t count = -EBADF;
    /* So that nobody closes it meanwhile: its memory may go then. */
    sigcffi_lock_acquire();
    struct receiver *receiver = receiver_of(handle);
    if (receiver != NULL) {
        const struct sigcffi_record *records = atomic_load(&receiver->records);
        uint64_t mask = atomic_load(&receiver->capacity) - 1, next = receiver->counted;
        /* acquire: pairs with the release in sigcffi_ring_publish() */
        while (atomic_load_explicit(&records[next & mask].sequence, memory_order_acquire) ==
               next + 1)
            next++;
        /* Kept, so that none is counted twice: reading one by one what has piled up would take its
         * square. */
        receiver->counted = next;
        count = (int64_t)(next - atomic_load(&receiver->ring.tail));
    }
    sigcffi_lock_release();
    return count;
}

/* `count` records from the one with the number `first` on have been read. False if somebody else
 * has read them meanwhile, or the receiver was closed: then they are not the caller's. */
bool sigcffi_receivers_give_back(int64_t handle, uint64_t first, uint64_t count)
{
    struct receiver *receiver = receiver_of(handle);
    if (receiver == NULL ||
        !atomic_compare_exchange_strong(&receiver->ring.tail, &first, first + count))
        return false;
    uint64_t left = atomic_load(&receiver->ring.head) - (first + count);
    if (left == 0) {
        sigcffi_lock_acquire();
        if (receiver_of(handle) != NULL) sigcffi_readiness_lower(receiver);
        sigcffi_lock_release();
    }
    if (left <= atomic_load(&receiver->capacity) / 2) sigcffi_resume_threads((int)(handle & 0xff));
    if (atomic_load(&state.attachments.watched) & atomic_load(&receiver->set))
        sigcffi_attachments_seen(atomic_load(&receiver->set));
    return true;
}

/* How many deliveries a receiver could not hold. */
uint64_t sigcffi_receivers_dropped(int64_t handle)
{
    const struct receiver *receiver = receiver_of(handle);
    return receiver != NULL ? atomic_load(&receiver->dropped) : 0;
}

/* The signals that a receiver holds back now. */
uint64_t sigcffi_receivers_holds_back(int64_t handle)
{
    const struct receiver *receiver = receiver_of(handle);
    return receiver != NULL ? atomic_load(&receiver->backpressure) : 0;
}

/* Lock held, every signal blocked, in a forked child: its parent's receivers are not its own, but
 * for those that are inherited, and what has come to these is the parent's. */
void sigcffi_receivers_after_fork(void)
{
    for (int number = 0; number < SIGCFFI_RECEIVERS; number++) {
        struct receiver *receiver = &state.receivers[number];
        if (atomic_load(&receiver->handle) == 0) continue;
        if (receiver->inherited && sigcffi_readiness_renew(receiver)) {
            empty(receiver);
            continue;
        }
        detach_receiver(number, atomic_load(&receiver->set));
        close_receiver(receiver);
    }
}
