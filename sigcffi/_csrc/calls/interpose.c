/* Interposing: the trampoline is put on top of a base, and taken away again.
 *
 * Law: ordinary calls, made outside handlers. The kernel's disposition of a signal changes only
 * here, under the lock. A base is stored before the kernel is given the trampoline that calls it.
 */
#include "calls.h"

static void keep(int signum);

static bool is_trampoline(const struct sigaction *action)
{
    return sigcffi_bases_level_of(action) >= 0;
}

/* Whether there is something that the trampoline has to do for a signal beside its base. */
bool sigcffi_interpose_is_needed(int signum)
{
    uint64_t needed = atomic_load(&channel.recorded) | atomic_load(&channel.slotted);
    return needed & sigcffi_bit(signum);
}

/* What the kernel must keep doing for the base while the trampoline stands in its place. */
static const int kept_flags = SA_RESTART | SA_NOCLDSTOP | SA_NOCLDWAIT;

/* Lock held. Give the kernel exactly this, without the trampoline. */
int sigcffi_interpose_remove(int signum, const struct sigaction *action)
{
    atomic_fetch_and(&state.dispositions.wanted, ~sigcffi_bit(signum));
    sigcffi_bases_put_on_top(signum, -1);
    return sigcffi_kernel_write(signum, action);
}

/* Lock held. Give the kernel the trampoline, `ours`, which returns to our own code; the handler
 * that the trampoline has replaced is believed to be `under`.
 *
 * Only the kernel can be told where a handler returns to, the C library cannot. But the C library
 * is to know that there is a handler: musl's posix_spawn() takes away those that it knows of. And
 * other libraries may stand in the C library's place, and keep the kernel's handler to themselves.
 * So they are passed by only where the kernel has a handler that they were told of: the
 * interpreter's, just installed, or the trampoline. */
static int give_trampoline(int signum, const struct sigaction *ours, uintptr_t under,
                           struct sigaction *found)
{
    bool replaced = false;
#if SIGCFFI_HAS_RETURN
    struct sigcffi_kernel_sigaction mine = {.handler = ours->sa_handler,
                                            .flags = (unsigned)ours->sa_flags | SA_RESTORER,
                                            .restorer =
                                                (void (*)(void))sigcffi_levels_own_return()},
                                    was;
    memcpy(mine.mask, &ours->sa_mask, sizeof mine.mask);
    if (sigcffi_interpreter_classify(under) == SIGCFFI_PYTHON &&
        syscall(SYS_rt_sigaction, signum, &mine, &was, sizeof mine.mask) == 0) {
        found->sa_handler = was.handler;
        if ((uintptr_t)was.handler == under || is_trampoline(found)) return 0;
        /* Ignoring is not put back: with that the kernel throws away what is pending. */
        replaced = !sigcffi_is_function((uintptr_t)was.handler);
        if (!replaced) syscall(SYS_rt_sigaction, signum, &was, NULL, sizeof was.mask);
    }
#endif
    struct sigaction there;
    if (sigaction(signum, ours, &there) != 0) return -errno;
    if (!replaced || !is_trampoline(&there)) *found = there;
#if SIGCFFI_HAS_RETURN
    /* If somebody was quicker by an instant, their handler is put back and left alone. */
    if (syscall(SYS_rt_sigaction, signum, &mine, &was, sizeof mine.mask) == 0 &&
        was.handler != mine.handler)
        syscall(SYS_rt_sigaction, signum, &was, NULL, sizeof was.mask);
#else
    (void)under;
#endif
    return 0;
}

/* Lock held. Give the kernel the trampoline for `signum`, on top of `under`, and with `flags`
 * beside those that it takes over from there; `found` is what it has replaced. */
int sigcffi_interpose_on(int signum, const struct sigaction *under, int flags,
                         struct sigaction *found)
{
    int level = sigcffi_bases_level_for(signum, under);
    struct sigaction ours;
    memset(&ours, 0, sizeof ours);
    memset(found, 0, sizeof *found);
    ours.sa_handler = (void (*)(int))state.trampoline.levels[level];
    ours.sa_flags = SA_SIGINFO | ((under->sa_flags | flags) & kept_flags);
    /* A C library's handler runs on the stack that it asked for. */
    if (sigcffi_interpreter_classify(sigcffi_handler_of(under)) != SIGCFFI_FOREIGN ||
        (under->sa_flags & SA_ONSTACK))
        ours.sa_flags |= SA_ONSTACK;
    /* A base that is no function interrupts no system call, so the trampoline on top of it shall
     * not either; but a poke shall. */
    if (signum != SIGURG && !sigcffi_is_function(sigcffi_handler_of(under)) &&
        !(atomic_load(&channel.recorded) & sigcffi_bit(signum)))
        ours.sa_flags |= SA_RESTART;
    /* Children of a process that ignores SIGCHLD leave no zombies, and shall leave none from now
     * on. */
    if (signum == SIGCHLD && sigcffi_handler_of(under) == (uintptr_t)SIG_IGN)
        ours.sa_flags |= SA_NOCLDWAIT;
    /* No handler interrupts another one on its thread, except for a fault in it. */
    ours.sa_mask = sigcffi_set_of(state.trampoline.mask);
    /* SIGURG first: a signal may need pokes at once. Where this fails pokes fail, and calls are
     * made on the spot. */
    if (signum != SIGURG && !(atomic_load(&state.dispositions.wanted) & sigcffi_bit(signum)))
        keep(SIGURG);
    /* The base first: the trampoline may run before sigaction() returns. */
    sigcffi_bases_set(level, signum, under);
    atomic_fetch_or(&state.dispositions.wanted, sigcffi_bit(signum));
    int result = give_trampoline(signum, &ours, sigcffi_handler_of(under), found);
    if (result != 0) return result;
    sigcffi_bases_put_on_top(signum, level);
    if (signum != SIGURG && sigcffi_retry_is_wanted() &&
        sigcffi_interpreter_classify(sigcffi_handler_of(under)) == SIGCFFI_PYTHON)
        sigcffi_retry_prepare();
    return 0;
}

