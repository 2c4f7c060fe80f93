/* SIGURG, which carries the pokes: others handle it, send it, take it away or wait for it.
 *
 * Law: like stress.c. One signal at a time, unless it says otherwise: then calls are exact.
 */
#include "foreign.h"
#include "pokes.h"

/* ---- Who else handles SIGURG ---- */

static void poked_beside(void (*handler)(int))
{
    const long long before = atomic_load(&foreign_calls);
    struct sigaction now;
    /* On top of the trampoline, that will not do. */
    install(SIGURG, handler, 0);
    for (int i = 0; i < 20; i++) next_is_called(true);
    EQUAL(atomic_load(&foreign_calls), before); /* nor is it bothered */
    MUST(sigaction(SIGURG, NULL, &now));
    CHECK(now.sa_handler == handler);
    /* Under it, pokes are none of its business, and what else comes is. */
    EQUAL(sigcffi_interpose(SIGURG), 0);
    for (int i = 0; i < 20; i++) next_is_called(false);
    EQUAL(atomic_load(&foreign_calls), before);
    MUST(raise(SIGURG));
    UNTIL(sigcffi_channel_deliveries(SIGURG) > 0);
    EQUAL(atomic_load(&foreign_calls), before + sigcffi_is_function((uintptr_t)handler));
}

CASE(somebody_elses_disposition_of_SIGURG_costs_no_call)
{
    register_signal(QUEUED);
    start_takers(2);
    poked_beside(foreign_counter);
    poked_beside(SIG_IGN);
    poked_beside(SIG_DFL);
    stop_takers();
    figures("a handler, ignored, default");
}

static void become_default(int signum)
{
    if (signum == SIGURG && !sigcffi_main_thread_is_current()) {
        atomic_store(&after_look, NULL);
        install(SIGURG, SIG_DFL, 0);
    }
}

/* The kernel discards it. */
CASE(a_poke_that_meets_the_default_action_costs_no_call)
{
    const int rounds = 100 * SCALE;
    register_signal(QUEUED);
    start_takers(2);
    for (int i = 0; i < rounds; i++) {
        long long before = atomic_load(&calls[QUEUED]);
        atomic_store(&after_look, become_default);
        queue_to(takers[0], QUEUED, 0);
        UNTIL(atomic_load(&calls[QUEUED]) > before);
        UNTIL(atomic_load(&after_look) == NULL);
        EQUAL(atomic_load(&calls[QUEUED]), before + 1);
        EQUAL(sigcffi_interpose(SIGURG), 0);
    }
    stop_takers();
    figures("%d rounds", rounds);
}

/* ---- Lost, doubled, foreign ---- */

static void foreign_signal(void)
{
    MUST(raise(STANDARD));
}

static void mask_call(void)
{
    sigcffi_masks_sigmask(SIG_BLOCK, 0);
}

static void section(void)
{
    sigcffi_deferral_defer(sigcffi_bit(STANDARD));
    sigcffi_deferral_lift(sigcffi_bit(STANDARD));
}

static void suspension(void)
{
    sigcffi_waits_sigsuspend(0, sigcffi_trampoline_arrivals() - 1);
}

static void unmarked(void)
{
    MUST(raise(SIGURG));
}

/* Other code has blocked pokes, unseen, and takes one away. */
CASE(what_a_poke_was_lost_for_comes_with_whatever_comes_next)
{
    void (*const ways[])(void) = {foreign_signal, mask_call, section, suspension, unmarked};
    const int rounds = 20 * SCALE;
    const sigset_t wanted = sigcffi_set_of(urgent());
    int signum;
    register_signal(QUEUED);
    install(QUEUED_TOO, foreign_counter, 0);
    install(STANDARD, foreign_counter, 0);
    EQUAL(sigcffi_interpose(QUEUED_TOO), 0);
    EQUAL(sigcffi_interpose(STANDARD), 0);
    start_takers(1);
    atomic_store(&main_thread_promised, true);
    for (int i = 0; i < rounds * 5; i++) {
        sigset_t former = block(SIGURG);
        taken_by_another_thread(QUEUED);
        while (sigwait(&wanted, &signum) != 0) continue;
        restore(&former);
        EQUAL(atomic_load(&calls[QUEUED]), i);
        ways[i % 5]();
        UNTIL(atomic_load(&calls[QUEUED]) > i);
        EQUAL(atomic_load(&calls[QUEUED]), i + 1);
    }
    stop_takers();
    figures("%d rounds, 5 ways", 5 * rounds);
}

static atomic_bool pokes_stop;
static _Atomic long long pokes_sent;

