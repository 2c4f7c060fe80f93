/* Actions: what is attached to a signal, as it is taken.
 *
 * Law: handler context, all of it. An action is taken on the thread that the kernel chose, at once,
 * whether or not Python gets to run; it neither blocks nor fails, and what comes to nothing is
 * counted.
 */
#include "epoch.h"

/* ---- Forwarding ---- */

/* handler context. Whether a process has sent this, as far as is known: then its number is there.
 */
static bool was_sent(const siginfo_t *info)
{
    if (info == NULL) return false;
    return info->si_code == SI_USER || info->si_code == SI_QUEUE || info->si_code == SI_TKILL;
}

/* handler context. Whether this is what was forwarded to a group that this process is part of.
 *
 * Where the queue is used up the kernel does not tell the sender of a real-time signal: it comes
 * as SI_USER from process 0. So do signals from outside of a container, and those of which nothing
 * is known, and these are to go on: what is taken for an echo is one such for each signal that was
 * forwarded. */
static bool is_echo(struct slot *slot, const siginfo_t *info)
{
    bool is_bare = info == NULL || (info->si_code == SI_USER && info->si_pid == 0);
    if (!is_bare && !(was_sent(info) && info->si_pid == getpid())) return false;
    return atomic_exchange(&slot->echoes, false) || !is_bare;
}

/* handler context. Send a signal on to a group. */
static bool forward_to_group(struct slot *slot, int signum, const siginfo_t *info)
{
    if (is_echo(slot, info)) return true;
    /* Before it is sent: another thread may take it at once. */
    if (slot->number == 0 || slot->number == -getpgrp()) atomic_store(&slot->echoes, true);
    return kill(slot->number, signum) == 0;
}

/* handler context. Send a signal on; whether its receiver got it, or had it already.
 *
 * A signal is not sent back to the process that it comes from: two processes that forward to each
 * other, or a group that this process is part of, would never hear the end. */
static bool forward(struct slot *slot, int signum, const siginfo_t *info)
{
    if (slot->number <= 0) return forward_to_group(slot, signum, info);
    if (was_sent(info) && info->si_pid == slot->number) return true;
#if SIGCFFI_HAS_PIDFD
    if (slot->fd >= 0) {
        if (info == NULL || info->si_code != SI_QUEUE)
            return syscall(SYS_pidfd_send_signal, slot->fd, signum, NULL, 0) == 0;
        siginfo_t whole = *info;
        whole.si_pid = getpid();
        whole.si_uid = getuid();
        return syscall(SYS_pidfd_send_signal, slot->fd, signum, &whole, 0) == 0;
    }
#endif
    return kill(slot->number, signum) == 0;
}

/* ---- Shutting down ---- */

/* handler context. The next stage of a shutdown. */
static void advance(const struct slot *slot, int signum, const siginfo_t *info, void *context)
{
    struct shutdown *shutdown = &state.shutdowns[slot->from];
    int stage = atomic_fetch_add(&state.cells[slot->cell], 1) + 1;
    if (stage == 1) {
        sigcffi_ring_publish(&shutdown->first, 0, signum, SIGCFFI_FOR_ALL, info);
        const unsigned char byte = (unsigned char)signum;
        /* Nobody reads it: the descriptor can be read from now on. */
        sigcffi_writing_write(slot, &byte, 1, false);
    }
    sigcffi_shutdown_reach(shutdown, stage, signum);
    if (shutdown->force == 0 || stage < 2 + shutdown->force) return;
    sigcffi_last_words_begin();
    sigcffi_last_words_speak(context);
    sigcffi_defaults_take(signum);
}

/* ---- Each in its order ---- */

/* handler context. Take one action. */
static void take(struct slot *slot, int signum, const siginfo_t *info, void *context)
{
    uint64_t number = atomic_fetch_add_explicit(&slot->count, 1, memory_order_relaxed) + 1;
    const unsigned char byte = (unsigned char)signum;
    switch (slot->kind) {
    case SIGCFFI_SLOT_FLAG: atomic_store(&state.cells[slot->cell], 1); return;
    case SIGCFFI_SLOT_WRITE:
        if (sigcffi_writing_write(slot, &byte, 1, false) != 1) atomic_fetch_add(&slot->missed, 1);
        return;
    case SIGCFFI_SLOT_MESSAGE:
        if (!sigcffi_message_write(slot, signum, info)) atomic_fetch_add(&slot->missed, 1);
        return;
    case SIGCFFI_SLOT_FORWARD:
        if (!forward(slot, signum, info)) atomic_fetch_add(&slot->missed, 1);
        return;
    case SIGCFFI_SLOT_FORCE_QUIT:
        if (number >= (uint64_t)slot->from) sigcffi_defaults_take(signum);
        return;
    case SIGCFFI_SLOT_SHUTDOWN: advance(slot, signum, info, context); return;
    case SIGCFFI_SLOT_EXIT:
    case SIGCFFI_SLOT_DEFAULT:
        if (number < (uint64_t)slot->from) return;
        if (slot->cell >= 0 && atomic_load(&state.cells[slot->cell]) == 0) return;
        if (slot->kind == SIGCFFI_SLOT_EXIT) _exit(slot->number);
        sigcffi_defaults_take(signum);
        return;
    }
}

/* handler context. Take the actions that are attached to a signal, in their order. */
void sigcffi_actions_take(int signum, const siginfo_t *info, void *context)
{
    if (!sigcffi_epoch_has_slots(signum)) return;
    unsigned epoch = sigcffi_epoch_enter();
    for (uint64_t order = atomic_load(&state.attachments.order[signum]); order != 0; order >>= 4)
        take(sigcffi_epoch_first_of(signum, order), signum, info, context);
    sigcffi_epoch_leave(epoch);
}

/* ---- Receivers ---- */

/* handler context, or outside handlers. The descriptor can be read from now on. */
void sigcffi_actions_raise_descriptor(struct receiver *receiver)
{
    /* A store even where it changes nothing: see sigcffi_readiness_lower(). */
    if (atomic_exchange(&receiver->raised, true)) return;
    const uint64_t one = 1;
    sigcffi_platform_write(receiver->wake_fd, &one, sizeof one);
}

/* handler context. Put a signal into its receivers. */
void sigcffi_actions_receive(int signum, const siginfo_t *info, void *context)
{
    if (!sigcffi_epoch_has_slots(signum)) return;
    unsigned epoch = sigcffi_epoch_enter();
    for (uint64_t order = atomic_load(&state.attachments.order[signum]); order != 0; order >>= 4) {
        const struct slot *slot = sigcffi_epoch_first_of(signum, order);
        if (slot->kind != SIGCFFI_SLOT_RECEIVER) continue;
        struct receiver *receiver = &state.receivers[slot->number];
        uint64_t capacity = atomic_load(&receiver->capacity);
        uint64_t number, level = sigcffi_ring_reserve(&receiver->ring, capacity, &number);
        if (level == 0) {
            atomic_fetch_add(&receiver->dropped, 1);
        } else {
            struct sigcffi_record *records = atomic_load(&receiver->records);
            /* Before it can be read: see sigcffi_readiness_lower(). */
            sigcffi_actions_raise_descriptor(receiver);
            sigcffi_ring_publish(&records[number & (capacity - 1)], number, signum, SIGCFFI_FOR_ALL,
                                 info);
        }
        if (!receiver->drops && (level == 0 || level >= SIGCFFI_HIGH_WATER_OF(capacity)))
            sigcffi_backpressure_apply(slot->number, signum, context);
    }
    sigcffi_epoch_leave(epoch);
}
