/* Deferral: critical sections, and the main thread's return to what waited for it.
 *
 * Law: ordinary calls, made outside handlers. What handlers read of this is one word,
 * channel.deferred; how often a signal is deferred is counted here.
 */
#include "owing.h"

/* How many critical sections every signal is in, and how many are for all signals. */
struct sections {
    int of[NSIG];
    int of_all;
};

static struct sections sections;              /* under the lock */
static _Thread_local struct sections entered; /* those that this thread is in */

/* The calling thread will block every signal, look at sigcffi_arrivals() and then sleep with the
 * mask `former`; or (NULL) it is through with that. */
void sigcffi_promise_mask(const sigset_t *former)
{
    if (!sigcffi_on_main_thread()) return;
    uint64_t promise = former != NULL ? sigcffi_word_of(former) | sigcffi_bit(SIGKILL) : 0;
    atomic_store(&state.main_mask_promised, promise);
}

/* Lock held. The word that handlers read. */
static void publish(void)
{
    uint64_t set = sections.of_all > 0 ? UINT64_MAX : 0;
    if (set == 0)
        for (int signum = 1; signum < NSIG; signum++)
            if (sections.of[signum] > 0) set |= sigcffi_bit(signum);
    atomic_store(&channel.deferred, set);
}

/* Lock held */
static void count(struct sections *these, uint64_t set, int step)
{
    if (set == UINT64_MAX)
        these->of_all += step;
    else
        for (; set != 0; set &= set - 1) these->of[__builtin_ctzll(set) + 1] += step;
}

/* No call is made to a handler of the signals in `set` (all ones: of any signal) until it has been
 * lifted as often as it was deferred. Whether calls have been made since it was last asked: they
 * may have been made just now, and their Python handlers not have run. */
bool sigcffi_defer(uint64_t set)
{
    sigcffi_take_lock();
    count(&sections, set, 1);
    count(&entered, set, 1);
    /* Not published anew: most sections are entered by a program that is in none. */
    atomic_fetch_or(&channel.deferred, set);
    atomic_fetch_add(&channel.news, 1);
    sigcffi_release_lock();
    return atomic_load_explicit(&state.called, memory_order_relaxed) &&
           atomic_exchange(&state.called, false);
}

/* A signal whose trampoline has gone since calls for it became owed goes back to the kernel, which
 * does with it what it would do with one that had been blocked meanwhile. */
static bool give_back(int signum)
{
    struct sigaction now;
    if (sigaction(signum, NULL, &now) != 0 ||
        sigcffi_handler_of(&now) == (uintptr_t)sigcffi_trampoline)
        return false;
    for (uint32_t due = atomic_exchange(&state.owed[signum], 0); due > 0; due--)
        kill(getpid(), signum);
    return true;
}

/* Make the calls that are owed for the signals in `set` and need not wait any longer. */
static void settle_all(uint64_t set)
{
    atomic_fetch_and(&channel.held_back, ~set);
    for (; set != 0; set &= set - 1) {
        int signum = __builtin_ctzll(set) + 1;
        if (atomic_load(&state.owed[signum]) == 0) continue;
        if (sigcffi_is_held(signum)) {
            atomic_fetch_or(&channel.held_back, sigcffi_bit(signum));
            /* Unless it was lifted in between, by who has not seen the bit that was cleared above.
             */
            if (sigcffi_is_held(signum)) continue;
        }
        if (!give_back(signum)) {
            siginfo_t nothing;
            memset(&nothing, 0, sizeof nothing);
            nothing.si_signo = signum;
            if (sigcffi_on_main_thread() || sigcffi_main_thread_blocks(signum) ||
                !sigcffi_note_main(signum))
                sigcffi_settle(signum, &nothing, NULL);
        }
    }
}

/* Let the signals in `set` through again, those that arrived meanwhile first; how many of them did.
 */
int sigcffi_lift(uint64_t set)
{
    sigcffi_take_lock();
    count(&sections, set, -1);
    count(&entered, set, -1);
    publish();
    sigcffi_release_lock();
    /* Sequentially consistent, as is the other side: see sigcffi_owe(). */
    uint64_t held = atomic_load(&channel.held_back) & ~atomic_load(&channel.deferred);
    if (held == 0) return 0;
    settle_all(held);
    return __builtin_popcountll(held);
}

/* The same for what waited while handlers ran. Called by the main thread. */
void sigcffi_settle_held(void)
{
    settle_all(atomic_load(&channel.held_back));
}

/* So many calls are owed anew. */
void sigcffi_owe_again(int signum, unsigned deliveries)
{
    if (!sigcffi_is_signal(signum) || deliveries == 0) return;
    atomic_fetch_add(&state.owed[signum], deliveries);
    atomic_fetch_or(&channel.held_back, sigcffi_bit(signum));
    atomic_fetch_add(&channel.news, 1);
}

/* So many deliveries have been taken back out of the main channel. For those that were kept out
 * before the interpreter was called, calls are owed already. */
void sigcffi_owe_at_least(int signum, unsigned deliveries)
{
    if (!sigcffi_is_signal(signum) || deliveries == 0) return;
    uint32_t owed = atomic_load(&state.owed[signum]);
    while (owed < deliveries &&
           !atomic_compare_exchange_weak(&state.owed[signum], &owed, deliveries))
        continue;
    atomic_fetch_or(&channel.held_back, sigcffi_bit(signum));
    atomic_fetch_add(&channel.news, 1);
}

/* The dispatcher takes a signal on, and with it the calls that are owed for deliveries that were
 * not recorded: how many. */
unsigned sigcffi_disown(int signum)
{
    return sigcffi_is_signal(signum) ? atomic_exchange(&state.owed[signum], 0) : 0;
}

/* Called on a Python thread of its own by a dispatcher that leaves although records are left: soon
 * after it has left, it is called again. It cannot see to that itself, since what it wakes would
 * run inside of it. The call is made here where the main thread has blocked the signal because the
 * ring is full: it takes up the GIL after this thread, and looks then. */
void sigcffi_nudge(int signum)
{
    const struct timespec instant = {.tv_nsec = 50000};
    do nanosleep(&instant, NULL);
    while (atomic_load(&channel.running) != 0);
    siginfo_t nothing;
    memset(&nothing, 0, sizeof nothing);
    nothing.si_signo = signum;
    atomic_fetch_add(&state.owed[signum], 1);
    if (atomic_load(&state.main_pressed) & sigcffi_bit(signum))
        sigcffi_settle(signum, &nothing, NULL);
    else
        settle_all(atomic_load(&channel.held_back) | sigcffi_bit(signum));
}

/* The sequence of the record at this place, counted in bytes; who finds it published finds the
 * record. For the reader where the processor may show stores in another order. */
uint64_t sigcffi_sequence(size_t offset)
{
    /* acquire: pairs with the release in sigcffi_push() */
    const _Atomic uint64_t *words = (const _Atomic uint64_t *)&channel;
    return atomic_load_explicit(&words[offset / sizeof *words], memory_order_acquire);
}

/* The set of signals in a mask. */
uint64_t sigcffi_mask_of(const struct sigaction *action)
{
    return sigcffi_word_of(&action->sa_mask);
}

/* The main channel, as Python reads it. */
void *sigcffi_memory(void)
{
    return &channel;
}

/* Lock held, in a forked child: it has one thread, and is in that thread's sections. */
void sigcffi_sections_after_fork(void)
{
    sections = entered;
    publish();
}
