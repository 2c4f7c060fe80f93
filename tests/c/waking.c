/* Waking: a call that is pending waits as long as something forbids it, and is made then.
 *
 * Law: like stress.c.
 */
#include "pokes.h"

#include <sched.h>

/* Threads that share a processor never meet. */
static void run_on_a_processor_of_its_own(int number)
{
    cpu_set_t allowed, one;
    CPU_ZERO(&one);
    MUST(sched_getaffinity(0, sizeof allowed, &allowed));
    for (int i = 0; i < CPU_SETSIZE; i++)
        if (CPU_ISSET(i, &allowed) && number-- == 0) CPU_SET(i, &one);
    if (CPU_COUNT(&one) == 1) MUST(sched_setaffinity(0, sizeof one, &one));
}

static void *raise_in_every_round(void *nothing)
{
    unsigned random = 54321;
    run_on_a_processor_of_its_own(1);
    for (int round = 1; wait_for_round(round); round++) {
        spin(random_below(&random, 64));
        MUST(syscall(SYS_tgkill, getpid(), syscall(SYS_gettid), QUEUED));
    }
    return nothing;
}

/* The other way round than in a_signal_that_meets_the_lifting_is_not_left_behind: another thread
 * takes the signal, and this one lifts. */
CASE(another_threads_signal_that_meets_the_lifting_is_not_left_behind)
{
    const int rounds = 20000 * SCALE;
    unsigned random = 815;
    register_signal(QUEUED);
    pthread_t thread = start_thread(raise_in_every_round, NULL);
    run_on_a_processor_of_its_own(0);
    atomic_store(&main_thread_promised, true);
    int i = 0;
    while (i < rounds && (i % 64 != 0 || time_is_left())) {
        i++;
        sigcffi_deferral_defer(sigcffi_bit(QUEUED));
        atomic_store(&current_round, i);
        /* To take it takes longer than lifting, and how much longer nobody knows. */
        spin(random_below(&random, 4096));
        sigcffi_deferral_lift(sigcffi_bit(QUEUED));
        MEET(atomic_load(&calls[QUEUED]) >= i);
        EQUAL(atomic_load(&calls[QUEUED]), i);
    }
    atomic_store(&current_round, -1);
    join(thread);
    EQUAL((long long)pending(), 0);
    figures("%d of %d rounds", i, rounds);
}

/* One poke, or one lifting, may be all there is. */
CASE(all_that_is_pending_is_called_at_one_look)
{
    const int rounds = 100 * SCALE;
    const uint64_t both = sigcffi_bit(STANDARD) | sigcffi_bit(QUEUED);
    register_signal(STANDARD);
    register_signal(QUEUED);
    EQUAL(sigcffi_interpose(QUEUED_TOO), 0);
    start_takers(1);
    atomic_store(&main_thread_promised, true);
    for (int i = 0; i < rounds; i++) {
        sigset_t former = block(SIGURG);
        if (i % 2) sigcffi_deferral_defer(both);
        taken_by_another_thread(STANDARD);
        taken_by_another_thread(QUEUED);
        EQUAL((long long)pending(), (long long)both);
        if (i % 2)
            EQUAL(sigcffi_deferral_lift(both), 2);
        else
            restore(&former);
        UNTIL(atomic_load(&calls[STANDARD]) > i && atomic_load(&calls[QUEUED]) > i);
        EQUAL(atomic_load(&calls[STANDARD]), i + 1);
        EQUAL(atomic_load(&calls[QUEUED]), i + 1);
        restore(&former);
    }
    stop_takers();
    figures("%d rounds", rounds);
}

/* ---- What a handler keeps out ---- */

/* The dispatcher says which signals the handlers that run keep out, and looks when they have ended;
 * but it may never come back, by an exception or a greenlet. So it is asked, by a signal of its
 * own, for each that comes, wherever. */
