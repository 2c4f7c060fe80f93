/* Deliveries: each leads to a call, once, wherever the signal is taken.
 *
 * Law: like stress.c.
 */
#include "harness.h"

/* One signal at a time: each is a call. */
CASE(a_signal_taken_by_another_thread_is_handled_once_on_the_main_thread)
{
    const int rounds = 3000 * SCALE;
    register_signal(QUEUED);
    register_signal(STANDARD);
    start_takers(3);
    atomic_store(&main_thread_promised, true);
    for (int i = 0; i < rounds; i++) {
        int signum = i % 2 ? QUEUED : STANDARD;
        queue_to(takers[i % 3], signum, i);
        UNTIL(atomic_load(&calls[signum]) > i / 2);
        EQUAL(atomic_load(&calls[signum]), i / 2 + 1);
    }
    stop_takers();
    EQUAL(sigcffi_channel_deliveries(QUEUED) + sigcffi_channel_deliveries(STANDARD), rounds);
    EQUAL(atomic_load(&calls[QUEUED]) + atomic_load(&calls[STANDARD]), rounds);
    figures("%d signals, 3 threads", rounds);
}

CASE(no_signal_of_a_flood_is_left_without_a_call)
{
    const int each = 6000 * SCALE;
    register_signal(QUEUED);
    register_signal(QUEUED_TOO);
    start_takers(3);
    pthread_t targets[] = {takers[0], takers[1], takers[2], pthread_self()};
    /* ThreadSanitizer would hold back, and so lose, signals to a thread that is not asleep. */
    struct flood flood = {targets, TSAN ? 3 : 4, {QUEUED, QUEUED_TOO}, 2, each};
    start_senders(2, &flood);
    UNTIL(atomic_load(&heard[QUEUED]) == each && atomic_load(&heard[QUEUED_TOO]) == each);
    join_senders();
    stop_takers();
    for (int signum = QUEUED; signum <= QUEUED_TOO; signum++) {
        /* Several may have led to one call, but none to two; and nothing is left that would. */
        long long before = atomic_load(&calls[signum]);
        CHECK(before <= each);
        MUST(raise(signum));
        UNTIL(atomic_load(&calls[signum]) > before);
        EQUAL(atomic_load(&calls[signum]), before + 1);
        EQUAL(sigcffi_channel_deliveries(signum), each + 1);
        EQUAL(atomic_load(&calls_elsewhere[signum]), 0);
    }
    figures("%d signals, %lld calls", 2 * each,
            (long long)(atomic_load(&calls[QUEUED]) + atomic_load(&calls[QUEUED_TOO])));
}

static const int own_signals = 4000 * SCALE;

static void *signal_oneself(void *barrier)
{
    pthread_barrier_wait(barrier);
    for (int i = 0; i < own_signals; i++) MUST(raise(QUEUED));
    return NULL;
}

static void signal_themselves(void)
{
    pthread_barrier_t barrier;
    MUST(pthread_barrier_init(&barrier, NULL, 2));
    pthread_t threads[] = {start_thread(signal_oneself, &barrier),
                           start_thread(signal_oneself, &barrier)};
    for (int i = 0; i < 2; i++) join(threads[i]);
}

/* The trampoline runs in two threads as densely as can be: every sum is one of theirs. */
CASE(threads_in_the_trampoline_together_count_right)
{
    const long long all = 2 * own_signals;
    register_signal(QUEUED);
    int64_t counter = attach_counter(QUEUED);
    sigcffi_deferral_defer(sigcffi_bit(QUEUED));
    signal_themselves();
    EQUAL(sigcffi_channel_deliveries(QUEUED), all);
    EQUAL(sigcffi_attachments_tally(QUEUED, counter).count, all);
    EQUAL(atomic_load(&calls[QUEUED]), 0);
    sigcffi_deferral_lift(sigcffi_bit(QUEUED));
    EQUAL(atomic_load(&calls[QUEUED]), 1); /* for all that was pending */
    /* Now both poke as well. */
    signal_themselves();
    UNTIL(atomic_load(&heard[QUEUED]) == 2 * all);
    CHECK(atomic_load(&calls[QUEUED]) <= all + 1);
    EQUAL(sigcffi_channel_deliveries(QUEUED), 2 * all);
    figures("%lld signals", 2 * all);
}

