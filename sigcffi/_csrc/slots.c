/* Slots: the actions that are attached to a signal, as they are taken.
 *
 * Law: handler context, all of it. An action is taken on the thread that the kernel chose, at once,
 * whether or not Python gets to run; it neither blocks nor fails, and what comes to nothing is
 * counted.
 */
#include "wake.h"

#include <fcntl.h>
#include <sys/socket.h>

/* ---- Seeing slots ---- */

/* handler context. From here to leave() what the order of a signal names is not recycled.
 *
 * Sequentially consistent, the default: a handler enters and then reads the order, while who
 * detaches writes the order and then looks for handlers (wait_for_handlers in attaching.c). Were
 * the load allowed to pass the store, the handler would see the old order and not be seen. */
static unsigned enter(void)
{
    unsigned phase = atomic_load(&state.phase) & 1;
    atomic_fetch_add(&state.inside[phase], 1);
    return phase;
}

/* handler context. release: what was done to a slot was done before it can be recycled. */
static void leave(unsigned phase)
{
    atomic_fetch_sub_explicit(&state.inside[phase], 1, memory_order_release);
}

/* handler context. Whether anything is attached; relaxed: what is just being attached may be
 * missed, and what was attached before the signal was sent is not. */
static bool has_slots(int signum)
{
    return atomic_load_explicit(&state.order[signum], memory_order_relaxed) != 0;
}

/* handler context. The first slot in an order. */
static struct slot *first_of(int signum, uint64_t order)
{
    return &state.slots[signum][(order & 15) - 1];
}

/* ---- Actions ---- */

/* handler context. What a signal does that nobody handles: signal(7). */
int sigcffi_default_action(int signum)
{
    switch (signum) {
    case SIGABRT:
    case SIGBUS:
    case SIGFPE:
    case SIGILL:
    case SIGQUIT:
    case SIGSEGV:
    case SIGSYS:
    case SIGTRAP:
    case SIGXCPU:
    case SIGXFSZ: return SIGCFFI_DUMPS_CORE;
    case SIGCHLD:
    case SIGURG:
    case SIGWINCH: return SIGCFFI_IS_IGNORED;
    case SIGSTOP:
    case SIGTSTP:
    case SIGTTIN:
    case SIGTTOU: return SIGCFFI_STOPS;
    case SIGCONT: return SIGCFFI_CONTINUES;
    default: return SIGCFFI_TERMINATES;
    }
}

/* handler context. Whether this thread is to stop the process by `signum`; others then see that the
 * default action stands there for the moment, and a second thread leaves it to this one, or it
 * would put back the default action for the handler. */
static bool begin_stop(int signum)
{
    uint32_t none = atomic_load(&state.stops) & ~SIGCFFI_STOPPING;
    return atomic_compare_exchange_strong(&state.stops, &none, none | (uint32_t)signum);
}

/* handler context */
static void end_stop(void)
{
    atomic_store(&state.stops, (atomic_load(&state.stops) | SIGCFFI_STOPPING) + 1);
}

/* handler context. The kernel does what it would have done without a handler, so that the parent
 * sees the true wait status. From a stop the process comes back with its handler in place. */
void sigcffi_take_default(int signum)
{
    int usual = sigcffi_default_action(signum);
    if (usual == SIGCFFI_IS_IGNORED || usual == SIGCFFI_CONTINUES) return; /* that has happened */
    if (usual == SIGCFFI_STOPS && !begin_stop(signum)) return;
    struct sigaction action, handler;
    memset(&action, 0, sizeof action);
    action.sa_handler = SIG_DFL;
    if (sigaction(signum, &action, &handler) != 0) return;
    sigset_t this = sigcffi_set_of(sigcffi_bit(signum)), former;
    /* To this thread, which is then gone before it could go on. Where the kernel has no memory left
     * for that it still delivers what kill() sends. */
    bool here = raise(signum) == 0;
    if (!here) kill(getpid(), signum);
    pthread_sigmask(SIG_UNBLOCK, &this, &former);
    if (usual == SIGCFFI_STOPS) {
        pthread_sigmask(SIG_SETMASK, &former, NULL);
        sigaction(signum, &handler, NULL);
        end_stop();
        sigcffi_refuse_no_more();
        return;
    }
    if (!here) sigcffi_rest(100000000);
    /* The first process of a namespace is not ended by a signal of its own. */
    _exit(128 + signum);
}

/* handler context. Whether a process has sent this, as far as is known: then its number is there.
 */
static bool was_sent(const siginfo_t *info)
{
    if (info == NULL) return false;
    return info->si_code == SI_USER || info->si_code == SI_QUEUE || info->si_code == SI_TKILL;
}

/* handler context. Whether this is what was forwarded to a group that this process is part of.
 *
 * Where the queue is used up the kernel does not tell who has sent a real-time signal: SI_USER,
 * process 0. So do signals from outside of a container, and those of which nothing is known, which
 * are to go on: what is taken for an echo is one such for each signal that was forwarded. */
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

/* handler context. Send a signal on; whether somebody got it, or had it already.
 *
 * What comes from where it would go is not sent back: of two that forward to each other, and of a
 * group that this process is part of, nobody would ever hear the end. */
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

/* handler context. One byte to a pipe without a reader brings SIGPIPE, which nobody has asked for.
 */
