/* The trampoline: the one C handler that sigcffi puts between the kernel and a base.
 *
 * Law: this file and what it calls (slots.c, ring.c, pressure.c, wake.c) are handler context. A
 * delivery goes one way:
 *
 *     trampoline -> slots, receivers -> ring -> base
 *
 * The base is whatever was there before: a foreign C handler is called at once on the thread
 * the kernel chose; the interpreter's handler is called on the main thread only.
 */
#include "wake.h"

struct channel channel;
struct state state;

/* How often this thread has been in the trampoline; written by its own handlers only. */
static SIGCFFI_THREAD_LOCAL volatile unsigned arrivals;

/* The context of the signal for which this thread is calling a foreign base. */
static SIGCFFI_THREAD_LOCAL void *volatile lent;

/* handler context. Whether the kernel reports that an instruction could not be executed: the
 * thread cannot go on, and a handler "later" would never come. */
static bool is_fault(int signum, const siginfo_t *info)
{
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

/* handler context. The process ends by this signal, as without a handler. */
static void die_of(int signum)
{
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_handler = SIG_DFL;
    sigaction(signum, &action, NULL);
    /* Returning executes the faulting instruction again, now with the true siginfo in the
     * core. After a trap the thread stands behind the instruction: send it once more. The first
     * process of a namespace is spared what it sends to itself. */
    if (signum == SIGTRAP) sigcffi_take_default(signum);
}

/* handler context. Put a signal into the main channel. */
static void record(int signum, const siginfo_t *info, void *context)
{
    uint64_t level = sigcffi_push(&channel.ring, channel.records, SIGCFFI_CAPACITY, signum, info);
    if (level == 0) atomic_fetch_add_explicit(&state.dropped[signum], 1, memory_order_relaxed);
    if (level == 0 || level >= SIGCFFI_HIGH_WATER)
        sigcffi_press(SIGCFFI_MAIN_CHANNEL, signum, context);
}

/* handler context. Call a base that is not the interpreter's, in the world that it asked for: with
 * its own mask, as if the kernel had called it. It may never return. */
static void call_foreign(uintptr_t handler, int signum, siginfo_t *info, void *context)
{
    if (atomic_load_explicit(&state.one_shot[signum], memory_order_relaxed)) {
        handler = atomic_exchange(&state.base[signum], (uintptr_t)SIG_DFL);
        if (!sigcffi_is_function(handler)) return;
    }
    uint64_t mask = atomic_load_explicit(&state.base_mask[signum], memory_order_relaxed);
    if (context != NULL) {
        sigset_t its = sigcffi_set_of(mask | sigcffi_word_of(&((ucontext_t *)context)->uc_sigmask));
        pthread_sigmask(SIG_SETMASK, &its, NULL);
    }
    void *former = lent;
    lent = context;
    sigcffi_call(handler, signum, info, context);
    lent = former;
}

/* handler context. Do all that is to be done about a delivery, but for a base that is not the
 * interpreter's, which is to be called: that, or 0. */
static uintptr_t deliver(int signum, siginfo_t *info, void *context)
{
    if (sigcffi_is_poke(signum, info) || sigcffi_poked(info, context)) return 0;
    uint64_t bit = sigcffi_bit(signum);
    bool fault = is_fault(signum, info);
    bool due = !fault && (atomic_load_explicit(&channel.attached, memory_order_acquire) & bit);
    /* acquire: pairs with the release in put_on_top */
    uintptr_t handler = atomic_load_explicit(&state.base[signum], memory_order_acquire);
    /* Before the interpreter's handler is known `interpreter` is 0, and so is SIG_DFL. */
    bool python = sigcffi_is_function(handler) &&
                  handler == atomic_load_explicit(&state.interpreter, memory_order_relaxed);
    bool foreign = sigcffi_is_function(handler) && !python;
    /* A handler that was installed on top of the trampoline and calls what was there before it, as
     * handlers should: the delivery that it is lent has been dealt with. */
    if (context != NULL && context == lent && atomic_load(&state.above[signum])) return 0;
    atomic_fetch_add_explicit(&state.deliveries[signum], 1, memory_order_relaxed);
    if (!sigcffi_is_function(handler)) sigcffi_refuse_terminal(signum, info);
    sigcffi_act(signum, info);
    if (!fault) sigcffi_receive(signum, info, context);
    if (due) record(signum, info, context);
    if (fault && !foreign) {
        die_of(signum);
        return 0;
    }
    if (due || python) sigcffi_pend(signum, context);
    return foreign ? handler : 0;
}

/* handler context: the kernel calls it, on any thread. A foreign base comes last: it may leave by
 * siglongjmp, or end its thread, and nothing of ours is left behind. */
void sigcffi_trampoline(int signum, siginfo_t *info, void *context)
{
    int saved_errno = errno;
    arrivals++;
    sigcffi_note_mask(context);
    uintptr_t foreign = deliver(signum, info, context);
    sigcffi_look_around(context);
    sigcffi_relax(signum, context);
    sigcffi_something_happened();
    if (foreign != 0) call_foreign(foreign, signum, info, context);
    errno = saved_errno;
}

/* Outside handlers */
unsigned sigcffi_arrivals(void)
{
    return arrivals;
}
