/* Attachments: which actions signals have.
 *
 * Law: ordinary calls, made outside handlers. What a handler may see of a slot is filled in before
 * a signal's order names it, and taken apart when every handler that may have seen it has left.
 */
#include "calls.h"

#include <fcntl.h>
#include <sys/stat.h>

/* ---- Orders ---- */

/* Lock held. Give a signal another order, and note what follows from that. */
static void set_order(int signum, uint64_t order)
{
    uint64_t bit = sigcffi_bit(signum);
    bool counts_unseen = false;
    for (uint64_t rest = order; rest != 0; rest >>= 4)
        if (state.attachments.slots[signum][(rest & 15) - 1].kind == SIGCFFI_SLOT_FORCE_QUIT)
            counts_unseen = true;
    if (counts_unseen)
        atomic_fetch_or(&state.attachments.watched, bit);
    else
        atomic_fetch_and(&state.attachments.watched, ~bit);
    sigcffi_interpose_for_slots(signum, order != 0);
    /* Sequentially consistent, the default: see epoch.h. */
    atomic_store(&state.attachments.order[signum], order);
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
        if (state.attachments.slots[signum][index].kind == SIGCFFI_SLOT_EMPTY) return index;
    return -ENOSPC;
}

/* Lock held. Detach a slot, and wait until no handler sees it. */
void sigcffi_attachments_detach_locked(int signum, int index)
{
    struct slot *slot = &state.attachments.slots[signum][index];
    set_order(signum, without(atomic_load(&state.attachments.order[signum]), index));
    sigcffi_epoch_synchronize();
    if (slot->fd >= 0) close(slot->fd);
    slot->kind = SIGCFFI_SLOT_EMPTY;
    sigcffi_interpose_withdraw_unneeded(signum);
}

/* Lock held. A new handle: an index in its lowest byte, and above that a number that no handle had
 * before. So the handle of what was detached, or closed, names nothing else later. */
int64_t sigcffi_attachments_new_handle(int index)
{
    static int64_t handles;
    return ++handles << 8 | index;
}

/* Lock held. Attach what `what` says behind what is attached; its handle, or a negative errno. */
int64_t sigcffi_attachments_attach_locked(int signum, const struct slot *what)
{
    int index = free_slot(signum);
    if (index < 0) return index;
    struct slot *slot = &state.attachments.slots[signum][index];
    slot->kind = what->kind;
    slot->number = what->number;
    slot->fd = what->fd;
    slot->cell = what->cell;
    slot->from = what->from;
    slot->is_socket = what->is_socket;
    atomic_store(&slot->echoes, false);
    slot->handle = sigcffi_attachments_new_handle(index);
    atomic_store(&slot->count, 0);
    atomic_store(&slot->missed, 0);
    uint64_t order = atomic_load(&state.attachments.order[signum]), last = (uint64_t)index + 1;
    for (uint64_t rest = order; rest != 0; rest >>= 4) last <<= 4;
    /* First the action, then what makes it run: there is no moment at which a signal meets
     * neither its former disposition nor this. */
    set_order(signum, order | last);
    int result = sigcffi_interpose_locked(signum);
    if (result == 0) return slot->handle;
    slot->fd = -1; /* still the caller's */
    sigcffi_attachments_detach_locked(signum, index);
    return result;
}

/* ---- What actions need ---- */

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

#if SIGCFFI_HAS_PIDFD
/* Whether the kernel does not know a system call, or a filter keeps the call from us: a filter says
 * EPERM, which these calls themselves never do. */
static bool is_refused(int error)
{
    return error == ENOSYS || error == EPERM;
}

/* A hold on a process to which this one may send signals; -1 where there is none to be had. */
static int hold_process(int pid)
{
    int fd = (int)syscall(SYS_pidfd_open, pid, 0);
    if (fd < 0) return is_refused(errno) ? -1 : -errno;
    if (syscall(SYS_pidfd_send_signal, fd, 0, NULL, 0) == 0 || !is_refused(errno)) return fd;
    close(fd);
    return -1;
}
#endif

/* What forward needs: for a process, a hold on it, so that its number cannot come to mean another.
 */
static int prepare_forward(struct slot *slot, int pid)
{
    slot->number = pid;
    if (kill(pid, 0) != 0) return -errno;
#if SIGCFFI_HAS_PIDFD
    if (pid > 0) {
        int fd = hold_process(pid);
        if (fd < -1) return fd;
        slot->fd = fd;
    }
#endif
    return 0;
}

/* ---- Attaching, detaching, looking ---- */

