/* Deferral: what is deferred waits, and nothing is left behind when that is lifted.
 *
 * Law: like stress.c.
 */
#include "foreign.h"

static pthread_barrier_t barrier;
static const int deferral_rounds = 150 * SCALE;

static void *lift_repeatedly(void *argument)
{
    for (int i = 0; i < deferral_rounds; i++) {
        sigcffi_deferral_defer(sigcffi_bit(QUEUED));
        pthread_barrier_wait(&barrier); /* all have deferred */
        pthread_barrier_wait(&barrier);
        sigcffi_deferral_lift(sigcffi_bit(QUEUED));
        pthread_barrier_wait(&barrier);
        pthread_barrier_wait(&barrier); /* all calls have been made */
    }
    return argument;
}

CASE(a_deferred_signal_waits_and_is_not_lost_when_lifting_races)
{
    const int held = 40, racing = 20;
    long long total = 0;
    register_signal(QUEUED);
    start_takers(2);
    MUST(pthread_barrier_init(&barrier, NULL, 3));
    pthread_t lifters[] = {start_thread(lift_repeatedly, NULL),
                           start_thread(lift_repeatedly, NULL)};
    for (int i = 0; i < deferral_rounds; i++) {
        if (i % 2) sigcffi_deferral_defer(sigcffi_bit(QUEUED));
        pthread_barrier_wait(&barrier);
        long long before = atomic_load(&calls[QUEUED]);
        for (int n = 0; n < held; n++) queue_to(takers[n % 2], QUEUED, n);
        UNTIL(sigcffi_channel_deliveries(QUEUED) == (uint64_t)total + held);
        EQUAL(atomic_load(&calls[QUEUED]), before);
        pthread_barrier_wait(&barrier);
        /* Two threads lift, in every second round this one too, and more arrives. */
        for (int n = 0; n < racing; n++) {
            queue_to(takers[n % 2], QUEUED, n);
            if (n == racing / 2 && i % 2) sigcffi_deferral_lift(sigcffi_bit(QUEUED));
        }
        pthread_barrier_wait(&barrier);
        total += held + racing;
        UNTIL(atomic_load(&heard[QUEUED]) == total); /* without another signal to help */
        CHECK(atomic_load(&calls[QUEUED]) <= total);
        pthread_barrier_wait(&barrier);
    }
    for (int i = 0; i < 2; i++) join(lifters[i]);
    stop_takers();
    EQUAL(sigcffi_channel_deliveries(QUEUED), total);
    figures("%lld signals in %d rounds", total, deferral_rounds);
}

static _Atomic int deferred_round, lifted_round;

static void *lift_in_every_round(void *argument)
{
    unsigned random = 54321;
    for (int i = 1; wait_for_round(i); i++) {
        sigcffi_deferral_defer(sigcffi_bit(QUEUED));
        atomic_store(&deferred_round, i);
        /* Sending takes longer than lifting, and how much longer nobody knows. */
        spin(random_below(&random, 256 << random_below(&random, 6)));
        sigcffi_deferral_lift(sigcffi_bit(QUEUED));
        atomic_store(&lifted_round, i);
    }
    return argument;
}

/* Whichever sees the other: the signal that nothing is deferred, or the lifting that a call is
 * pending. That neither does, when they meet within nanoseconds, is the error looked for. */
CASE(a_signal_that_meets_the_lifting_is_not_left_behind)
{
    const int rounds = 100000 * SCALE;
    unsigned random = 12345;
    register_signal(QUEUED);
    pthread_t lifting = start_thread(lift_in_every_round, NULL);
    int i = 0;
    while (i < rounds && (i % 64 != 0 || time_is_left())) {
        i++;
        atomic_store(&current_round, i);
        MEET(atomic_load(&deferred_round) >= i);
        spin(random_below(&random, 256));
        MUST(raise(QUEUED));
        MEET(atomic_load(&lifted_round) >= i);
        MEET(atomic_load(&calls[QUEUED]) >= i);
        EQUAL(atomic_load(&calls[QUEUED]), i);
    }
    atomic_store(&current_round, -1);
    join(lifting);
    figures("%d of %d rounds", i, rounds);
}

CASE(deferring_one_signal_holds_back_no_other)
{
    register_signal(STANDARD);
    register_signal(STANDARD_TOO);
    install(QUEUED, foreign_counter, 0);
    EQUAL(sigcffi_interpose(QUEUED), 0);
    sigcffi_deferral_defer(sigcffi_bit(STANDARD) | sigcffi_bit(QUEUED));
    MUST(raise(STANDARD));
    MUST(raise(STANDARD_TOO));
    MUST(raise(QUEUED)); /* a foreign handler is never held back */
    UNTIL(sigcffi_channel_deliveries(STANDARD) == 1);
    UNTIL(atomic_load(&calls[STANDARD_TOO]) == 1 && atomic_load(&foreign_calls) == 1);
    sigcffi_deferral_defer(sigcffi_bit(STANDARD_TOO));
    sigcffi_deferral_lift(sigcffi_bit(STANDARD_TOO));
    EQUAL(atomic_load(&calls[STANDARD]), 0);
    sigcffi_deferral_lift(sigcffi_bit(STANDARD) | sigcffi_bit(QUEUED));
    EQUAL(atomic_load(&calls[STANDARD]), 1);
    EQUAL(atomic_load(&foreign_calls), 1);
    figures("3 signals");
}
