/* Attaching: which actions signals have, and the far ends of those that have one: flags, receivers.
 *
 * Law: ordinary calls, made outside handlers. What a handler may see of a slot or a receiver is
 * filled in before a signal's order names it, and taken apart when every handler that may have seen
 * it has left.
 */
#include "owing.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/stat.h>

#if SIGCFFI_HAS_EVENTFD
#include <sys/eventfd.h>
#endif
#if SIGCFFI_HAS_FUTEX
#include <linux/futex.h>
#endif

/* Under the lock */
static bool cell_taken[SIGCFFI_CELLS];

/* Take the lock, with every signal blocked: a foreign handler that came in between could fork, and
 * the child, which takes its parent's receivers apart, would find an order that is just changing.
 */
static sigset_t begin_change(void)
{
    sigset_t all, former;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &former);
    sigcffi_take_lock();
    return former;
}

static void end_change(const sigset_t *former)
{
    sigcffi_release_lock();
    pthread_sigmask(SIG_SETMASK, former, NULL);
}

/* ---- Orders ---- */

/* For a handler in another thread to go on. Asleep after a while: sched_yield() does not let a
 * thread of lower priority run. */
static void wait_a_little(int tries)
{
    const struct timespec instant = {.tv_nsec = 50000};
    if (tries < 64)
        sched_yield();
    else
        nanosleep(&instant, NULL);
}

/* Lock held. */
static void wait_until_left(unsigned phase)
{
    /* acquire: pairs with the release in leave() */
    for (int tries = 0; atomic_load(&state.inside[phase]) != 0; tries++) wait_a_little(tries);
}

/* Lock held. Wait until every handler has left that may have seen an order as it was before this
 * call.
 *
 * Such a handler was in one of the two counts when the order changed, and each count is seen to be
 * 0 after that: so it has left, whichever it was in, and if it had read the phase long before it
 * entered. There are two because one might never be 0 under a flood: new handlers enter the one
 * while the other runs empty. */
static void wait_for_handlers(void)
{
    unsigned phase = atomic_load(&state.phase) & 1;
    wait_until_left(!phase);
    atomic_store(&state.phase, !phase);
    wait_until_left(phase);
}

/* Lock held. The order of a signal has changed: what follows from that. */
static void publish(int signum, uint64_t order)
{
    uint64_t bit = sigcffi_bit(signum);
    bool counts_unseen = false;
    for (uint64_t rest = order; rest != 0; rest >>= 4)
        if (state.slots[signum][(rest & 15) - 1].kind == SIGCFFI_SLOT_FORCE_QUIT)
            counts_unseen = true;
    if (counts_unseen)
        atomic_fetch_or(&state.watched, bit);
    else
        atomic_fetch_and(&state.watched, ~bit);
    if (order != 0)
        atomic_fetch_or(&channel.slotted, bit);
    else
        atomic_fetch_and(&channel.slotted, ~bit);
    /* Sequentially consistent, the default: see enter(). */
    atomic_store(&state.order[signum], order);
}

/* The order without one of its slots. */
static uint64_t without(uint64_t order, int index)
{
    uint64_t rest = 0;
    for (int place = 0; order != 0; order >>= 4)
        if ((int)(order & 15) - 1 != index) {
            rest |= (order & 15) << place;
            place += 4;
        }
    return rest;
}

/* Lock held. A slot of a signal that no handler can see; -ENOSPC if there is none left. */
static int free_slot(int signum)
{
    for (int index = 0; index < SIGCFFI_SLOTS; index++)
        if (state.slots[signum][index].kind == SIGCFFI_SLOT_EMPTY) return index;
    return -ENOSPC;
}

/* Lock held. */
static void detach(int signum, int index)
{
    struct slot *slot = &state.slots[signum][index];
    publish(signum, without(atomic_load(&state.order[signum]), index));
    wait_for_handlers();
    if (slot->fd >= 0) close(slot->fd);
    slot->kind = SIGCFFI_SLOT_EMPTY;
    sigcffi_withdraw_unneeded(signum);
}

