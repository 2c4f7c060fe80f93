/* Attachments: which actions signals have.
 *
 * Law: ordinary calls, made outside handlers. What a handler may see of a slot is filled in before
 * a signal's order names it, and taken apart when every handler that may have seen it has left.
 */
#include "calls.h"

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
    slot->inherited = what->inherited;
    memcpy(slot->name, what->name, sizeof slot->name);
    memcpy(slot->text, what->text, sizeof slot->text);
    atomic_store(&slot->cut_off, false);
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

/* ---- Attaching, detaching, looking ---- */

/* Attach what `what` says, once it has what it needs. */
static int64_t attach(int signum, struct slot *what)
{
    if (!sigcffi_is_signal(signum)) return -EINVAL;
    int64_t result = sigcffi_preparing_slot(what);
    if (result < 0) return result;
    sigset_t former = sigcffi_lock_acquire_masked();
    result = sigcffi_attachments_attach_locked(signum, what);
    sigcffi_lock_release_masked(&former);
    if (result < 0 && what->fd >= 0) close(what->fd);
    return result;
}

/* Attach an action to a signal, behind those that it has; its handle, or a negative errno, and
 * nothing is attached: -ENOSPC if the signal has as many as it can.
 *
 * `number` is the descriptor of write and shutdown (-EWOULDBLOCK if it blocks), the process or
 * group of forward and the status of exit, `cell` the flag that is set, or that exit and default
 * wait for (-1: for none), or the stage of a shutdown, `from` the number of that, or the delivery
 * from which on exit, default and force_quit do something. A forked child has it, too, if it is
 * `inherited`. */
int64_t sigcffi_attachments_attach(int signum, int kind, int number, int cell, int from,
                                   bool inherited)
{
    if (kind <= SIGCFFI_SLOT_EMPTY || kind >= SIGCFFI_SLOT_RECEIVER) return -EINVAL;
    struct slot what = {.kind = kind,
                        .number = number,
                        .fd = -1,
                        .cell = cell,
                        .from = from,
                        .inherited = inherited};
    return attach(signum, &what);
}

/* The same for a message, which begins with what the signal is called and ends with `text` (cut off
 * behind SIGCFFI_TEXT bytes; empty: none). */
int64_t sigcffi_attachments_attach_message(int signum, int fd, const char *name, const char *text,
                                           bool inherited)
{
    struct slot what = {
        .kind = SIGCFFI_SLOT_MESSAGE, .number = fd, .fd = -1, .cell = -1, .inherited = inherited};
    strncpy(what.name, name, sizeof what.name - 1);
    strncpy(what.text, text, sizeof what.text - 1);
    return attach(signum, &what);
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
 * delivered to it. It keeps what is inherited. */
void sigcffi_attachments_after_fork(void)
{
    for (int signum = 1; signum < NSIG; signum++)
        for (int index = 0; index < SIGCFFI_SLOTS; index++) {
            struct slot *slot = &state.attachments.slots[signum][index];
            atomic_store(&slot->count, 0);
            atomic_store(&slot->missed, 0);
            atomic_store(&slot->echoes, false);
            if (slot->kind != SIGCFFI_SLOT_EMPTY && !slot->inherited)
                sigcffi_attachments_detach_locked(signum, index);
        }
}
