/* Pauses: no wait sleeps through a signal.
 *
 * Law: like stress.c.
 */
#include "foreign.h"

/* Sends one signal per round, at a moment that wanders over the main thread's way to sleep. */
static void *send_around_the_pause(void *target)
{
    unsigned random = 12345;
    for (int i = 1; wait_for_round(i); i++) {
        spin(random_below(&random, 4096));
        MUST(target == NULL ? kill(getpid(), STANDARD)
                            : pthread_kill(*(pthread_t *)target, STANDARD));
    }
    return NULL;
}

static void pause_around(pthread_t *target, int rounds)
{
    atomic_store(&current_round, 0);
    long long before = atomic_load(&calls[STANDARD]);
    sigset_t former = block(STANDARD);
    pthread_t sender = start_thread(send_around_the_pause, target);
    restore(&former);
    for (int i = 1; i <= rounds; i++) {
        unsigned arrivals = sigcffi_trampoline_arrivals();
        atomic_store(&current_round, i);
        while (atomic_load(&calls[STANDARD]) == before) {
            sigcffi_waits_pause(arrivals);
            arrivals = sigcffi_trampoline_arrivals();
        }
        EQUAL(atomic_load(&calls[STANDARD]), ++before);
    }
    atomic_store(&current_round, -1);
    join(sender);
}

CASE(pause_never_sleeps_through_a_signal_to_the_main_thread)
{
    const int rounds = 4000 * SCALE;
    register_signal(STANDARD);
    for (int i = 0; i < rounds; i++) {
        unsigned arrivals = sigcffi_trampoline_arrivals();
        MUST(raise(STANDARD)); /* between the two */
        sigcffi_waits_pause(arrivals);
    }
    UNTIL(atomic_load(&calls[STANDARD]) == rounds);
    pthread_t main_thread = pthread_self();
    pause_around(&main_thread, rounds);
    pause_around(NULL, rounds);
    figures("%d rounds, 3 ways", rounds);
}

CASE(pause_never_sleeps_through_a_signal_taken_by_another_thread)
{
    const int rounds = 4000 * SCALE;
    register_signal(STANDARD);
    start_takers(2);
    pause_around(&takers[0], rounds);
    pause_around(NULL, rounds);
    stop_takers();
    figures("%d rounds, 2 ways", rounds);
}

/* The linker sends sigcffi_waits_pause's own call here: the last moment before it sleeps. */
int __real_sigsuspend(const sigset_t *mask);
int __wrap_sigsuspend(const sigset_t *mask);
static void (*_Atomic before_sleep)(void);
static pthread_t sleeper;

int __wrap_sigsuspend(const sigset_t *mask)
{
    void (*hook)(void) = atomic_load(&before_sleep);
    if (hook != NULL && pthread_equal(pthread_self(), sleeper)) hook();
    return __real_sigsuspend(mask);
}

static void another_thread_takes_one(void)
{
    uint64_t before = sigcffi_channel_deliveries(QUEUED);
    queue_to(takers[0], QUEUED, 0);
    UNTIL(sigcffi_channel_deliveries(QUEUED) > before);
    /* Until the taker is through with it: this one it takes, and does, after the first. */
    long long foreign_before = atomic_load(&foreign_calls);
    queue_to(takers[0], QUEUED_TOO, 0);
    UNTIL(atomic_load(&foreign_calls) > foreign_before);
}

static void another_thread_takes_one_for_itself(void)
{
    another_thread_takes_one();
    MUST(raise(STANDARD)); /* by which the sleep ends */
}

CASE(pause_is_woken_by_another_threads_signal_up_to_the_last_moment)
{
    const int rounds = 300;
    register_signal(QUEUED);
    install(QUEUED_TOO, foreign_counter, 0);
    start_takers(1);
    sleeper = pthread_self();
    atomic_store(&before_sleep, another_thread_takes_one);
    for (int i = 0; i < rounds; i++) {
        sigcffi_waits_pause(sigcffi_trampoline_arrivals());
        UNTIL(atomic_load(&calls[QUEUED]) > i);
    }
    EQUAL(atomic_load(&calls[QUEUED]), rounds);
    EQUAL(atomic_load(&calls_elsewhere[QUEUED]), 0);
    /* Where that is not to be, the call is made all the same. */
    atomic_store(&before_sleep, another_thread_takes_one_for_itself);
    install(STANDARD, foreign_counter, 0);
    for (int i = 0; i < rounds; i++) {
        sigcffi_waits_sigsuspend(sigcffi_bit(SIGURG), sigcffi_trampoline_arrivals());
        EQUAL(atomic_load(&calls_elsewhere[QUEUED]), i + 1);
        EQUAL(sigcffi_masks_sigmask(SIG_BLOCK, 0), 0);
    }
    another_thread_takes_one(); /* from then on as before */
    UNTIL(atomic_load(&calls[QUEUED]) == 2 * rounds + 1);
    EQUAL(atomic_load(&calls_elsewhere[QUEUED]), rounds);
    atomic_store(&before_sleep, NULL);
    stop_takers();
    figures("%d rounds, 2 ways", rounds);
}