/* A handle is an index below how many handles there have been before: what was detached, or closed,
 * is known as such. Lock held. */
static int64_t new_handle(int index)
{
    static int64_t handles;
    return ++handles << 8 | index;
}

/* Lock held. Attach what `what` says behind what is attached; its handle, or a negative errno. */
static int64_t attach(int signum, const struct slot *what)
{
    int index = free_slot(signum);
    if (index < 0) return index;
    struct slot *slot = &state.slots[signum][index];
    slot->kind = what->kind;
    slot->number = what->number;
    slot->fd = what->fd;
    slot->cell = what->cell;
    slot->from = what->from;
    slot->is_socket = what->is_socket;
    atomic_store(&slot->echoes, false);
    slot->handle = new_handle(index);
    atomic_store(&slot->count, 0);
    atomic_store(&slot->missed, 0);
    uint64_t order = atomic_load(&state.order[signum]), last = (uint64_t)index + 1;
    for (uint64_t rest = order; rest != 0; rest >>= 4) last <<= 4;
    /* First the action, then what makes it run: there is no moment at which a signal meets
     * neither its former disposition nor this. */
    publish(signum, order | last);
    int result = sigcffi_interpose_locked(signum);
    if (result == 0) return slot->handle;
    slot->fd = -1; /* still the caller's */
    detach(signum, index);
    return result;
}

/* What write needs: a descriptor of its own, whose number cannot come to mean another file, and one
 * that does not block. */
static int prepare_write(struct slot *slot, int fd)
{
    struct stat status;
    int flags = fcntl(fd, F_GETFL);
    if (flags < 0 || fstat(fd, &status) != 0) return -errno;
    slot->is_socket = S_ISSOCK(status.st_mode);
    if (!slot->is_socket && !(flags & O_NONBLOCK)) return -EWOULDBLOCK;
    slot->fd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
    return slot->fd >= 0 ? 0 : -errno;
}

/* What forward needs: for a process, a hold on it, so that its number cannot come to mean another.
 */
static int prepare_forward(struct slot *slot, int pid)
{
    slot->number = pid;
    if (kill(pid, 0) != 0) return -errno;
#if SIGCFFI_HAS_PIDFD
    if (pid > 0) {
        slot->fd = (int)syscall(SYS_pidfd_open, pid, 0);
        if (slot->fd < 0 && errno != ENOSYS) return -errno;
    }
#endif
    return 0;
}

/* Attach an action to a signal, behind those that it has; its handle, or a negative errno, and
 * nothing is attached: -ENOSPC if the signal has as many as it can.
 *
 * `number` is the descriptor of write (-EWOULDBLOCK if it blocks), the process or group of forward
 * and the status of exit, `cell` the flag that is set, or that exit and default wait for (-1: for
 * none), `from` the delivery from which on exit, default and force_quit do something. */
int64_t sigcffi_attach(int signum, int kind, int number, int cell, int from)
{
    if (!sigcffi_is_signal(signum) || kind <= SIGCFFI_SLOT_EMPTY || kind >= SIGCFFI_SLOT_RECEIVER)
        return -EINVAL;
    struct slot what = {.kind = kind, .number = number, .fd = -1, .cell = cell, .from = from};
    int64_t result = 0;
    if (kind == SIGCFFI_SLOT_WRITE) result = prepare_write(&what, number);
    if (kind == SIGCFFI_SLOT_FORWARD) result = prepare_forward(&what, number);
    if (result < 0) return result;
    sigset_t former = begin_change();
    result = attach(signum, &what);
    end_change(&former);
    if (result < 0 && what.fd >= 0) close(what.fd);
    return result;
}

/* Lock held. The slot with this handle, or null. */
static struct slot *slot_of(int signum, int64_t handle)
{
    int index = (int)(handle & 0xff);
    if (!sigcffi_is_signal(signum) || handle < 0 || index >= SIGCFFI_SLOTS) return NULL;
    struct slot *slot = &state.slots[signum][index];
    return slot->kind != SIGCFFI_SLOT_EMPTY && slot->handle == handle ? slot : NULL;
}

