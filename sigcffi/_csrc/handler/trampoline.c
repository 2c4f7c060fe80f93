/* The trampoline: the C handler that sigcffi puts between the kernel and a base.
 *
 * Law: handler context, as all that this folder has. A delivery goes one way:
 *
 *     trampoline -> actions, receivers -> ring -> wake -> back-pressure -> base
 *
 * The base is whatever was there before: a foreign C handler is called at once on the thread
 * the kernel chose; the interpreter's handler is called on the main thread only.
 *
 * The trampoline is there at several levels, each with a base of its own, because others install
 * handlers on top of it, which call what they have found there, and it is put on top of those in
 * turn. The level that a delivery comes to first does all there is to do; one that is called on the
 * way down, by a base of the first, passes the delivery on to its own base and does no more.
 *
 * Only the kernel's arguments are believed: see who_calls().
 */
#include "handler.h"

/* How often this thread has been in the trampoline; written by its own handlers only. */
static SIGCFFI_THREAD_LOCAL volatile unsigned arrivals;

/* ---- Levels ---- */

static void arrive(int level, int signum, siginfo_t *info, void *context, const void *returns_to);

#define LEVEL(level)                                                       \
    static void level_##level(int signum, siginfo_t *info, void *context)  \
    {                                                                      \
        arrive(level, signum, info, context, __builtin_return_address(0)); \
    }
LEVEL(0)
LEVEL(1)
LEVEL(2)
LEVEL(3)
LEVEL(4)
LEVEL(5)
LEVEL(6)
LEVEL(7)

/* Outside handlers, once, before anything else. */
void sigcffi_trampoline_start(void)
{
    static void (*const levels[SIGCFFI_LEVELS])(int, siginfo_t *, void *) = {
        level_0, level_1, level_2, level_3, level_4, level_5, level_6, level_7};
    static const int left_out[] = {SIGKILL, SIGSTOP, SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP};
    for (int level = 0; level < SIGCFFI_LEVELS; level++)
        state.trampoline.levels[level] = (uintptr_t)levels[level];
    /* Also those that the C library keeps for itself: by one of them glibc before 2.41 would end a
     * thread that is cancelled within the handler. */
    state.trampoline.mask = UINT64_MAX;
    for (size_t i = 0; i < sizeof left_out / sizeof *left_out; i++)
        state.trampoline.mask &= ~sigcffi_bit(left_out[i]);
}

/* ---- Who calls ---- */

/* A call of the trampoline. */
struct call {
    siginfo_t *info; /* null, as is the context, where it cannot be believed */
    void *context;
    uintptr_t kernels; /* what the kernel had for the signal then */
    int level;
    short signum;
    bool by_kernel;
};

/* The call for which this thread called a foreign base last. The base may have left by siglongjmp:
 * then this is old, and who_calls() sees that. */
static SIGCFFI_THREAD_LOCAL struct call above;

/* How far apart the kernel puts siginfo and context; 0 if that is not known. relaxed: every handler
 * would store one number. */
static _Atomic ptrdiff_t apart;

/* handler context. Whether siginfo and context lie as the kernel puts them, and in a frame that is
 * still there: within reach above what this thread has on its stack now. (A variable's address does
 * not tell: AddressSanitizer has them elsewhere.) */
static bool lie_as_kernels(const struct call *call)
{
    const uintptr_t reach = 1 << 20, here = (uintptr_t)__builtin_frame_address(0);
    ptrdiff_t usual = atomic_load_explicit(&apart, memory_order_relaxed);
    return usual != 0 && (uintptr_t)call->info == (uintptr_t)call->context + (uintptr_t)usual &&
           (uintptr_t)call->context - here < reach && call->info->si_signo == call->signum;
}

/* Which position a call has among those that one delivery leads to. */
enum position {
    FIRST,
    BELOW, /* the first has called a base that has led here */
    AGAIN, /* and here is the first: what has led here has lost what stood beneath it */
};

/* handler context. Which code calls, which of the arguments can be believed, and which position the
 * call has.
 *
 * The kernel calls, if the call returns to our own code: no handler of others returns there. Others
 * may have taken the trampoline away and put it back, and then its calls return like theirs. So the
 * kernel is asked what it calls for the signal, whether with three arguments, and where that
 * returns to. (Where that cannot be told, the kernel is believed to have called what it has.)
 *
 * Else a handler of others calls, with one argument or with three. If the kernel still has what it
 * had when a foreign base was called for this signal, that base has led here. */