static bool write_quietly(int fd, unsigned char byte)
{
    /* It could have been made blocking since. */
    if (!(fcntl(fd, F_GETFL) & O_NONBLOCK)) return false;
    sigset_t pending;
    sigpending(&pending);
    bool written = sigcffi_write(fd, &byte, 1);
#if SIGCFFI_HAS_SIGTIMEDWAIT
    if (!written && errno == EPIPE && !sigismember(&pending, SIGPIPE)) {
        const sigset_t pipe = sigcffi_set_of(sigcffi_bit(SIGPIPE));
        sigcffi_sigtimedwait(&pipe, NULL, 0);
    }
#endif
    return written;
}

/* handler context */
static bool write_byte(const struct slot *slot, int signum)
{
    unsigned char byte = (unsigned char)signum;
#if SIGCFFI_HAS_SENDTO
    if (slot->is_socket)
        return syscall(SYS_sendto, slot->fd, &byte, 1, MSG_DONTWAIT | MSG_NOSIGNAL, NULL, 0) == 1;
#endif
    return write_quietly(slot->fd, byte);
}

/* handler context */
static void take(struct slot *slot, int signum, const siginfo_t *info)
{
    uint64_t number = atomic_fetch_add_explicit(&slot->count, 1, memory_order_relaxed) + 1;
    switch (slot->kind) {
    case SIGCFFI_SLOT_FLAG: atomic_store(&state.cells[slot->cell], 1); return;
    case SIGCFFI_SLOT_WRITE:
        if (!write_byte(slot, signum)) atomic_fetch_add(&slot->missed, 1);
        return;
    case SIGCFFI_SLOT_FORWARD:
        if (!forward(slot, signum, info)) atomic_fetch_add(&slot->missed, 1);
        return;
    case SIGCFFI_SLOT_FORCE_QUIT:
        if (number >= (uint64_t)slot->from) sigcffi_take_default(signum);
        return;
    case SIGCFFI_SLOT_EXIT:
    case SIGCFFI_SLOT_DEFAULT:
        if (number < (uint64_t)slot->from) return;
        if (slot->cell >= 0 && atomic_load(&state.cells[slot->cell]) == 0) return;
        if (slot->kind == SIGCFFI_SLOT_EXIT) _exit(slot->number);
        sigcffi_take_default(signum);
        return;
    }
}

/* handler context. Take the actions that are attached to a signal, in their order. */
void sigcffi_act(int signum, const siginfo_t *info)
{
    if (!has_slots(signum)) return;
    unsigned phase = enter();
    for (uint64_t order = atomic_load(&state.order[signum]); order != 0; order >>= 4)
        take(first_of(signum, order), signum, info);
    leave(phase);
}

/* handler context. The interpreter was called for a signal of which is counted how many Python has
 * not seen. It is called for SIGURG too, for which it has a function that says so: the interpreter
 * offers no other way to learn that it has looked. SIGURG is ignored unless somebody handles it;
 * if somebody does, all are taken for seen. */
void sigcffi_ask_for_notice(int signum)
{
    struct sigaction now;
    sigaction(SIGURG, NULL, &now);
    if (!sigcffi_is_function(sigcffi_beneath(SIGURG, sigcffi_handler_of(&now)))) {
        sigcffi_call_interpreter(SIGURG);
        return;
    }
    unsigned phase = enter();
    for (uint64_t order = atomic_load(&state.order[signum]); order != 0; order >>= 4)
        if (first_of(signum, order)->kind == SIGCFFI_SLOT_FORCE_QUIT)
            atomic_store(&first_of(signum, order)->count, 0);
    leave(phase);
}

/* ---- Receivers ---- */

/* handler context, or outside handlers. The descriptor can be read from now on. */
void sigcffi_raise_descriptor(struct receiver *receiver)
{
    /* A store even where it changes nothing: see lower_descriptor() in receivers.c. */
    if (atomic_exchange(&receiver->raised, true)) return;
    const uint64_t one = 1;
    sigcffi_write(receiver->wake_fd, &one, sizeof one);
}

/* handler context. Put a signal into its receivers. */
void sigcffi_receive(int signum, const siginfo_t *info, void *context)
{
    if (!has_slots(signum)) return;
    unsigned phase = enter();
    for (uint64_t order = atomic_load(&state.order[signum]); order != 0; order >>= 4) {
        const struct slot *slot = first_of(signum, order);
        if (slot->kind != SIGCFFI_SLOT_RECEIVER) continue;
        struct receiver *receiver = &state.receivers[slot->number];
        uint64_t capacity = atomic_load(&receiver->capacity);
        uint64_t number, level = sigcffi_reserve(&receiver->ring, capacity, &number);
        if (level == 0) {
            atomic_fetch_add(&receiver->dropped, 1);
        } else {
            struct sigcffi_record *records = atomic_load(&receiver->records);
            /* Before it can be read: see lower_descriptor() in receivers.c. */
            sigcffi_raise_descriptor(receiver);
            sigcffi_publish(&records[number & (capacity - 1)], number, signum, SIGCFFI_FOR_ALL,
                            info);
        }
        if (!receiver->drops && (level == 0 || level >= SIGCFFI_HIGH_WATER_OF(capacity)))
            sigcffi_press(slot->number, signum, context);
    }
    leave(phase);
}

/* ---- Sleepers ---- */

/* handler context, or outside handlers. Wake the threads that sleep until something has happened.
 *
 * What has happened was stored before; who sleeps counts itself first and looks then. Here the
 * count is stored too, unchanged: of the two stores one comes first, and who makes the other sees
 * it, and all that came before it. A load could miss the sleeper, and the sleeper what has
 * happened. */
void sigcffi_something_happened(void)
{
    if (atomic_fetch_add(&state.sleepers, 0) == 0) return;
    atomic_fetch_add(&state.events, 1);
    sigcffi_wake(&state.events, INT_MAX);
}
