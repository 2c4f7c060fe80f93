/* Dispositions: what stands between the kernel and a base, and who may change it.
 *
 * Law: ordinary calls, made outside handlers. What handlers read changes only here, under the lock,
 * which handler context never takes.
 */
#include "wake.h"

#include <dlfcn.h>

/* The bases with flags and mask, to be put back. */
static struct sigaction whole[SIGCFFI_LEVELS][NSIG];

static signed char on_top[NSIG];   /* the level that we have given the kernel, plus one */
static signed char based[NSIG];    /* how many levels have been given a base */
static signed char taken_of[NSIG]; /* the one that was given another last */

/* The thread that changes the tables, 0 if there is none, and how often over it holds the lock. */
static _Atomic uintptr_t lock_owner;
static unsigned lock_depth;
static sigset_t mask_before_fork; /* by the lock's holder */

/* Outside handlers. Held for microseconds, and while the process forks.
 *
 * Not a mutex: a foreign handler that interrupts this call may fork, and so come here again by
 * before_fork. A recursive mutex takes two steps to note its owner, and deadlocks if the handler
 * comes between them; one compare-and-swap has no between. acquire and release: who takes the lock
 * sees what the one before has written. */
void sigcffi_take_lock(void)
{
    uintptr_t self = (uintptr_t)pthread_self(), nobody = 0;
    if (atomic_load_explicit(&lock_owner, memory_order_relaxed) == self) {
        lock_depth++;
        return;
    }
    for (int tries = 0; !atomic_compare_exchange_weak_explicit(
             &lock_owner, &nobody, self, memory_order_acquire, memory_order_relaxed);
         tries++) {
        nobody = 0;
        sigcffi_wait_a_little(tries);
    }
}

/* Outside handlers */
void sigcffi_release_lock(void)
{
    if (lock_depth > 0)
        lock_depth--;
    else
        atomic_store_explicit(&lock_owner, 0, memory_order_release);
}

/* ---- Dispositions ---- */

static int level_of(const struct sigaction *action)
{
    return sigcffi_level_of(sigcffi_handler_of(action));
}

static bool is_trampoline(const struct sigaction *action)
{
    return level_of(action) >= 0;
}

/* Whether there is something that the trampoline has to do for a signal beside its base. */
static bool is_needed(int signum)
{
    uint64_t needed = atomic_load(&channel.attached) | atomic_load(&channel.slotted);
    return needed & sigcffi_bit(signum);
}

static int classify(uintptr_t handler)
{
    if (handler == (uintptr_t)SIG_DFL) return SIGCFFI_DEFAULT;
    if (handler == (uintptr_t)SIG_IGN) return SIGCFFI_IGNORED;
    return handler == atomic_load(&state.interpreter) ? SIGCFFI_PYTHON : SIGCFFI_FOREIGN;
}

/* What the kernel must keep doing for the base while the trampoline stands in its place. */
static const int kept_flags = SA_RESTART | SA_NOCLDSTOP | SA_NOCLDWAIT;

/* Lock held. */
static void set_base(int level, int signum, const struct sigaction *under)
{
    struct base *base = &state.bases[level][signum];
    whole[level][signum] = *under;
    uint64_t itself = (under->sa_flags & SA_NODEFER) ? 0 : sigcffi_bit(signum);
    atomic_store(&base->mask, sigcffi_word_of(&under->sa_mask) | itself);
    atomic_store(&base->one_shot, (under->sa_flags & SA_RESETHAND) != 0);
    /* release: who sees the base sees what `interpreter` was when it was stored, and the rest. */
    atomic_store_explicit(&base->handler, sigcffi_handler_of(under), memory_order_release);
}

/* Lock held. The base as it would be now without the trampoline `above`. */
static struct sigaction base_under(int signum, const struct sigaction *above)
{
    int level = level_of(above);
    uintptr_t handler = atomic_load(&state.bases[level][signum].handler);
    struct sigaction base = whole[level][signum];
    /* What siginterrupt() did to the trampoline it would have done to the base. Not what signal(2)
     * did, which has put it back without the rest of its flags. */
    if (sigcffi_is_function(sigcffi_handler_of(&base)) && (above->sa_flags & SA_SIGINFO))
        base.sa_flags = (base.sa_flags & ~SA_RESTART) | (above->sa_flags & SA_RESTART);
    /* A handler with SA_RESETHAND that has been called is no longer there. */
    if (!sigcffi_is_function(handler))
        base.sa_handler = handler == (uintptr_t)SIG_IGN ? SIG_IGN : SIG_DFL;
    return base;
}