static enum position who_calls(struct call *call, uintptr_t returns_to)
{
    call->kernels = state.trampoline.levels[call->level];
    call->by_kernel = returns_to == sigcffi_levels_own_return();
    if (call->by_kernel) {
        atomic_store_explicit(&apart, (char *)call->info - (char *)call->context,
                              memory_order_relaxed);
        return FIRST;
    }
    const struct sigcffi_called now = sigcffi_platform_kernel_calls(call->signum);
    call->by_kernel =
        now.handler == call->kernels && (now.returns_to == 0 || now.returns_to == returns_to);
    call->kernels = now.handler;
    if (call->by_kernel && now.has_info) return FIRST;
    bool led = !call->by_kernel && above.signum == call->signum && above.kernels == now.handler;
    if (led && (above.level != call->level || above.by_kernel)) {
        call->info = above.info;
        call->context = above.context;
        return above.level == call->level ? AGAIN : BELOW;
    }
    if (call->by_kernel || !now.has_info || !lie_as_kernels(call)) {
        call->info = NULL;
        call->context = NULL;
    }
    return FIRST;
}

/* ---- Deliveries ---- */

/* handler context. Whether the kernel reports that an instruction could not be executed: the
 * thread cannot go on, and a handler "later" would never come. */
static bool is_fault(int signum, const siginfo_t *info)
{
    if (info == NULL) return false;
    switch (signum) {
    case SIGBUS:
        if (info->si_code == BUS_MCEERR_AO) return false; /* a report, not a fault */
    /* fall through */
    case SIGSEGV:
    case SIGFPE:
    case SIGILL:
    case SIGTRAP:
        /* What programs send has codes below zero, or very large ones. */
        return info->si_code > 0 && (SI_USER <= 0 || info->si_code < SI_USER);
    default: return false;
    }
}

/* handler context. Put a signal into the main channel. */
static void record(const struct call *call, int whom)
{
    /* A thread that enters a section after this load may find the handler just being called. */
    if (atomic_load(&channel.deferred) & sigcffi_bit(call->signum)) whom |= SIGCFFI_IN_SECTION;
    uint64_t fill = sigcffi_ring_push(&channel.ring, channel.records, SIGCFFI_CAPACITY,
                                      call->signum, whom, call->info);
    if (fill == 0)
        atomic_fetch_add_explicit(&state.counts.dropped[call->signum], 1, memory_order_relaxed);
    if (fill == 0 || fill >= SIGCFFI_HIGH_WATER)
        sigcffi_backpressure_apply(SIGCFFI_MAIN_CHANNEL, call->signum, call->context);
}

/* handler context. Whether this is the interpreter's own handler. */
static bool is_interpreters(uintptr_t handler)
{
    /* Before the interpreter's handler is known `interpreter` is 0, and so is SIG_DFL. */
    return sigcffi_is_function(handler) &&
           handler == atomic_load_explicit(&state.dispositions.interpreter, memory_order_relaxed);
}

/* handler context. Do all that is to be done about a delivery: its base, if that is a foreign
 * function, which is still to be called. */
static uintptr_t deliver(const struct call *call)
{
    int signum = call->signum;
    if (sigcffi_wake_is_poke(signum, call->info) ||
        sigcffi_retry_expired(call->info, call->context))
        return 0;
    uint64_t bit = sigcffi_bit(signum);
    /* Actors: this handler; a thread that has waited for the delivery to be counted, and takes the
     * trampoline away. The bad interleaving: the handler is counted and finds the trampoline
     * unwanted, and takes the default action beside what was attached. It is forbidden by looking
     * before counting. */
    bool left_over = call->by_kernel && !(atomic_load(&state.dispositions.wanted) & bit);
    bool fault = is_fault(signum, call->info);
    bool due = !fault && (atomic_load_explicit(&channel.recorded, memory_order_acquire) & bit);
    /* acquire: pairs with the release in sigcffi_bases_set() */
    uintptr_t base = atomic_load_explicit(&state.dispositions.bases[call->level][signum].handler,
                                          memory_order_acquire);
    bool python = is_interpreters(base), foreign = sigcffi_is_function(base) && !python;
    atomic_fetch_add_explicit(&state.counts.deliveries[signum], 1, memory_order_relaxed);
    if (!sigcffi_is_function(base) && call->info != NULL)
        sigcffi_backpressure_refuse_terminal(signum, call->info);
    sigcffi_actions_take(signum, call->info, call->context);
    if (!fault) sigcffi_actions_receive(signum, call->info, call->context);
    if (due) record(call, python ? SIGCFFI_FOR_ALL : SIGCFFI_FOR_SUBSCRIBERS);
    if (fault && !foreign) {
        sigcffi_defaults_fault(signum);
        return 0;
    }
    if (due || python) sigcffi_wake_pend(signum, call->context);
    if (base == (uintptr_t)SIG_DFL && left_over) sigcffi_defaults_take(signum);
    return foreign ? base : 0;
}