/* Attach an action to a signal, behind those that it has; its handle, or a negative errno, and
 * nothing is attached: -ENOSPC if the signal has as many as it can.
 *
 * `number` is the descriptor of write and shutdown (-EWOULDBLOCK if it blocks), the process or group of forward
 * and the status of exit, `cell` the flag that is set, or that exit and default wait for (-1: for
 * none), or the stage of a shutdown, `from` the number of that, or the delivery from which on exit, default and force_quit do something, and for
 * forward SIGCFFI_INHERITED if a forked child is to do so, too. */
int64_t sigcffi_attachments_attach(int signum, int kind, int number, int cell, int from)
{
    if (!sigcffi_is_signal(signum) || kind <= SIGCFFI_SLOT_EMPTY || kind >= SIGCFFI_SLOT_RECEIVER)
        return -EINVAL;
    struct slot what = {.kind = kind, .number = number, .fd = -1, .cell = cell, .from = from};
    int64_t result = 0;
    if (kind == SIGCFFI_SLOT_WRITE || kind == SIGCFFI_SLOT_SHUTDOWN)
        result = prepare_write(&what, number);
    if (kind == SIGCFFI_SLOT_FORWARD) result = prepare_forward(&what, number);
    if (result < 0) return result;
    sigset_t former = sigcffi_lock_acquire_masked();
    result = sigcffi_attachments_attach_locked(signum, &what);
    sigcffi_lock_release_masked(&former);
    if (result < 0 && what.fd >= 0) close(what.fd);
    return result;
}

/* Lock held. The slot with this handle, or null. */
static struct slot *slot_of(int signum, int64_t handle)
{
    int index = (int)(handle & 0xff);
    if (!sigcffi_is_signal(signum) || handle < 0 || index >= SIGCFFI_SLOTS) return NULL;
    struct slot *slot = &state.attachments.slots[signum][index];
    return slot->kind != SIGCFFI_SLOT_EMPTY && slot->handle == handle ? slot : NULL;
}

/* Lock held. What a slot has come to; null: none. */
static sigcffi_tally tally(const struct slot *slot)
{
    if (slot == NULL) return (sigcffi_tally){-1, -1};
    return (sigcffi_tally){(int64_t)atomic_load(&slot->count), (int64_t)atomic_load(&slot->missed)};
}

/* Detach an action: when this returns it is not taken any more, on any thread, and where nothing
 * else needs the trampoline the former disposition is back. What the action has come to, unless it
 * was detached before. */
sigcffi_tally sigcffi_attachments_detach(int signum, int64_t handle)
{
    sigset_t former = sigcffi_lock_acquire_masked();
    struct slot *slot = slot_of(signum, handle);
    if (slot != NULL)
        sigcffi_attachments_detach_locked(signum, (int)(slot - state.attachments.slots[signum]));
    sigcffi_tally result = tally(slot);
    sigcffi_lock_release_masked(&former);
    sigcffi_eventcount_notify(); /* for those that wait for a flag */
    return result;
}

/* What an action has come to so far. */
sigcffi_tally sigcffi_attachments_tally(int signum, int64_t handle)
{
    sigcffi_backpressure_recheck();
    sigcffi_lock_acquire();
    sigcffi_tally result = tally(slot_of(signum, handle));
    sigcffi_lock_release();
    return result;
}

/* Python has seen the signals in `set`. */
void sigcffi_attachments_seen(uint64_t set)
{
    sigcffi_lock_acquire();
    for (set &= atomic_load(&state.attachments.watched); set != 0; set &= set - 1) {
        int signum = __builtin_ctzll(set) + 1;
        for (int index = 0; index < SIGCFFI_SLOTS; index++)
            if (state.attachments.slots[signum][index].kind == SIGCFFI_SLOT_FORCE_QUIT)
                atomic_store(&state.attachments.slots[signum][index].count, 0);
    }
    sigcffi_lock_release();
}

/* Whether a flag is set, or was detached. */
bool sigcffi_attachments_is_over(int signum, int64_t flag)
{
    sigcffi_lock_acquire();
    const struct slot *slot = slot_of(signum, flag);
    bool over = slot == NULL || atomic_load(&state.cells[slot->cell]) != 0;
    sigcffi_lock_release();
    return over;
}

/* ---- fork ---- */

/* Lock held, every signal blocked, in a forked child: no handler is running, and nothing has been
 * delivered to it. What its parent forwards is for the parent: the child forwards nothing, unless
 * that was asked for. */
void sigcffi_attachments_after_fork(void)
{
    for (int signum = 1; signum < NSIG; signum++)
        for (int index = 0; index < SIGCFFI_SLOTS; index++) {
            struct slot *slot = &state.attachments.slots[signum][index];
            atomic_store(&slot->count, 0);
            atomic_store(&slot->missed, 0);
            atomic_store(&slot->echoes, false);
            if (slot->kind == SIGCFFI_SLOT_FORWARD && slot->from != SIGCFFI_INHERITED)
                sigcffi_attachments_detach_locked(signum, index);
        }
}