/* ---- Levels ----
 *
 * A base that another handler may call must stay where it is: whoever has found a level in the
 * kernel may call it, or put it back, at any time and unseen. So each base has a level of its own,
 * for good: the default action, ignoring, the interpreter's handler, and each handler of others.
 *
 * There are few. Where a signal has had more bases than that, one that is not the interpreter's
 * loses its level, and a handler of others may be passed by.
 */

/* Lock held. What the kernel has is known to be this. */
static void note(int signum, const struct sigaction *now)
{
    int level = level_of(now);
    if (level >= 0) on_top[signum] = (signed char)(level + 1);
}

/* Lock held. The level that is to stand on top of `under`. */
static int level_for(int signum, const struct sigaction *under)
{
    for (int level = 0; level < based[signum]; level++)
        if (atomic_load(&state.bases[level][signum].handler) == sigcffi_handler_of(under))
            return level;
    if (based[signum] < SIGCFFI_LEVELS) return based[signum]++;
    int level = taken_of[signum];
    do level = (level + 1) % SIGCFFI_LEVELS;
    while (level == on_top[signum] - 1 ||
           classify(atomic_load(&state.bases[level][signum].handler)) == SIGCFFI_PYTHON);
    taken_of[signum] = (signed char)level;
    return level;
}

/* What the kernel has for `signum`, as the C library tells it: some leave out how the handler
 * returns, and what stood in that place before. */
static int read_briefly(int signum, struct sigaction *action)
{
    memset(action, 0, sizeof *action);
    return sigaction(signum, NULL, action) == 0 ? 0 : -errno;
}

/* Fill in what that has left out of a handler. Where it is not known there is no address. */
static void read_the_rest(int signum, struct sigaction *action)
{
#if SIGCFFI_HAS_RESTORER
    if (!sigcffi_is_function(sigcffi_handler_of(action))) return;
    struct sigcffi_kernel_sigaction whole;
    if (syscall(SYS_rt_sigaction, signum, NULL, &whole, sizeof whole.mask) == 0 &&
        whole.handler == action->sa_handler) /* or somebody has been there in between */
        action->sa_restorer = whole.restorer;
#else
    (void)signum;
    (void)action;
#endif
}

/* Give the kernel exactly this: also how the handler returns, which no C library lets its callers
 * choose. */
static int write_exactly(int signum, const struct sigaction *action)
{
#if SIGCFFI_HAS_RESTORER
    struct sigaction without = *action;
    struct sigcffi_kernel_sigaction whole;
    without.sa_flags &= ~SA_RESTORER; /* or there would be one for a moment that is no address */
    if (sigaction(signum, &without, NULL) != 0) return -errno;
    if (!sigcffi_is_function(sigcffi_handler_of(action)) || !(action->sa_flags & SA_RESTORER) ||
        action->sa_restorer == NULL)
        return 0;
    if (syscall(SYS_rt_sigaction, signum, NULL, &whole, sizeof whole.mask) != 0) return -errno;
    if (whole.restorer == action->sa_restorer) return 0;
    whole.flags |= SA_RESTORER;
    whole.restorer = action->sa_restorer; /* what else there is, is what was just written */
    if (syscall(SYS_rt_sigaction, signum, &whole, NULL, sizeof whole.mask) != 0) return -errno;
    return 0;
#else
    return sigaction(signum, action, NULL) == 0 ? 0 : -errno;
#endif
}

/* Lock held. Give the kernel exactly this, without the trampoline. */
static int install_exactly(int signum, const struct sigaction *action)
{
    atomic_fetch_and(&state.wanted, ~sigcffi_bit(signum));
    on_top[signum] = 0;
    return write_exactly(signum, action);
}