/* Lock held. */
static sigcffi_tally tally(const struct slot *slot)
{
    if (slot == NULL) return (sigcffi_tally){-1, -1};
    return (sigcffi_tally){(int64_t)atomic_load(&slot->count), (int64_t)atomic_load(&slot->missed)};
}

/* Detach it: when this returns it is not taken any more, on any thread. Where nothing else needs
 * the trampoline, what was there before is back. What it has come to, unless it was detached
 * before. */
sigcffi_tally sigcffi_detach(int signum, int64_t handle)
{
    sigset_t former = begin_change();
    struct slot *slot = slot_of(signum, handle);
    if (slot != NULL) detach(signum, (int)(slot - state.slots[signum]));
    sigcffi_tally result = tally(slot);
    end_change(&former);
    sigcffi_something_happened(); /* for those that wait for a flag */
    return result;
}

/* What it has come to so far. */
sigcffi_tally sigcffi_tally_of(int signum, int64_t handle)
{
    sigcffi_take_lock();
    sigcffi_tally result = tally(slot_of(signum, handle));
    sigcffi_release_lock();
    return result;
}

/* Python has seen the signals in `set`. */
void sigcffi_seen(uint64_t set)
{
    sigcffi_take_lock();
    for (set &= atomic_load(&state.watched); set != 0; set &= set - 1) {
        int signum = __builtin_ctzll(set) + 1;
        for (int index = 0; index < SIGCFFI_SLOTS; index++)
            if (state.slots[signum][index].kind == SIGCFFI_SLOT_FORCE_QUIT)
                atomic_store(&state.slots[signum][index].count, 0);
    }
    sigcffi_release_lock();
}

/* ---- Flags ---- */

/* A cell for a flag, not set; -ENOSPC if there is none left. */
int sigcffi_new_cell(void)
{
    int result = -ENOSPC;
    sigcffi_take_lock();
    for (int cell = 0; cell < SIGCFFI_CELLS && result < 0; cell++)
        if (!cell_taken[cell]) {
            cell_taken[cell] = true;
            atomic_store(&state.cells[cell], 0);
            result = cell;
        }
    sigcffi_release_lock();
    return result;
}

/* Nobody looks at it any more, and no slot names it. */
void sigcffi_free_cell(int cell)
{
    sigcffi_take_lock();
    cell_taken[cell] = false;
    sigcffi_release_lock();
}

/* Where it is, for whoever wants to look at it: 0, or 1 once the signal has come. */
int *sigcffi_cell(int cell)
{
    return (int *)&state.cells[cell];
}

/* ---- Receivers ---- */

/* The receiver with this handle, or null. */
static struct receiver *receiver_of(int64_t handle)
{
    int number = (int)(handle & 0xff);
    if (handle <= 0 || number >= SIGCFFI_RECEIVERS) return NULL;
    struct receiver *receiver = &state.receivers[number];
    return atomic_load(&receiver->handle) == handle ? receiver : NULL;
}

/* The two ends of what tells that there is something to read: no child inherits it across exec, and
 * neither end blocks. */
static int open_descriptors(struct receiver *receiver)
{
#if SIGCFFI_HAS_EVENTFD
    receiver->fd = receiver->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    return receiver->fd >= 0 ? 0 : -errno;
#else
    int ends[2];
    if (pipe(ends) != 0) return -errno;
    for (int end = 0; end < 2; end++) {
        fcntl(ends[end], F_SETFD, FD_CLOEXEC);
        fcntl(ends[end], F_SETFL, O_NONBLOCK);
    }
    receiver->fd = ends[0];
    receiver->wake_fd = ends[1];
    return 0;
#endif
}

/* Lock held. */
static void detach_receiver(int number)
{
    for (uint64_t set = atomic_load(&state.receivers[number].set); set != 0; set &= set - 1) {
        int signum = __builtin_ctzll(set) + 1;
        for (int index = 0; index < SIGCFFI_SLOTS; index++) {
            const struct slot *slot = &state.slots[signum][index];
            if (slot->kind == SIGCFFI_SLOT_RECEIVER && slot->number == number)
                detach(signum, index);
        }
    }
}