CASE(of_what_a_handler_keeps_out_the_dispatcher_is_told)
{
    const uint64_t kept_out = sigcffi_bit(STANDARD);
    register_signal(STANDARD);
    EQUAL(sigcffi_interpose(QUEUED_TOO), 0);
    dispatch(QUEUED);
    start_takers(1);
    for (int i = 0; i < 20; i++) {
        atomic_store(word(SIGCFFI_WORD_RUNNING), kept_out);
        for (int more = 0; more < 2; more++) {
            long long asked = atomic_load(&calls[QUEUED]);
            if (i % 2)
                taken_by_another_thread(STANDARD);
            else
                send_to_self(STANDARD);
            UNTIL(atomic_load(&calls[QUEUED]) > asked);
            EQUAL(atomic_load(&calls[STANDARD]), i);
            EQUAL((long long)pending(), (long long)kept_out);
        }
        atomic_store(word(SIGCFFI_WORD_RUNNING), 0);
        EQUAL(sigcffi_deferral_settle(), 1);
        EQUAL(atomic_load(&calls[STANDARD]), i + 1);
        EQUAL((long long)pending(), 0);
        EQUAL(sigcffi_deferral_settle(), 0);
    }
    stop_takers();
    EQUAL(waiting_records(), 0);
    figures("20 handlers");
}

/* By a signal that still leads to it: whoever has installed a handler without us is not called. */
CASE(a_handler_that_has_replaced_the_dispatcher_is_not_asked)
{
    dispatch(STANDARD);
    install(STANDARD, interpreter_handler, SA_ONSTACK);
    register_signal(QUEUED_TOO);
    atomic_store(word(SIGCFFI_WORD_RUNNING), sigcffi_bit(QUEUED_TOO));
    send_to_self(QUEUED_TOO);
    dispatch(QUEUED);
    send_to_self(QUEUED_TOO);
    EQUAL(atomic_load(&calls[QUEUED]), 1);
    EQUAL(atomic_load(&calls[STANDARD]), 0);
    EQUAL(atomic_load(&calls[QUEUED_TOO]), 0);
    figures("2 handlers");
}

/* What is recorded no handler keeps out: whoever has taken it wakes the main thread. */
CASE(of_what_another_thread_is_just_taking_the_dispatcher_is_not_asked)
{
    const int rounds = 2000 * SCALE;
    dispatch(STANDARD);
    dispatch(QUEUED);
    pthread_t thread = start_thread(raise_in_every_round, NULL);
    run_on_a_processor_of_its_own(0);
    atomic_store(word(SIGCFFI_WORD_RUNNING), UINT64_MAX);
    for (int i = 1; i <= rounds; i++) {
        atomic_store(&current_round, i);
        while (atomic_load(&calls[QUEUED]) < i)
            sigcffi_masks_sigmask(SIG_BLOCK, 0); /* looks around */
        next_record();
    }
    atomic_store(&current_round, -1);
    join(thread);
    EQUAL(atomic_load(&calls[QUEUED]), rounds);
    EQUAL(atomic_load(&calls[STANDARD]), 0);
    figures("%d rounds", rounds);
}

/* It could do nothing about it. */
CASE(of_what_is_deferred_the_dispatcher_is_not_told)
{
    dispatch(QUEUED);
    register_signal(STANDARD);
    EQUAL(sigcffi_interpose(QUEUED_TOO), 0);
    start_takers(1);
    sigcffi_deferral_defer(sigcffi_bit(STANDARD));
    for (int i = 0; i < 20; i++) {
        if (i % 2)
            taken_by_another_thread(STANDARD);
        else
            send_to_self(STANDARD);
        sigcffi_masks_sigmask(SIG_BLOCK, 0); /* looks around */
    }
    EQUAL(atomic_load(&calls[QUEUED]), 0);
    sigcffi_deferral_lift(sigcffi_bit(STANDARD));
    EQUAL(atomic_load(&calls[STANDARD]), 1);
    EQUAL(atomic_load(&calls[QUEUED]), 0);
    stop_takers();
    figures("20 signals");
}

