/* The trampoline: the one C handler that sigcffi puts between the kernel and a base.
 *
 * Law: this file and what it calls (slots.c, ring.c, owing.c) are handler context. A delivery goes
 * one way:
 *
 *     trampoline -> slots, receivers -> ring -> base
 *
 * The base is whatever was there before: a foreign C handler is called at once on the thread
 * the kernel chose; the interpreter's handler is called on the main thread only.
 */
#include "owing.h"

#include <sched.h>
#include <ucontext.h>

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
#if defined(BUS_MCEERR_AO)
        if (info->si_code == BUS_MCEERR_AO) return false; /* a report, not a fault */
#endif
    /* fall through */
    case SIGSEGV:
    case SIGFPE:
    case SIGILL:
    case SIGTRAP: return info->si_code > 0;
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
     * core. After a trap the thread stands behind the instruction: send it once more. */
    if (signum == SIGTRAP) raise(signum);
}

/* handler context. The ring is filling up: on return from the handler this thread has blocked the
 * signals that go there, and the kernel keeps them, in order. Python lifts this when it has read.
 */
static void press(void *context)
{
    if (context == NULL) return; /* the trampoline was called by somebody else's handler */
    sigset_t *mask = &((ucontext_t *)context)->uc_sigmask;
    uint64_t blocked = sigcffi_word_of(mask), theirs = blocked & ~atomic_load(&state.main_pressed);
    uint64_t added = atomic_load(&channel.attached) & ~theirs;
    atomic_fetch_or(&channel.pressure, added);
    sigcffi_mask_set(mask, blocked | added);
}

/* How long a thread asks again whether it can pass on a signal, in naps of some 0.1 ms: for about
 * two seconds while the main thread runs, so is going to read the ring, and for about 20 ms while
 * it sleeps: it may be waiting for the GIL, and this thread may have it. */
enum { PATIENCE = 20000, ASLEEP = PATIENCE / 200 };

/* handler context */
static bool ring_has(uint64_t records)
{
    return atomic_load_explicit(&channel.ring.head, memory_order_relaxed) -
               atomic_load_explicit(&channel.ring.tail, memory_order_relaxed) >=
           records;
}

/* handler context. Another thread than the main thread is to put a signal into the main channel;
 * true if the signal goes on to the main thread instead.
 *
 * It does where the ring is filling up, and where something that has gone on before is still under
 * way, so that nothing overtakes; but not to a main thread that has blocked the signal itself,
 * unless the ring is full to the brim. The queue may be full at the moment. Then what is left of
 * the ring is used, or the thread waits a little. */
static bool goes_on(int signum, const siginfo_t *info)
{
    for (int waited = 0; waited < PATIENCE;) {
        bool behind = atomic_load(&state.passed_on) != 0;
        if (!behind && !ring_has(SIGCFFI_HIGH_WATER)) return false;
        /* What the main thread has blocked by itself would wait there for as long as that. */
        if (!behind && !ring_has(SIGCFFI_BRIM) && sigcffi_main_thread_refuses(signum)) return false;
        if (sigcffi_pass_on(signum, info)) return true;
        if (!behind && !ring_has(SIGCFFI_BRIM)) return false;
#if defined(SYS_nanosleep)
        const struct timespec instant = {.tv_nsec = 100000};
        syscall(SYS_nanosleep, &instant, NULL); /* bare: nanosleep() is a cancellation point */
#else
        sched_yield();
#endif
        waited += sigcffi_main_thread_runs() ? 1 : ASLEEP;
    }
    return false;
}

/* handler context. Put a signal into the main channel; false if it has gone on to the main thread
 * instead, where it will come again.
 *
 * Only the main thread may block its signals: what is sent to another thread alone would wait
 * there for as long as the main thread likes. */
static bool record(int signum, const siginfo_t *info, void *context)
{
    bool here = sigcffi_on_main_thread();
    if (!here && goes_on(signum, info)) return false;
    uint64_t level = sigcffi_push(&channel.ring, channel.records, SIGCFFI_CAPACITY, signum, info);
    /* Others may have filled it meanwhile. */
    if (level == 0 && !here && sigcffi_pass_on(signum, info)) return false;
    if (level == 0) atomic_fetch_add_explicit(&state.dropped[signum], 1, memory_order_relaxed);
    if (here && (level == 0 || level >= SIGCFFI_HIGH_WATER)) press(context);
    return true;
}

/* handler context. Call a base that is not the interpreter's. */
static void call_foreign(uintptr_t handler, int signum, siginfo_t *info, void *context)
{
    if (atomic_load_explicit(&state.one_shot[signum], memory_order_relaxed)) {
        handler = atomic_exchange(&state.base[signum], (uintptr_t)SIG_DFL);
        if (!sigcffi_is_function(handler)) return;
    }
    void *former = lent;
    lent = context;
    sigcffi_call(handler, signum, info, context);
    lent = former;
}

/* handler context */
static void deliver(int signum, siginfo_t *info, void *context)
{
    enum sigcffi_arrival arrival = sigcffi_arrival_of(signum, info);
    if (arrival == SIGCFFI_NOTE) {
        sigcffi_settle(signum, info, context);
        return;
    }
    uint64_t bit = sigcffi_bit(signum);
    bool fault = is_fault(signum, info);
    bool due = !fault && (atomic_load_explicit(&channel.attached, memory_order_acquire) & bit);
    /* acquire: pairs with the release in put_on_top */
    uintptr_t handler = atomic_load_explicit(&state.base[signum], memory_order_acquire);
    /* Before the interpreter's handler is known `interpreter` is 0, and so is SIG_DFL. */
    bool python = sigcffi_is_function(handler) &&
                  handler == atomic_load_explicit(&state.interpreter, memory_order_relaxed);
    if (arrival == SIGCFFI_DELIVERY) {
        /* A handler that was installed on top of the trampoline and calls what was there before
         * it, as handlers should: the delivery that it is lent has been dealt with. */
        if (context != NULL && context == lent && atomic_load(&state.above[signum])) return;
        atomic_fetch_add_explicit(&state.deliveries[signum], 1, memory_order_relaxed);
        sigcffi_act(signum, info);
        if (!fault) sigcffi_receive(signum, info, context);
    }
    due = due ? record(signum, info, context) : python;
    /* After it was recorded: then nothing of the same sender can overtake it any more. */
    if (arrival == SIGCFFI_PASSED_ON) sigcffi_passed_on_has_arrived(signum);
    if (sigcffi_is_function(handler) && !python) {
        if (arrival == SIGCFFI_DELIVERY) call_foreign(handler, signum, info, context);
    } else if (fault) {
        die_of(signum);
        return;
    }
    if (due) sigcffi_owe(signum, info, context);
}

/* handler context. The same, and what follows from it for this thread and for those that wait. */
static void run(int signum, siginfo_t *info, void *context)
{
    deliver(signum, info, context);
    sigcffi_relax(signum, context);
    sigcffi_something_happened();
}

/* handler context: the kernel calls it, on any thread */
void sigcffi_trampoline(int signum, siginfo_t *info, void *context)
{
    int saved_errno = errno;
    arrivals++;
    if (sigcffi_on_main_thread()) {
        /* relaxed: another thread that is told too late, or too early, looks again. */
        atomic_store_explicit(&state.main_inside, true, memory_order_relaxed);
        run(signum, info, context);
        atomic_store_explicit(&state.main_inside, false, memory_order_relaxed);
    } else {
        run(signum, info, context);
    }
    errno = saved_errno;
}

/* Outside handlers */
unsigned sigcffi_arrivals(void)
{
    return arrivals;
}