/* Lock held. */
static int64_t attach_receiver(int number)
{
    struct slot what = {
        .kind = SIGCFFI_SLOT_RECEIVER, .number = number, .fd = -1, .cell = -1, .from = 0};
    int64_t result = 0;
    for (uint64_t set = atomic_load(&state.receivers[number].set); set != 0 && result >= 0;
         set &= set - 1)
        result = attach(__builtin_ctzll(set) + 1, &what);
    if (result < 0) detach_receiver(number);
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
    close(receiver->fd);
    if (receiver->wake_fd != receiver->fd) close(receiver->wake_fd);
}

/* Lock held. */
static int64_t open_receiver(void *records, uint64_t capacity, uint64_t set, bool drops)
{
    int number = free_receiver();
    if (number < 0) return number;
    struct receiver *receiver = &state.receivers[number];
    int64_t result = open_descriptors(receiver);
    if (result < 0) return result;
    atomic_store(&receiver->records, records);
    atomic_store(&receiver->capacity, capacity);
    atomic_store(&receiver->set, set);
    receiver->drops = drops;
    /* The numbers go on: who is late with giving back to a former one changes nothing here. */
    atomic_store(&receiver->ring.tail, atomic_load(&receiver->ring.head));
    atomic_store(&receiver->raised, false);
    receiver->published = atomic_load(&receiver->ring.tail);
    atomic_store(&receiver->dropped, 0);
    atomic_store(&receiver->pressure, 0);
    atomic_store(&receiver->handle, new_handle(number));
    result = attach_receiver(number);
    if (result < 0) close_receiver(receiver);
    return result < 0 ? result : atomic_load(&receiver->handle);
}

/* Put what the signals in `set` carry into `records` from now on: room for `capacity` of them (a
 * power of two), all zero, which stays until the receiver is stopped. A handle, or a negative
 * errno: -ENOSPC if there are too many, in all or for one of the signals. */
int64_t sigcffi_open_receiver(void *records, uint64_t capacity, uint64_t set, bool drops)
{
    sigset_t former = begin_change();
    int64_t result = open_receiver(records, capacity, set, drops);
    end_change(&former);
    /* One for which some slot was lacking may have held back others of its signals already. */
    for (int number = 0; number < SIGCFFI_RECEIVERS && result < 0; number++)
        if (atomic_load(&state.receivers[number].handle) == 0) sigcffi_release(number);
    return result;
}

/* Nothing comes to it from now on; its descriptor stays, and what is in the ring. -EBADF if it was
 * closed. */
int sigcffi_stop_receiver(int64_t handle)
{
    sigset_t former = begin_change();
    struct receiver *receiver = receiver_of(handle);
    if (receiver != NULL) detach_receiver((int)(handle & 0xff));
    end_change(&former);
    if (receiver == NULL) return -EBADF;
    sigcffi_release((int)(handle & 0xff));
    return 0;
}

/* After sigcffi_stop_receiver: close the descriptor. */
void sigcffi_close_receiver(int64_t handle)
{
    sigcffi_take_lock();
    struct receiver *receiver = receiver_of(handle);
    if (receiver != NULL) {
        /* For those that wait for a copy of it. */
        atomic_store(&receiver->raised, false);
        sigcffi_raise_descriptor(receiver);
        close_receiver(receiver);
    }
    sigcffi_release_lock();
    sigcffi_something_happened(); /* for those that wait for it */
}

/* Nothing comes to any: the program ends, and with it the memory. */
void sigcffi_stop_receivers(void)
{
    for (int number = 0; number < SIGCFFI_RECEIVERS; number++) {
        int64_t handle = atomic_load(&state.receivers[number].handle);
        if (handle != 0) sigcffi_stop_receiver(handle);
    }
}

/* The descriptor that can be read while there are records, or a `copy` of it, which is the caller's
 * to close; -EBADF if the receiver was closed. Who asks is going to wait: somebody may have
 * installed a handler that takes the signals away. */
