/* fork: a child starts clean, wherever the signals were when the process forked.
 *
 * Law: like stress.c.
 */
#include "harness.h"

#include <sched.h>

static int64_t forks_counter;
static const int forks = TSAN || ASAN ? 250 : 700; /* by each of three threads */

static void check_forked_child(bool deferred)
{
    CHECK(sigcffi_main_thread_is_current());
    for (int signum = 1; signum < NSIG; signum++) EQUAL(sigcffi_channel_deliveries(signum), 0);
    EQUAL(sigcffi_attachments_tally(QUEUED, forks_counter).count, 0);
    /* Nothing is pending of what the parent received, and the lock is free. */
    long long before = atomic_load(&calls[QUEUED]);
    if (deferred) sigcffi_deferral_lift(sigcffi_bit(QUEUED));
    EQUAL(atomic_load(&calls[QUEUED]), before);
    EQUAL(sigcffi_interpose(STANDARD_TOO), 0);
    EQUAL(sigcffi_interpose_withdraw(STANDARD_TOO), 0);
    atomic_store(&main_thread_promised, true);
    MUST(raise(QUEUED));
    UNTIL(atomic_load(&calls[QUEUED]) > before);
    EQUAL(atomic_load(&calls[QUEUED]), before + 1);
    EQUAL(sigcffi_channel_deliveries(QUEUED), 1);
    EQUAL(sigcffi_attachments_tally(QUEUED, forks_counter).count, 1);
    _exit(0);
}

static void *fork_repeatedly(void *argument)
{
    /* A mask of its own, so that one thread cannot get the other's. */
    sigset_t mask = sigcffi_set_of(sigcffi_bit(SIGHUP + (int)(intptr_t)argument));
    restore(&mask);
    for (int i = 0; i < forks; i++) {
        pid_t pid = fork();
        CHECK(pid >= 0);
        EQUAL(sigcffi_masks_sigmask(SIG_BLOCK, 0), sigcffi_word_of(&mask));
        if (pid == 0) check_forked_child(argument == NULL); /* the main thread's section */
        wait_for(pid);
    }
    return NULL;
}

static void *change_dispositions(void *stop)
{
    while (!atomic_load((atomic_bool *)stop)) {
        EQUAL(sigcffi_interpose(STANDARD), 0);
        EQUAL(sigcffi_interpose_withdraw(STANDARD), 0);
        breathe();
    }
    return NULL;
}

static atomic_bool flood_stop;

static void *flood_until_stopped(void *target)
{
    long long sent = 0;
    for (; !atomic_load(&flood_stop); sent++) {
        queue_to(*(pthread_t *)target, QUEUED, 0);
        /* No faster than they are taken: what counts is that some are always on the way. */
        UNTIL(sigcffi_channel_deliveries(QUEUED) + 50 > (uint64_t)sent);
    }
    return (void *)(intptr_t)sent;
}

CASE(a_forked_child_starts_clean_with_a_free_lock)
{
    register_signal(QUEUED);
    forks_counter = attach_counter(QUEUED);
    /* Held back in this process, so that a call is pending when it forks. */
    sigcffi_deferral_defer(sigcffi_bit(QUEUED));
    start_takers(2);
    atomic_bool stop = false;
    pthread_t flooding = start_thread(flood_until_stopped, &takers[0]);
    pthread_t busy = start_thread(change_dispositions, &stop);
    pthread_t forking[2];
    UNTIL(sigcffi_channel_deliveries(QUEUED) > 10);
    for (intptr_t i = 0; i < 2; i++) forking[i] = start_thread(fork_repeatedly, (void *)(i + 1));
    fork_repeatedly(NULL);
    for (int i = 0; i < 2; i++) join(forking[i]);
    atomic_store(&stop, true);
    join(busy);
    atomic_store(&flood_stop, true);
    void *sent = join(flooding);
    UNTIL(sigcffi_channel_deliveries(QUEUED) == (uint64_t)(intptr_t)sent);
    EQUAL(atomic_load(&calls[QUEUED]), 0);
    CHECK(sigcffi_main_thread_is_current());
    sigcffi_deferral_lift(sigcffi_bit(QUEUED));
    EQUAL(atomic_load(&calls[QUEUED]), 1);
    EQUAL(sigcffi_attachments_tally(QUEUED, forks_counter).count, (intptr_t)sent);
    stop_takers();
    figures("%d forks, %lld signals", 3 * forks, (long long)(intptr_t)sent);
}

static void raise_queued(void)
{
    MUST(raise(QUEUED));
}

CASE(a_signal_inside_fork_waits_until_both_sides_are_ready)
{
    const int rounds = 50 * SCALE;
    register_signal(QUEUED);
    atomic_store(&main_thread_promised, true);
    for (int i = 0; i < rounds; i++) {
        atomic_store(&inside_fork, raise_queued);
        pid_t pid = fork();
        CHECK(pid >= 0);
        long long expected = i + 1;
        UNTIL(atomic_load(&calls[QUEUED]) >= expected);
        EQUAL(atomic_load(&calls[QUEUED]), expected);
        /* The child's own, that came before sigcffi had made it a new process, is counted. */
        EQUAL(sigcffi_channel_deliveries(QUEUED), pid == 0 ? 1 : expected);
        if (pid == 0) _exit(0);
        wait_for(pid);
    }
    atomic_store(&inside_fork, NULL);
    figures("%d forks", rounds);
}

static _Atomic int handler_forks;

static void fork_in_handler(int signum)
{
    (void)signum;
    pid_t pid = fork();
    CHECK(pid >= 0);
    if (pid == 0) {
        EQUAL(sigcffi_interpose(STANDARD), 0);
        EQUAL(sigcffi_interpose_withdraw(STANDARD), 0);
        _exit(0);
    }
    wait_for(pid);
    atomic_fetch_add(&handler_forks, 1);
}

static void *provoke_forks(void *target)
{
    const int rounds = ASAN ? 300 : 1500;
    for (int i = 0; i < rounds; i++) {
        queue_to(*(pthread_t *)target, QUEUED, 0);
        while (atomic_load(&handler_forks) <= i) sched_yield();
    }
    return NULL;
}

CASE(a_foreign_handler_may_fork_wherever_it_interrupts_us)
{
    if (TSAN) skip("ThreadSanitizer's own fork() takes locks that the handler interrupts");
    install(QUEUED, fork_in_handler, 0);
    EQUAL(sigcffi_interpose(QUEUED), 0);
    pthread_t main_thread = pthread_self();
    sigset_t former = block(QUEUED);
    pthread_t provoking = start_thread(provoke_forks, &main_thread);
    restore(&former);
    long long times = 0;
    for (; atomic_load(&handler_forks) < 300 * SCALE; times++) {
        EQUAL(sigcffi_interpose(STANDARD), 0);
        EQUAL(sigcffi_interpose_withdraw(STANDARD), 0);
        EQUAL(sigcffi_attachments_detach(STANDARD, attach_counter(STANDARD)).count, 0);
    }
    join(provoking);
    figures("%d forks in %lld calls", (int)atomic_load(&handler_forks), 4 * times);
}
