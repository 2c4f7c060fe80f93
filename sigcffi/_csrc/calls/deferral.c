/* Deferral: critical sections, and the main thread's return to what waited for it.
 *
 * Law: ordinary calls, made outside handlers. What handlers read of this is one word,
 * channel.deferred; how often a signal is deferred is counted here. What waits is known by
 * channel.pending and state.wake.delayed, which handler/wake.c sets. The numbers are those of the
 * steps in tests/models/wake.pml.
 */
#include "threads.h"

static struct sections sections; /* of all threads, under the lock */

/* The signals that these sections defer. */
static uint64_t set_of(const struct sections *these)
{
    uint64_t set = these->of_all > 0 ? UINT64_MAX : 0;
    if (set == 0 && these->all > 0)
        for (int signum = 1; signum < NSIG; signum++)
            if (these->of[signum] > 0) set |= sigcffi_bit(signum);
    return set;
}

/* Lock held. The word that handlers read. */
static void update_word(void)
{
    atomic_store(&channel.deferred, set_of(&sections));
}

/* Lock held */
static void count(struct sections *these, uint64_t set, int step)
{
    these->all += step;
    if (set == UINT64_MAX)
        these->of_all += step;
    else
        for (; set != 0; set &= set - 1) these->of[__builtin_ctzll(set) + 1] += step;
}

/* ---- What had to wait ---- */

/* Under the lock: beyond the first, how many deliveries a pending call stands for. */
static unsigned repeats[NSIG];

/* Nothing forbids the calls in `set` any longer.
 *
 * A signal that had to wait, and whose trampoline has gone meanwhile, is given back to the kernel,
 * which does with it what it would have done with one that was blocked. Not where somebody has put
 * a handler on top of the trampoline: that handler may pass on what comes, and the trampoline has
 * taken actions and made records of this signal. Nor where another thread is just putting such a
 * handler there: the signal was delivered before the trampoline went.
 *
 * It is given back at the end, when all is done and the lock is free: a handler need not return. */
static void let_through(uint64_t set)
{
    unsigned times[NSIG];
    uint64_t theirs = 0;
    sigcffi_lock_acquire();
    for (uint64_t rest = set & atomic_load(&state.wake.delayed); rest != 0; rest &= rest - 1) {
        int signum = __builtin_ctzll(rest) + 1;
        uint64_t bit = sigcffi_bit(signum);
        times[signum] = 1 + repeats[signum];
        repeats[signum] = 0;
        atomic_fetch_and(&state.wake.delayed, ~bit);
        if (sigcffi_dispositions_is_handled(signum)) continue;
        theirs |= atomic_fetch_and(&channel.pending, ~bit) & bit;
    }
    sigcffi_lock_release();
    sigcffi_wake_main(set);
    for (; theirs != 0; theirs &= theirs - 1) {
        int signum = __builtin_ctzll(theirs) + 1;
        while (times[signum]-- > 0) kill(getpid(), signum);
    }
}

/* Let all through that is pending and that nothing forbids: how many signals. */
int sigcffi_deferral_settle(void)
{
    uint64_t due = atomic_load(&channel.pending) & ~sigcffi_wake_forbidden();
    if (due != 0) let_through(due);
    return __builtin_popcountll(due);
}

/* Of the deliveries of a signal the dispatcher has not handed over so many: a call is due anew. */
void sigcffi_deferral_pend_again(int signum, unsigned times)
{
    if (!sigcffi_is_signal(signum) || times == 0) return;
    uint64_t bit = sigcffi_bit(signum);
    sigcffi_lock_acquire();
    repeats[signum] += times - 1;
    sigcffi_lock_release();
    atomic_fetch_or(&state.wake.delayed, bit);
    atomic_fetch_or(&channel.pending, bit);
    sigcffi_deferral_settle();
}

/* The dispatcher takes a signal on, and with it a call that is pending for deliveries that were not
 * recorded: how many it stands for. */
unsigned sigcffi_deferral_take_pending(int signum)
{
    if (!sigcffi_is_signal(signum)) return 0;
    uint64_t bit = sigcffi_bit(signum);
    sigcffi_lock_acquire();
    unsigned times = 1 + repeats[signum];
    repeats[signum] = 0;
    if (!(atomic_fetch_and(&channel.pending, ~bit) & bit)) times = 0;
    atomic_fetch_and(&state.wake.delayed, ~bit);
    sigcffi_lock_release();
    return times;
}

/* ---- Critical sections ---- */

/* How many sections this thread is in. */
unsigned sigcffi_deferral_sections(void)
{
    const struct thread *thread = sigcffi_threads_current();
    return thread != NULL ? (unsigned)thread->sections.all : 0;
}

/* The signals that the sections of this thread defer. */
uint64_t sigcffi_deferral_set(void)
{
    const struct thread *thread = sigcffi_threads_current();
    return thread != NULL ? set_of(&thread->sections) : 0;
}

/* No call is made to a handler of the signals in `set` (all ones: of any signal) until the set has
 * been lifted as often as it was deferred. Whether calls have been made since the last time that
 * this was asked: the interpreter may have been called just now, and its Python handlers not have
 * run. */
bool sigcffi_deferral_defer(uint64_t set)
{
    struct thread *thread = sigcffi_threads_current();
    sigcffi_lock_acquire();
    count(&sections, set, 1);
    if (thread != NULL) count(&thread->sections, set, 1);
    /* The word need not be made anew from the counts: entering a section only adds to it. */
    atomic_fetch_or(&channel.deferred, set);
    sigcffi_lock_release();
    return atomic_load_explicit(&state.wake.called, memory_order_relaxed) &&
           atomic_exchange(&state.wake.called, false);
}

/* Let the signals in `set` through again; how many were let through that had arrived meanwhile. */
int sigcffi_deferral_lift(uint64_t set)
{
    struct thread *thread = sigcffi_threads_current();
    sigcffi_lock_acquire();
    count(&sections, set, -1);
    if (thread != NULL) count(&thread->sections, set, -1);
    update_word(); /* 1 */
    sigcffi_lock_release();
    /* 2. Sequentially consistent, as is the other side: see sigcffi_wake_pend(). */
    return atomic_load(&channel.pending) == 0 ? 0 : sigcffi_deferral_settle();
}

static void *nudge(void *nothing)
{
    const struct timespec instant = {.tv_nsec = 50000};
    do nanosleep(&instant, NULL);
    while (atomic_load(&channel.running) != 0);
    int signum = sigcffi_wake_dispatchers_signal();
    if (signum == 0) return nothing;
    atomic_fetch_or(&channel.pending, sigcffi_bit(signum));
    sigcffi_wake_main(sigcffi_bit(signum));
    return nothing;
}

/* For a dispatcher that leaves although records are left: soon after it has left, it is called
 * again. It cannot see to that itself, since what it wakes would run inside of it. A negative errno
 * if there can be no more threads. */
int sigcffi_deferral_nudge(void)
{
    return sigcffi_threads_start(nudge, NULL);
}

/* Lock held, in a forked child: it has one thread, and is in that thread's sections; what its
 * parent has not handed over is the parent's. */
void sigcffi_deferral_after_fork(void)
{
    struct thread *thread = sigcffi_threads_current();
    sections = thread != NULL ? thread->sections : (struct sections){0};
    update_word();
    memset(repeats, 0, sizeof repeats);
}