/* Lock held. Give the kernel the trampoline, `ours`, which returns to our own code; the handler
 * that it has replaced is believed to be `under`.
 *
 * The C library cannot be told where it returns to. But it is to know that there is a handler:
 * musl's posix_spawn() takes away those that it knows of. And other libraries may stand in its
 * place, and keep the kernel's handler to themselves. So it is passed by only where the kernel has
 * a handler that it was told of: the interpreter's, just installed, or the trampoline. */
static int give_trampoline(int signum, const struct sigaction *ours, uintptr_t under,
                           struct sigaction *found)
{
    bool replaced = false;
#if SIGCFFI_HAS_RETURN
    struct sigcffi_kernel_sigaction mine = {.handler = ours->sa_handler,
                                            .flags = (unsigned)ours->sa_flags | SA_RESTORER,
                                            .restorer = (void (*)(void))sigcffi_own_return()},
                                    was;
    memcpy(mine.mask, &ours->sa_mask, sizeof mine.mask);
    if (classify(under) == SIGCFFI_PYTHON &&
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
    /* Unless somebody was quicker by an instant, and is left alone. */
    if (syscall(SYS_rt_sigaction, signum, &mine, &was, sizeof mine.mask) == 0 &&
        was.handler != mine.handler)
        syscall(SYS_rt_sigaction, signum, &was, NULL, sizeof was.mask);
#else
    (void)under;
#endif
    return 0;
}

/* Lock held. Put the trampoline in the kernel's place for `signum`, on top of `under` and with
 * `flags` beside those that it takes over; what it has replaced. */
static int put_on_top(int signum, const struct sigaction *under, int flags, struct sigaction *found)
{
    int level = level_for(signum, under);
    struct sigaction ours;
    memset(&ours, 0, sizeof ours);
    memset(found, 0, sizeof *found);
    ours.sa_sigaction = sigcffi_levels[level];
    ours.sa_flags = SA_SIGINFO | (under->sa_flags & kept_flags) | flags;
    /* A C library's handler runs on the stack that it asked for. */
    if (classify(sigcffi_handler_of(under)) != SIGCFFI_FOREIGN || (under->sa_flags & SA_ONSTACK))
        ours.sa_flags |= SA_ONSTACK;
    /* What interrupts no system call by itself shall not do so because of what stands on it; but a
     * poke shall. */
    if (signum != SIGURG && !sigcffi_is_function(sigcffi_handler_of(under)) &&
        !(atomic_load(&channel.attached) & sigcffi_bit(signum)))
        ours.sa_flags |= SA_RESTART;
    /* Children of a process that ignores SIGCHLD leave no zombies; they must not start to. */
    if (signum == SIGCHLD && sigcffi_handler_of(under) == (uintptr_t)SIG_IGN)
        ours.sa_flags |= SA_NOCLDWAIT;
    /* No handler interrupts another on the same thread, except for a fault in it. */
    ours.sa_mask = sigcffi_set_of(state.trampoline_mask);
    /* Before the first signal that may need it. Where that fails pokes do, and calls are made on
     * the spot. */
    if (signum != SIGURG && !(atomic_load(&state.wanted) & sigcffi_bit(signum)))
        sigcffi_keep_interposed(SIGURG);
    /* The base first: the trampoline may run before sigaction() returns. */
    set_base(level, signum, under);
    atomic_fetch_or(&state.wanted, sigcffi_bit(signum));
    int result = give_trampoline(signum, &ours, sigcffi_handler_of(under), found);
    if (result != 0) return result;
    on_top[signum] = (signed char)(level + 1);
    if (signum != SIGURG && sigcffi_wants_pokes() &&
        classify(sigcffi_handler_of(under)) == SIGCFFI_PYTHON)
        sigcffi_prepare_pokes();
    return 0;
}

/* Lock held. The same where the kernel is believed to have `under` now. */
static int put_on_top_of(int signum, const struct sigaction *under, int flags)
{
    struct sigaction found;
    int result = put_on_top(signum, under, flags, &found);
    /* Somebody else was quicker by an instant: theirs is the base. */
    if (result == 0 && sigcffi_handler_of(&found) != sigcffi_handler_of(under) &&
        !is_trampoline(&found))
        set_base(on_top[signum] - 1, signum, &found);
    return result;
}

/* What the kernel does with `signum`, but for the moment in which a handler stops the process by
 * it.
 */
static int look(int signum, struct sigaction *now)
{
    for (int tries = 0;; tries++) {
        uint32_t stops = atomic_load(&state.stops);
        int result = read_briefly(signum, now);
        if (result != 0) return result;
        if ((stops & SIGCFFI_STOPPING) != (uint32_t)signum && atomic_load(&state.stops) == stops)
            return 0;
        sigcffi_wait_a_little(tries);
    }
}

/* What the kernel does with `signum`, seen through the trampoline. */
int sigcffi_query(int signum)
{
    struct sigaction now;
    int result = look(signum, &now);
    if (result != 0) return result;
    return classify(sigcffi_beneath(signum, sigcffi_handler_of(&now)));
}

/* The same, before it is replaced; SIGCFFI_SLOTTED in addition if actions are attached to it. */
int sigcffi_query_slotted(int signum)
{
    int kind = sigcffi_query(signum);
    if (kind >= 0 && (atomic_load(&channel.slotted) & sigcffi_bit(signum))) kind |= SIGCFFI_SLOTTED;
    return kind;
}

/* Whether the code at `handler` is part of the interpreter, or of a program that it is part of. */
static bool is_interpreters(uintptr_t handler)
{
    void *api = dlsym(RTLD_DEFAULT, "Py_IsInitialized");
    if (api == NULL) api = dlsym(RTLD_DEFAULT, "PyPy_IsInitialized");
    Dl_info home, candidate;
    /* An interpreter loaded privately cannot be looked up; then the caller's word counts. */
    if (api == NULL || dladdr(api, &home) == 0) return true;
    return dladdr((void *)handler, &candidate) != 0 && candidate.dli_fbase == home.dli_fbase;
}

/* The interpreter believes that `signum` has a Python handler. Unless its C handler is known
 * already, learn it from there: where the main thread could not be asked (sigcffi_learn) nothing
 * tells its address but a signal it has installed. */
int sigcffi_recognise(int signum)
{
    struct sigaction now;
    int result = look(signum, &now);
    if (result != 0) return result;
    uintptr_t handler = sigcffi_handler_of(&now);
    /* The interpreter's handler takes one argument. faulthandler's, which comes from the same
     * object file, does too, but it nests in order to chain. */
    if (atomic_load(&state.interpreter) == 0 && sigcffi_is_function(handler) &&
        !is_trampoline(&now) && !(now.sa_flags & (SA_SIGINFO | SA_NODEFER)) &&
        is_interpreters(handler))
        atomic_store(&state.interpreter, handler);
    return sigcffi_query(signum);
}

/* Lock held. What the interpreter installs for a Python handler, learned from the first one: saves
 * asking each time. */
static struct sigaction known;

/* Lock held. The same; null, and an errno in `result`, if `signum` cannot teach it. */
static const struct sigaction *interpreters_action(int signum, int *result)
{
    if (sigcffi_is_function(sigcffi_handler_of(&known))) return &known;
    struct sigaction now;
    *result = read_briefly(signum, &now);
    if (*result != 0) return NULL;
    if (!sigcffi_is_function(sigcffi_handler_of(&now))) {
        *result = -EINVAL;
        return NULL;
    }
    read_the_rest(signum, &now);
    known = now;
    atomic_store(&state.interpreter, sigcffi_handler_of(&known));
    sigcffi_set_main_thread((unsigned long)pthread_self(), 0);
    sigcffi_aim_pokes(false);
    return &known;
}

/* The interpreter has this moment installed its handler for `signum`, in this thread, and it is
 * going to take it away again: all that is learned from it. */
int sigcffi_learn(int signum)
{
    if (!sigcffi_is_signal(signum)) return -EINVAL;
    int result = 0;
    sigcffi_take_lock();
    interpreters_action(signum, &result);
    sigcffi_release_lock();
    return result;
}

/* The interpreter has this moment installed its handler for `signum`, in this thread: so that
 * handler is its own, this thread is the main thread, and the trampoline goes on top. */
int sigcffi_registered(int signum)
{
    if (!sigcffi_is_signal(signum)) return -EINVAL;
    int result = 0;
    sigcffi_take_lock();
    const struct sigaction *known = interpreters_action(signum, &result);
    if (known != NULL) result = put_on_top_of(signum, known, 0);
    sigcffi_release_lock();
    return result;
}

/* The interpreter runs the dispatcher for `signum`: record it, and put the trampoline on top of the
 * interpreter's handler, with some of the flags that the kernel knows. */
int sigcffi_dispatched(int signum, int flags)
{
    if (!sigcffi_is_signal(signum)) return -EINVAL;
    int result = 0;
    struct sigaction found;
    sigcffi_take_lock();
    const struct sigaction *interpreters = interpreters_action(signum, &result);
    if (interpreters != NULL) {
        atomic_fetch_or(&channel.attached, sigcffi_bit(signum));
        sigcffi_call_by_urgent(sigcffi_bit(signum), 0);
        result = put_on_top(signum, interpreters, flags & kept_flags, &found);
    }
    sigcffi_release_lock();
    return result;
}

/* The dispatcher is called by SIGURG for the signals in `set`, or no more: see wake.c. */
void sigcffi_call_by_urgent(uint64_t set, int on)
{
    if (on)
        atomic_fetch_or(&channel.foreign, set);
    else
        atomic_fetch_and(&channel.foreign, ~set);
}

/* Record this signal from now on, or no more. */
void sigcffi_record(int signum, int on)
{
    if (on) {
        atomic_fetch_or(&channel.attached, sigcffi_bit(signum));
    } else {
        atomic_fetch_and(&channel.attached, ~sigcffi_bit(signum));
        sigcffi_call_by_urgent(sigcffi_bit(signum), 0);
    }
}

/* Lock held. Whether an action is no more than its handler tells: no flags and no signals in the
 * mask that would have to be put back beside it. Without a function to call few flags mean much. */
static bool is_usual(const struct sigaction *action)
{
    uintptr_t handler = sigcffi_handler_of(action);
    if (!sigcffi_is_function(handler))
        return (action->sa_flags & (SA_NOCLDSTOP | SA_NOCLDWAIT)) == 0;
    return handler == sigcffi_handler_of(&known) && action->sa_flags == known.sa_flags &&
           sigcffi_word_of(&action->sa_mask) == sigcffi_word_of(&known.sa_mask);
}

/* What stands under the trampoline, or in its place: its kind, and in addition SIGCFFI_COVERED if
 * the trampoline is there and SIGCFFI_USUAL if the kind says it all. */
int sigcffi_save(int signum, struct sigaction *saved)
{
    struct sigaction now;
    int result = look(signum, &now);
    if (result != 0) return result;
    int more = 0;
    sigcffi_take_lock();
    note(signum, &now);
    if (is_trampoline(&now)) {
        now = base_under(signum, &now);
        more = SIGCFFI_COVERED;
    } else {
        read_the_rest(signum, &now);
    }
    if (is_usual(&now)) more |= SIGCFFI_USUAL;
    sigcffi_release_lock();
    if (saved != NULL) *saved = now;
    return classify(sigcffi_handler_of(&now)) | more;
}

/* The flags of the interpreter's handler. */
int sigcffi_usual_flags(void)
{
    return known.sa_flags;
}

/* Make `base` what is done about the signal: under the trampoline if something needs that, or it is
 * the interpreter's and was `covered`; else alone. */
int sigcffi_put_back(int signum, const struct sigaction *base, int covered)
{
    if (!sigcffi_is_signal(signum)) return -EINVAL;
    struct sigaction found;
    sigcffi_take_lock();
    int result = look(signum, &found);
    if (result == 0) {
        note(signum, &found);
        if (is_needed(signum) || (covered && classify(sigcffi_handler_of(base)) == SIGCFFI_PYTHON))
            result = put_on_top(signum, base, 0, &found);
        else
            result = install_exactly(signum, base);
    }
    sigcffi_release_lock();
    return result;
}

/* What `base` must be for a signal that is ignored. */
void sigcffi_ignore(struct sigaction *base)
{
    base->sa_handler = SIG_IGN;
}

/* Lock held. */
static int interpose_unless_there(int signum, bool only_interpreter)
{
    struct sigaction now;
    int result = look(signum, &now);
    if (result != 0) return result;
    note(signum, &now);
    if (is_trampoline(&now)) {
        if (now.sa_flags & SA_SIGINFO) return 0;
        now = base_under(signum, &now); /* put back by signal(2): it is told nothing */
    }
    if (only_interpreter && classify(sigcffi_handler_of(&now)) != SIGCFFI_PYTHON) return 0;
    read_the_rest(signum, &now);
    return put_on_top_of(signum, &now, 0);
}

/* Put the trampoline on top of the interpreter's handler, if that is what the kernel has. */
int sigcffi_cover(int signum)
{
    sigcffi_take_lock();
    int result = interpose_unless_there(signum, true);
    sigcffi_release_lock();
    return result;
}

/* Lock held. The same on top of whatever is there. */
int sigcffi_interpose_locked(int signum)
{
    return interpose_unless_there(signum, false);
}

/* Put the trampoline on top of whatever is there. */
int sigcffi_interpose(int signum)
{
    sigcffi_take_lock();
    int result = sigcffi_interpose_locked(signum);
    sigcffi_release_lock();
    return result;
}

/* The same if something is attached to it: somebody may have put a handler in the trampoline's
 * place. Not otherwise: where the last action has just been detached nothing would take it away. */
int sigcffi_stay_on_top(int signum)
{
    int result = 0;
    sigcffi_take_lock();
    if (sigcffi_is_signal(signum) && (atomic_load(&channel.slotted) & sigcffi_bit(signum)))
        result = sigcffi_interpose_locked(signum);
    sigcffi_release_lock();
    return result;
}

/* Lock held. Put the base back, unless somebody else has replaced the trampoline meanwhile, or
 * it is the interpreter's and `keeps_python`. */
static int withdraw(int signum, bool keeps_python)
{
    struct sigaction now;
    int result = look(signum, &now);
    if (result != 0) return result;
    if (keeps_python &&
        classify(sigcffi_beneath(signum, sigcffi_handler_of(&now))) == SIGCFFI_PYTHON)
        return 0;
    note(signum, &now);
    if (!is_trampoline(&now)) {
        atomic_fetch_and(&state.wanted, ~sigcffi_bit(signum));
        return 0;
    }
    now = base_under(signum, &now);
    return install_exactly(signum, &now);
}

/* The same. */
int sigcffi_withdraw(int signum)
{
    sigcffi_take_lock();
    int result = withdraw(signum, false);
    sigcffi_release_lock();
    return result;
}

/* Lock held. The same where nothing needs the trampoline: no action, not the dispatcher, nor a
 * Python handler, which has it wherever sigcffi has come by. */
void sigcffi_withdraw_unneeded(int signum)
{
    if (!is_needed(signum)) withdraw(signum, true);
}

/* Lock held. Whether a delivery that the trampoline has begun with is still to be gone on with: the
 * trampoline is there, or somebody has put a handler in its place who may call it. */
bool sigcffi_is_handled(int signum)
{
    struct sigaction now;
    if (read_briefly(signum, &now) != 0 || is_trampoline(&now)) return true;
    return on_top[signum] != 0 && sigcffi_is_function(sigcffi_handler_of(&now));
}

/* ---- Counts ---- */

uint64_t sigcffi_deliveries(int signum)
{
    return sigcffi_is_signal(signum) ? atomic_load(&state.deliveries[signum]) : 0;
}

uint64_t sigcffi_dropped(int signum)
{
    return sigcffi_is_signal(signum) ? atomic_load(&state.dropped[signum]) : 0;
}

/* Deliveries that the main channel was to take. */
uint64_t sigcffi_offered(void)
{
    uint64_t offered = atomic_load(&channel.ring.head) - atomic_load(&state.began);
    for (int signum = 1; signum < NSIG; signum++) offered += atomic_load(&state.dropped[signum]);
    return offered;
}

/* ---- The process ---- */

static void before_fork(void)
{
    sigset_t all, former;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &former);
    /* The lock serialises forks too: there is one place to keep the mask. */
    sigcffi_take_lock();
    mask_before_fork = former;
}