int sigcffi_receiver_fd(int64_t handle, bool copy)
{
    int fd = -EBADF;
    sigcffi_take_lock(); /* so that nobody closes it meanwhile, and its number means another file */
    const struct receiver *receiver = receiver_of(handle);
    if (receiver != NULL) {
        /* Not those of one that was stopped and is about to be closed. */
        uint64_t set = atomic_load(&receiver->set) & atomic_load(&channel.slotted);
        for (; set != 0; set &= set - 1) sigcffi_interpose_locked(__builtin_ctzll(set) + 1);
        fd = copy ? fcntl(receiver->fd, F_DUPFD_CLOEXEC, 3) : receiver->fd;
        if (fd < 0) fd = -errno;
    }
    sigcffi_release_lock();
    return fd;
}

/* Head and tail of its ring, two 64-bit words; they stay where they are. */
uint64_t *sigcffi_receiver_ring(int64_t handle)
{
    return (uint64_t *)&state.receivers[handle & 0xff].ring;
}

/* How many records can be read, from the tail on. -EBADF if it was closed. */
int64_t sigcffi_received(int64_t handle)
{
    int64_t count = -EBADF;
    /* So that nobody closes it meanwhile: its memory may go then. */
    sigcffi_take_lock();
    struct receiver *receiver = receiver_of(handle);
    if (receiver != NULL) {
        const struct sigcffi_record *records = atomic_load(&receiver->records);
        uint64_t mask = atomic_load(&receiver->capacity) - 1, next = receiver->published;
        /* acquire: pairs with the release in sigcffi_push() */
        while (atomic_load_explicit(&records[next & mask].sequence, memory_order_acquire) ==
               next + 1)
            next++;
        /* Not counted again: or reading one by one what has piled up would take its square. */
        receiver->published = next;
        count = (int64_t)(next - atomic_load(&receiver->ring.tail));
    }
    sigcffi_release_lock();
    return count;
}

/* All has been read: so says the descriptor, unless something has come meanwhile. */
static void lower_descriptor(int64_t handle)
{
    sigcffi_take_lock(); /* so that nobody closes it meanwhile, and its number means another file */
    struct receiver *receiver = receiver_of(handle);
    if (receiver != NULL) {
        /* Who adds a record reserves its place first and raises the descriptor then, unless it is
         * raised; here it is lowered first, and then looked for records. One of the two sees the
         * other, since both store to `raised`, and who finds the other's store there sees what came
         * before it. Nor is anybody still about to raise it for a record that has been read:
         * before that is done no record can be read. */
        char bytes[64];
        ssize_t got = read(receiver->fd, bytes, sizeof bytes);
        (void)got;
        atomic_exchange(&receiver->raised, false);
        if (atomic_load(&receiver->ring.head) != atomic_load(&receiver->ring.tail))
            sigcffi_raise_descriptor(receiver);
    }
    sigcffi_release_lock();
}

/* `count` records from the one with the number `first` on have been read. False if somebody else
 * has read them meanwhile, or the receiver was closed: then they are not the caller's. */
bool sigcffi_give_back(int64_t handle, uint64_t first, uint64_t count)
{
    struct receiver *receiver = receiver_of(handle);
    if (receiver == NULL ||
        !atomic_compare_exchange_strong(&receiver->ring.tail, &first, first + count))
        return false;
    uint64_t left = atomic_load(&receiver->ring.head) - (first + count);
    if (left == 0) lower_descriptor(handle);
    if (left <= atomic_load(&receiver->capacity) / 2) sigcffi_release((int)(handle & 0xff));
    if (atomic_load(&state.watched) & atomic_load(&receiver->set))
        sigcffi_seen(atomic_load(&receiver->set));
    return true;
}

/* How many deliveries it could not hold. */
uint64_t sigcffi_receiver_dropped(int64_t handle)
{
    const struct receiver *receiver = receiver_of(handle);
    return receiver != NULL ? atomic_load(&receiver->dropped) : 0;
}