static void *poke_until_stopped(void *nothing)
{
    sigset_t all;
    sigfillset(&all);
    MUST(pthread_sigmask(SIG_SETMASK, &all, NULL));
    for (; !atomic_load(&pokes_stop); breathe()) /* or the main thread would do nothing else */
        if (sigcffi_wake_poke(atomic_load(&state.main_thread.tid)))
            atomic_fetch_add(&pokes_sent, 1);
    return nothing;
}

CASE(pokes_that_nobody_needs_say_nothing)
{
    enum { THREADS = 2 };
    const int rounds = 2000 * SCALE;
    pthread_t threads[THREADS];
    register_signal(QUEUED);
    register_signal(SIGURG);
    int64_t counter = attach_counter(SIGURG);
    start_takers(2);
    for (int i = 0; i < THREADS; i++) threads[i] = start_thread(poke_until_stopped, NULL);
    for (int i = 0; i < rounds; i++) {
        long long before = atomic_load(&pokes_sent);
        next_is_called(false);
        UNTIL(atomic_load(&pokes_sent) > before);
    }
    atomic_store(&pokes_stop, true);
    for (int i = 0; i < THREADS; i++) join(threads[i]);
    stop_takers();
    EQUAL(sigcffi_channel_deliveries(SIGURG), 0);
    EQUAL(sigcffi_attachments_tally(SIGURG, counter).count, 0);
    EQUAL(atomic_load(&calls[SIGURG]), 0);
    EQUAL(atomic_load(&calls[QUEUED]), rounds);
    figures("%d rounds, %lld pokes", rounds, (long long)atomic_load(&pokes_sent));
}

/* Beside pokes, and with all that a program can do with a signal. */
CASE(SIGURG_of_the_program_itself_is_a_signal_like_any_other)
{
    const int rounds = 1000 * SCALE;
    register_signal(QUEUED);
    dispatch(SIGURG);
    int64_t counter = attach_counter(SIGURG);
    start_takers(2);
    for (int i = 0; i < rounds; i++) {
        /* To the process: what is sent to a thread would be one with a poke that is on its way. */
        queue_to(takers[i % 2], QUEUED, i);
        if (TSAN) UNTIL(heard[QUEUED] == i + 1); /* it holds back one signal of each number */
        EQUAL(sigcffi_sending_sigqueue(getpid(), SIGURG, i), 0);
        struct sigcffi_record record = next_record();
        EQUAL(record.signo, SIGURG);
        EQUAL(record.value, i);
        UNTIL(heard[SIGURG] == i + 1 && heard[QUEUED] == i + 1);
    }
    stop_takers();
    EQUAL(waiting_records(), 0);
    EQUAL(sigcffi_channel_deliveries(SIGURG), rounds);
    EQUAL(sigcffi_attachments_tally(SIGURG, counter).count, rounds);
    EQUAL(atomic_load(&calls[SIGURG]), rounds);
    figures("%d rounds", rounds);
}

/* ---- Waits ---- */

/* Pokes are blocked by other code, so that one is there to be accepted. */
CASE(a_wait_that_accepts_a_poke_makes_the_call_and_hands_out_none)
{
    enum { ROOM = 4 };
    const int rounds = 200 * SCALE;
    struct sigcffi_record record, records[ROOM];
    register_signal(QUEUED);
    EQUAL(sigcffi_interpose(QUEUED_TOO), 0);
    start_takers(1);
    atomic_store(&main_thread_promised, true);
    const uint64_t set = urgent() | sigcffi_bit(STANDARD);
    sigset_t former = block(SIGURG);
    block(STANDARD);
    for (int i = 0; i < rounds; i++) {
        taken_by_another_thread(QUEUED);
        EQUAL(sigcffi_masks_sigpending(), urgent());
        EQUAL(atomic_load(&calls[QUEUED]), 2 * i);
        EQUAL(sigcffi_waits_accept(urgent(), i % 2 ? -1 : 0, &record), -EINTR);
        EQUAL(atomic_load(&calls[QUEUED]), 2 * i + 1);
        EQUAL(sigcffi_waits_accept(urgent(), 0, &record), -EAGAIN);
        /* Of several that are there, the others are handed out; also one that has swallowed it. */
        if (i % 2) queue_to(pthread_self(), SIGURG, i);
        taken_by_another_thread(QUEUED);
        queue_to(pthread_self(), STANDARD, i);
        EQUAL(sigcffi_waits_drain(set, records, ROOM), 1 + i % 2);
        for (int n = 0; n <= i % 2; n++) EQUAL(records[n].value, i);
        EQUAL(records[0].signo, STANDARD);
        EQUAL(atomic_load(&calls[QUEUED]), 2 * i + 2);
    }
    restore(&former);
    stop_takers();
    EQUAL(sigcffi_channel_deliveries(SIGURG), 0);
    figures("%d rounds", rounds);
}