/* What the main thread has blocked another takes for it. */
CASE(a_blocked_main_thread_does_not_hold_up_the_handler)
{
    const int rounds = 500 * SCALE;
    register_signal(QUEUED);
    start_takers(2);
    sigset_t former = block(QUEUED);
    atomic_store(&main_thread_promised, true);
    for (int i = 0; i < rounds; i++) {
        queue_to(takers[i % 2], QUEUED, i);
        UNTIL(atomic_load(&calls[QUEUED]) > i);
    }
    EQUAL(atomic_load(&calls[QUEUED]), rounds);
    /* Nothing waits for the main thread to let it in. */
    EQUAL(sigcffi_masks_sigpending(), 0);
    restore(&former);
    EQUAL(atomic_load(&calls[QUEUED]), rounds);
    stop_takers();
    figures("%d signals", rounds);
}

static void *run_until_stopped(void *stop)
{
    while (!atomic_load((atomic_bool *)stop)) {
    }
    pthread_testcancel();
    return NULL;
}

/* A cancellation point in a handler is one of the thread that it interrupts. */
CASE(a_cancelled_thread_still_passes_its_signals_on)
{
    if (TSAN) skip("a thread that calls nothing gets no signals from ThreadSanitizer");
    const int rounds = 200;
    register_signal(QUEUED);
    for (int i = 0; i < rounds; i++) {
        atomic_bool stop = false;
        pthread_t thread = start_thread(run_until_stopped, &stop);
        MUST(pthread_cancel(thread));
        queue_to(thread, QUEUED, i);
        UNTIL(atomic_load(&calls[QUEUED]) > i);
        atomic_store(&stop, true);
        join(thread);
    }
    figures("%d threads", rounds);
}

/* ---- The queue is used up ---- */

static atomic_bool gate_open;
static _Atomic int at_gate;

/* Takes nothing until the gate opens, then all that has been queued. */
static void *take_behind_gate(void *argument)
{
    (void)argument;
    block(QUEUED);
    atomic_fetch_add(&at_gate, 1);
    sigset_t none;
    sigemptyset(&none);
    while (!atomic_load(&gate_open)) breathe();
    while (sigcffi_masks_sigpending() & sigcffi_bit(QUEUED)) sigsuspend(&none);
    return NULL;
}

CASE(a_used_up_queue_loses_nothing)
{
    const int rounds = 500 * SCALE, queued = 300;
    register_signal(STANDARD);
    register_signal(QUEUED);
    start_takers(2);
    pthread_t gated[2];
    for (int i = 0; i < 2; i++) gated[i] = start_thread(take_behind_gate, NULL);
    UNTIL(atomic_load(&at_gate) == 2);
    for (int i = 0; i < queued; i++) queue_to(gated[i % 2], QUEUED, i);

    limit_queue(0);
    EQUAL(try_to_queue(gated[0], QUEUED, 0), EAGAIN);
    /* A standard signal loses its siginfo on the way, and so does the poke for the main thread. */
    for (int i = 0; i < rounds; i++) {
        MUST(syscall(SYS_tgkill, getpid(), taker_tids[i % 2], STANDARD));
        UNTIL(atomic_load(&calls[STANDARD]) > i);
        EQUAL(atomic_load(&calls[STANDARD]), i + 1);
    }
    EQUAL(sigcffi_channel_deliveries(STANDARD), rounds);
    EQUAL(atomic_load(&calls_elsewhere[STANDARD]), 0);
    /* To the main thread, bare of its siginfo too. */
    for (int i = 0; i < rounds; i++) {
        MUST(pthread_kill(pthread_self(), STANDARD));
        UNTIL(atomic_load(&calls[STANDARD]) > rounds + i);
    }
    EQUAL(sigcffi_channel_deliveries(STANDARD), 2 * rounds);
    EQUAL(atomic_load(&calls[STANDARD]), 2 * rounds);

    /* The threads behind the gate have their signals already. */
    atomic_store(&gate_open, true);
    UNTIL(atomic_load(&heard[QUEUED]) == queued);
    for (int i = 0; i < 2; i++) join(gated[i]);
    EQUAL(sigcffi_channel_deliveries(QUEUED), queued);
    limit_queue(RLIM_INFINITY);
    stop_takers();
    figures("%d standard, %d real-time signals", 2 * rounds, queued);
}