/* Lock held. Put the trampoline on top of `under`, which the kernel is believed to have, or of what
 * it turns out to have. */
int sigcffi_interpose_on_found(int signum, const struct sigaction *under, int flags)
{
    struct sigaction found;
    int result = sigcffi_interpose_on(signum, under, flags, &found);
    /* Somebody else was quicker by an instant: theirs is the base. */
    if (result == 0 && sigcffi_handler_of(&found) != sigcffi_handler_of(under) &&
        !is_trampoline(&found))
        sigcffi_bases_set(sigcffi_bases_on_top(signum), signum, &found);
    return result;
}

/* Lock held. Put the trampoline on top of whatever is there, or of the interpreter's handler and no
 * other. */
static int interpose_unless_there(int signum, bool only_interpreter)
{
    struct sigaction now;
    int result = sigcffi_kernel_look(signum, &now);
    if (result != 0) return result;
    sigcffi_bases_note(signum, &now);
    if (is_trampoline(&now)) {
        if (now.sa_flags & SA_SIGINFO) return 0;
        now = sigcffi_bases_under(signum,
                                  &now); /* put back by signal(2): the trampoline is told nothing */
    }
    if (only_interpreter &&
        sigcffi_interpreter_classify(sigcffi_handler_of(&now)) != SIGCFFI_PYTHON)
        return 0;
    sigcffi_kernel_read_rest(signum, &now);
    return sigcffi_interpose_on_found(signum, &now, 0);
}

/* Put the trampoline on top of the interpreter's handler, if that is what the kernel has. */
int sigcffi_interpose_interpreter(int signum)
{
    sigcffi_lock_acquire();
    int result = interpose_unless_there(signum, true);
    sigcffi_lock_release();
    return result;
}

/* Lock held. Put the trampoline on top of whatever is there. */
int sigcffi_interpose_locked(int signum)
{
    return interpose_unless_there(signum, false);
}

/* Put the trampoline on top of whatever is there. */
int sigcffi_interpose(int signum)
{
    sigcffi_lock_acquire();
    int result = sigcffi_interpose_locked(signum);
    sigcffi_lock_release();
    return result;
}

/* Put the trampoline on top again if something is attached to the signal: somebody may have put a
 * handler in its place. Not otherwise: where the last action has just been detached nothing would
 * take it away. */
int sigcffi_interpose_again(int signum)
{
    int result = 0;
    sigcffi_lock_acquire();
    if (sigcffi_is_signal(signum) && (atomic_load(&channel.slotted) & sigcffi_bit(signum)))
        result = sigcffi_interpose_locked(signum);
    sigcffi_lock_release();
    return result;
}

/* ---- What needs the trampoline ---- */

static uint64_t kept; /* under the lock: signals that need the trampoline without an action */

/* Lock held. A signal has slots from now on, or no more. */
void sigcffi_interpose_for_slots(int signum, bool has_slots)
{
    uint64_t bit = sigcffi_bit(signum);
    if (has_slots || (kept & bit))
        atomic_fetch_or(&channel.slotted, bit);
    else
        atomic_fetch_and(&channel.slotted, ~bit);
}

/* Put the trampoline on top of whatever is there, where it stays as if it had slots. */
static void keep(int signum)
{
    sigcffi_lock_acquire();
    kept |= sigcffi_bit(signum);
    atomic_fetch_or(&channel.slotted, sigcffi_bit(signum));
    sigcffi_interpose_locked(signum);
    sigcffi_lock_release();
}

/* ---- Withdrawing ---- */

/* Lock held. Put the base back, unless somebody else has replaced the trampoline meanwhile, or the
 * base is the interpreter's and `keeps_python`. */
static int withdraw(int signum, bool keeps_python)
{
    struct sigaction now;
    int result = sigcffi_kernel_look(signum, &now);
    if (result != 0) return result;
    if (keeps_python && sigcffi_interpreter_classify(sigcffi_levels_beneath(
                            signum, sigcffi_handler_of(&now))) == SIGCFFI_PYTHON)
        return 0;
    sigcffi_bases_note(signum, &now);
    if (!is_trampoline(&now)) {
        atomic_fetch_and(&state.dispositions.wanted, ~sigcffi_bit(signum));
        return 0;
    }
    now = sigcffi_bases_under(signum, &now);
    return sigcffi_interpose_remove(signum, &now);
}

/* Put the base back, unless somebody else has replaced the trampoline meanwhile. */
int sigcffi_interpose_withdraw(int signum)
{
    sigcffi_lock_acquire();
    int result = withdraw(signum, false);
    sigcffi_lock_release();
    return result;
}

/* Lock held. Put the base back where nothing needs the trampoline: no action, not the dispatcher,
 * nor a Python handler, which has it wherever sigcffi has come by. */
void sigcffi_interpose_withdraw_unneeded(int signum)
{
    if (!sigcffi_interpose_is_needed(signum)) withdraw(signum, true);
}

/* ---- fork ---- */

/* Lock held, in a forked child: a thread that was stopping the process, and would have put the
 * handler back, has not come along. */
void sigcffi_interpose_after_fork(void)
{
    int signum = (int)(atomic_exchange(&state.stops, 0) & SIGCFFI_STOPPING);
    int level = sigcffi_bases_on_top(signum);
    if (signum == 0 || level < 0) return;
    struct sigaction base = sigcffi_bases_of(level, signum), found;
    sigcffi_interpose_on(signum, &base, 0, &found);
}