/* What is recorded is the dispatcher's to keep: it is called. */
CASE(what_is_recorded_is_never_kept_from_the_dispatcher)
{
    dispatch(QUEUED);
    atomic_store(word(SIGCFFI_WORD_RUNNING), UINT64_MAX);
    start_takers(1);
    for (int i = 0; i < 20; i++) {
        queue_to(i % 2 ? takers[0] : pthread_self(), QUEUED, i);
        UNTIL(atomic_load(&calls[QUEUED]) == i + 1);
        EQUAL(next_record().value, i);
    }
    stop_takers();
    figures("20 signals");
}

static void *nudge(void *nothing)
{
    sigcffi_deferral_nudge();
    return nothing;
}

CASE(a_nudge_comes_when_the_dispatcher_has_left)
{
    dispatch(QUEUED);
    atomic_store(&main_thread_promised, true);
    for (int i = 0; i < 10; i++) {
        atomic_store(word(SIGCFFI_WORD_RUNNING), UINT64_MAX);
        pthread_t thread = start_thread(nudge, NULL);
        for (int more = 0; more < 20; more++) breathe();
        EQUAL(atomic_load(&calls[QUEUED]), i);
        atomic_store(word(SIGCFFI_WORD_RUNNING), 0);
        UNTIL(atomic_load(&calls[QUEUED]) == i + 1);
        join(thread);
    }
    figures("10 times");
}

/* ---- What the dispatcher is told of calls ---- */

/* It is to know one that the trampoline has made from one that the interpreter makes by itself. */
static void check_count(void)
{
    uint64_t called = (uint64_t)atomic_load(&calls_elsewhere[QUEUED]);
    uint64_t counted = atomic_load(word(SIGCFFI_WORD_CALLS + QUEUED));
    uint64_t on_their_way = counted / SIGCFFI_ON_ITS_WAY;
    counted %= SIGCFFI_ON_ITS_WAY;
    CHECK(counted >= called);
    CHECK(counted - on_their_way <= (uint64_t)atomic_load(&calls_elsewhere[QUEUED]));
}

static uint64_t counted_at_call;

static void look_at_count(int signum)
{
    counted_at_call = atomic_load(word(SIGCFFI_WORD_CALLS + signum));
}

CASE(a_call_is_counted_before_it_is_made_and_elsewhere_is_on_its_way_until_then)
{
    enum { THREADS = 2 };
    const int each = 3000 * SCALE, all = THREADS * each;
    register_signal(QUEUED);
    sigcffi_masks_sigmask(SIG_BLOCK,
                          sigcffi_bit(SIGURG)); /* so calls are made where signals are taken */
    start_takers(THREADS);
    struct flood flood = {takers, THREADS, {QUEUED}, 1, all};
    start_senders(1, &flood);
    while (atomic_load(&heard[QUEUED]) < all) {
        check_count();
        sched_yield();
    }
    join_senders();
    _Atomic uint64_t *counted = word(SIGCFFI_WORD_CALLS + QUEUED);
    UNTIL(atomic_load(counted) < SIGCFFI_ON_ITS_WAY);
    EQUAL(atomic_load(counted), calls_elsewhere[QUEUED]);
    EQUAL(atomic_load(&calls[QUEUED]), calls_elsewhere[QUEUED]);
    uint64_t before = atomic_load(counted);
    atomic_store(&state.dispositions.interpreter, (uintptr_t)look_at_count);
    atomic_store(&state.dispositions.bases[0][QUEUED].handler, (uintptr_t)look_at_count);
    queue_to(takers[0], QUEUED, 0);
    UNTIL(atomic_load(counted) == before + 1);
    EQUAL(counted_at_call, before + 1 + SIGCFFI_ON_ITS_WAY);
    stop_takers();
    sigcffi_masks_sigmask(SIG_UNBLOCK, sigcffi_bit(SIGURG));
    before = atomic_load(counted);
    send_to_self(QUEUED);
    EQUAL(counted_at_call, before + 1);
    EQUAL(atomic_load(counted), before + 1);
    figures("%d signals, %lld calls", all, (long long)calls_elsewhere[QUEUED]);
}