static void after_fork_in_parent(void)
{
    sigset_t former = mask_before_fork;
    sigcffi_release_lock();
    pthread_sigmask(SIG_SETMASK, &former, NULL);
}

/* In a forked child: the thread that was stopping the process, and would have put the handler back,
 * has not come along. */
static void finish_stop(void)
{
    int signum = (int)(atomic_exchange(&state.stops, 0) & SIGCFFI_STOPPING);
    if (signum == 0 || on_top[signum] == 0) return;
    struct sigaction base = whole[on_top[signum] - 1][signum], found;
    put_on_top(signum, &base, 0, &found);
}

/* The child is a new process: nothing is pending of what its parent received, and the thread
 * that forked is its main thread. What was installed, attached and deferred stays. */
static void after_fork_in_child(void)
{
    for (int signum = 1; signum < NSIG; signum++) {
        atomic_store(&state.deliveries[signum], 0);
        atomic_store(&state.dropped[signum], 0);
        atomic_fetch_and(&channel.calls[signum], SIGCFFI_ON_ITS_WAY - 1);
    }
    atomic_store(&channel.pending, 0);
    atomic_store(&state.held, 0);
    /* The records are the parent's, also those that a thread was just writing. */
    uint64_t head = atomic_load(&channel.ring.head);
    atomic_store(&state.began, head);
    for (uint64_t n = atomic_exchange(&channel.ring.tail, head); n != head; n++)
        atomic_store(&channel.records[n % SIGCFFI_CAPACITY].sequence, 0);
    finish_stop();
    sigcffi_slots_after_fork();
    sigcffi_receivers_after_fork();
    sigcffi_sleepers_after_fork();
    sigcffi_deadman_after_fork();
    sigcffi_timers_after_fork();
    mask_before_fork =
        sigcffi_set_of(sigcffi_pressure_after_fork(sigcffi_word_of(&mask_before_fork)));
    if (!sigcffi_on_main_thread()) {
        /* The handlers that ran, and the mask that has been added to, were another thread's. */
        atomic_store(&channel.running, 0);
    }
    sigcffi_set_main_thread((unsigned long)pthread_self(), 0);
    sigcffi_aim_pokes(true);
    sigcffi_sections_after_fork();
    sigcffi_release_lock(); /* taken in the parent by the thread that this one is a copy of */
    sigcffi_main_mask(SIG_SETMASK, sigcffi_word_of(&mask_before_fork));
    pthread_sigmask(SIG_SETMASK, &mask_before_fork, NULL);
}