/* The signals that it holds back now. */
uint64_t sigcffi_holds_back(int64_t handle)
{
    const struct receiver *receiver = receiver_of(handle);
    return receiver != NULL ? atomic_load(&receiver->pressure) : 0;
}

/* ---- Sleeping ---- */

/* Sleep until `state.events` is not `event` any more, for at most so many nanoseconds (for ever if
 * negative): -ETIMEDOUT if the time is over, else -EINTR, and the caller looks again. Not at all if
 * a handler has run in this thread since sigcffi_arrivals() returned `arrivals`: Python may have
 * to run one of its own. */
static int nap(uint32_t event, unsigned arrivals, int64_t nanoseconds)
{
    if (sigcffi_arrivals() != arrivals) return -EINTR;
    struct timespec time = {.tv_sec = (time_t)(nanoseconds / 1000000000),
                            .tv_nsec = (long)(nanoseconds % 1000000000)};
    bool over;
#if SIGCFFI_HAS_FUTEX
    over = syscall(SYS_futex, &state.events, FUTEX_WAIT_PRIVATE, event,
                   nanoseconds < 0 ? NULL : &time, NULL, 0) != 0 &&
           errno == ETIMEDOUT;
#else
    (void)event;
    const int64_t while_nobody_can_tell = 1000000;
    over = nanoseconds >= 0 && nanoseconds <= while_nobody_can_tell;
    if (!over) time = (struct timespec){.tv_nsec = (long)while_nobody_can_tell};
    nanosleep(&time, NULL);
#endif
    return over ? -ETIMEDOUT : -EINTR;
}

/* Lock held. Whether a flag is set, or was detached. */
static bool is_over(int signum, int64_t flag)
{
    const struct slot *slot = slot_of(signum, flag);
    return slot == NULL || atomic_load(&state.cells[slot->cell]) != 0;
}

/* Until a flag is set, or was detached: 1, or what nap() says. */
int sigcffi_sleep_until_set(int signum, int64_t flag, unsigned arrivals, int64_t nanoseconds)
{
    /* Sequentially consistent: see sigcffi_something_happened(). */
    atomic_fetch_add(&state.sleepers, 1);
    uint32_t event = atomic_load(&state.events);
    sigcffi_take_lock();
    bool over = is_over(signum, flag);
    sigcffi_release_lock();
    int result = over ? 1 : nap(event, arrivals, nanoseconds);
    atomic_fetch_sub(&state.sleepers, 1);
    return result;
}

/* Until there are records, or the receiver was closed: 1, or what nap() says. */
int sigcffi_sleep_until_received(int64_t handle, unsigned arrivals, int64_t nanoseconds)
{
    atomic_fetch_add(&state.sleepers, 1);
    uint32_t event = atomic_load(&state.events);
    int result = sigcffi_received(handle) != 0 ? 1 : nap(event, arrivals, nanoseconds);
    atomic_fetch_sub(&state.sleepers, 1);
    return result;
}

/* ---- The process ---- */

/* Lock held, every signal blocked, in a forked child: no handler is running, nothing has been
 * delivered to it, and its parent's receivers are not its own. */
void sigcffi_slots_after_fork(void)
{
    atomic_store(&state.inside[0], 0);
    atomic_store(&state.inside[1], 0);
    atomic_store(&state.sleepers, 0);
    for (int number = 0; number < SIGCFFI_RECEIVERS; number++)
        if (atomic_load(&state.receivers[number].handle) != 0) {
            detach_receiver(number);
            close_receiver(&state.receivers[number]);
        }
    for (int cell = 0; cell < SIGCFFI_CELLS; cell++) atomic_store(&state.cells[cell], 0);
    for (int signum = 1; signum < NSIG; signum++)
        for (int index = 0; index < SIGCFFI_SLOTS; index++) {
            atomic_store(&state.slots[signum][index].count, 0);
            atomic_store(&state.slots[signum][index].missed, 0);
            atomic_store(&state.slots[signum][index].echoes, false);
        }
}