/* handler context. A delivery that a level above has dealt with comes to this level: its base, if
 * that is a foreign function, which is still to be called. */
static uintptr_t pass_on(const struct call *call)
{
    int signum = call->signum;
    uintptr_t base = atomic_load_explicit(&state.dispositions.bases[call->level][signum].handler,
                                          memory_order_acquire);
    if (!is_interpreters(base)) return sigcffi_is_function(base) ? base : 0;
    if (atomic_load(&channel.recorded) & sigcffi_bit(signum)) record(call, SIGCFFI_FOR_HANDLER);
    sigcffi_wake_pend(signum, call->context);
    return 0;
}

/* handler context. The level on top of the interpreter's handler, or -1. */
static int interpreters_level(int signum)
{
    int level = SIGCFFI_LEVELS - 1;
    while (level >= 0 &&
           !is_interpreters(atomic_load(&state.dispositions.bases[level][signum].handler)))
        level--;
    return level;
}

/* handler context */
static void call_handler(uintptr_t handler, int signum, siginfo_t *info, void *context)
{
    /* Three arguments whatever SA_SIGINFO says: every ABI lets a function ignore the rest,
     * and some handlers expect them although they were installed without the flag. */
    ((void (*)(int, siginfo_t *, void *))handler)(signum, info, context);
}

/* handler context. Call a foreign base with the arguments that this level was called with, and in
 * the world that the kernel would have given it: with its own mask, and once if it is to be called
 * once. It may never return. */
static void call_foreign(const struct call *call, uintptr_t handler, siginfo_t *info, void *context)
{
    struct base *base = &state.dispositions.bases[call->level][call->signum];
    if (call->by_kernel && atomic_load_explicit(&base->one_shot, memory_order_relaxed)) {
        handler = atomic_exchange(&base->handler, (uintptr_t)SIG_DFL);
        if (!sigcffi_is_function(handler)) return;
    }
    const struct call former = above;
    above = *call; /* while its signals are blocked */
    if (call->by_kernel && call->context != NULL) {
        const ucontext_t *interrupted = call->context;
        uint64_t mask = atomic_load_explicit(&base->mask, memory_order_relaxed);
        /* What a wait with a mask of its own (sigsuspend, ppoll) has interrupted is the mask that
         * comes back behind it. It may have the signal, which was not blocked. */
        uint64_t before = sigcffi_word_of(&interrupted->uc_sigmask) & ~sigcffi_bit(call->signum);
        sigset_t its = sigcffi_set_of(mask | before);
        pthread_sigmask(SIG_SETMASK, &its, NULL);
    }
    call_handler(handler, call->signum, info, context);
    above = former;
}

/* handler context, on any thread. The level was called, with these arguments. A foreign base comes
 * last: it may leave by siglongjmp, or end its thread, and nothing of ours is left behind. */
static void arrive(int level, int signum, siginfo_t *info, void *context, const void *returns_to)
{
    int saved_errno = errno;
    arrivals++;
    struct call call = {.info = info, .context = context, .level = level, .signum = (short)signum};
    uintptr_t foreign = 0;
    switch (who_calls(&call, (uintptr_t)returns_to)) {
    case FIRST:
        sigcffi_main_thread_note_mask(call.context);
        foreign = deliver(&call);
        sigcffi_wake_look_around(call.context);
        sigcffi_backpressure_on_return(signum, call.context);
        sigcffi_eventcount_notify();
        if (foreign != 0) call_foreign(&call, foreign, info, context);
        break;
    case BELOW:
        foreign = pass_on(&call);
        if (foreign != 0) call_handler(foreign, signum, info, context);
        break;
    case AGAIN:
        call.level = interpreters_level(signum);
        if (call.level >= 0) pass_on(&call);
        break;
    }
    errno = saved_errno;
}

/* Outside handlers */
unsigned sigcffi_trampoline_arrivals(void)
{
    return arrivals;
}