/* The thread `ident`, known to the kernel as `tid` (0: the calling thread), is the one in
 * which the interpreter runs Python handlers. */
void sigcffi_set_main_thread(unsigned long ident, int tid)
{
#if SIGCFFI_HAS_TGSIGQUEUE
    atomic_store(&state.main_tid, tid != 0 ? tid : (int)syscall(SYS_gettid));
#else
    (void)tid;
#endif
    atomic_store(&channel.main_thread, ident);
    sigset_t mask;
    if (sigcffi_on_main_thread() && pthread_sigmask(SIG_BLOCK, NULL, &mask) == 0)
        sigcffi_main_mask(SIG_SETMASK, sigcffi_word_of(&mask));
}

int sigcffi_is_main_thread(void)
{
    return sigcffi_on_main_thread();
}

static bool is_first_thread(void)
{
#if SIGCFFI_HAS_TGSIGQUEUE
    return syscall(SYS_gettid) == getpid();
#else
    return false;
#endif
}

/* Once, before anything else: 1 if the main thread is known after it, 0 if the caller has to name
 * it. The thread a program starts with is the main thread, unless it embeds an interpreter
 * elsewhere. -EALREADY for a second call, from another interpreter of the same process, which
 * changes nothing.
 */
int sigcffi_start(void)
{
    static atomic_flag started = ATOMIC_FLAG_INIT;
    if (atomic_flag_test_and_set(&started)) return -EALREADY;
    static const int left_out[] = {SIGKILL, SIGSTOP, SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP};
    /* Also those that the C library keeps for itself: by one of them glibc before 2.41 would end a
     * thread that is cancelled within the handler. */
    state.trampoline_mask = UINT64_MAX;
    for (size_t i = 0; i < sizeof left_out / sizeof *left_out; i++)
        state.trampoline_mask &= ~sigcffi_bit(left_out[i]);
    int error = pthread_atfork(before_fork, after_fork_in_parent, after_fork_in_child);
    if (error != 0) return -error;
    if (!is_first_thread()) return 0;
    sigcffi_set_main_thread((unsigned long)pthread_self(), 0);
    return 1;
}
