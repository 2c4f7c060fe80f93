/* Pokes: how the main thread hears of what another thread has taken, and what becomes of it where
 * it cannot.
 *
 * Law: like stress.c. One signal at a time, unless it says otherwise: then calls are exact.
 */
#include "pokes.h"

#include <poll.h>
#include <sched.h>
#include <semaphore.h>
#include <stdlib.h>

void taken_by_another_thread(int signum)
{
    uint64_t before = sigcffi_channel_deliveries(QUEUED_TOO);
    queue_to(takers[0], signum, 0);
    queue_to(takers[0], QUEUED_TOO, 0);
    UNTIL(sigcffi_channel_deliveries(QUEUED_TOO) > before);
}

void next_is_called(bool on_the_spot)
{
    /* One taker: what two took at once, one of the two might call for both. */
    long long before = atomic_load(&calls[QUEUED]), elsewhere = calls_elsewhere[QUEUED];
    queue_to(takers[0], QUEUED, 0);
    UNTIL(atomic_load(&calls[QUEUED]) > before);
    EQUAL(atomic_load(&calls[QUEUED]), before + 1);
    EQUAL(atomic_load(&calls_elsewhere[QUEUED]), elsewhere + on_the_spot);
}

/* ---- System calls ---- */

static int pipe_ends[2];
static sem_t never_posted;

static void wait_in_read(void)
{
    char byte;
    EQUAL(read(pipe_ends[0], &byte, 1), -1);
}

static void wait_in_poll(void)
{
    EQUAL(poll(NULL, 0, -1), -1);
}

static void wait_for_semaphore(void)
{
    EQUAL(sem_wait(&never_posted), -1);
}

static void (*const waits[])(void) = {wait_in_read, wait_in_poll, wait_for_semaphore};
enum { WAITS = sizeof waits / sizeof *waits };

static atomic_bool woken;

/* Again and again: it could come before the main thread waits. */
static void *take_until_woken(void *nothing)
{
    for (uint64_t before = sigcffi_channel_deliveries(QUEUED); !atomic_load(&woken); before++) {
        queue_to(takers[0], QUEUED, 0);
        UNTIL(sigcffi_channel_deliveries(QUEUED) > before);
    }
    return nothing;
}

static void *lift_until_woken(void *nothing)
{
    for (uint64_t before = sigcffi_channel_deliveries(QUEUED); !atomic_load(&woken); before++) {
        sigcffi_deferral_defer(sigcffi_bit(QUEUED));
        queue_to(takers[0], QUEUED, 0);
        UNTIL(sigcffi_channel_deliveries(QUEUED) > before);
        sigcffi_deferral_lift(sigcffi_bit(QUEUED));
        breathe();
    }
    return nothing;
}

static void wake_from_system_calls(void *wake(void *))
{
    const int rounds = 30 * SCALE;
    MUST(pipe(pipe_ends));
    MUST(sem_init(&never_posted, 0, 0));
    register_signal(QUEUED);
    start_takers(1);
    atomic_store(&main_thread_promised, true);
    for (int i = 0; i < rounds; i++) {
        long long before = atomic_load(&calls[QUEUED]);
        atomic_store(&woken, false);
        pthread_t thread = start_thread(wake, NULL);
        do {
            waits[i % WAITS]();
            EQUAL(errno, EINTR);
        } while (atomic_load(&calls[QUEUED]) == before);
        atomic_store(&woken, true);
        join(thread);
    }
    stop_takers();
    figures("%d rounds, %d system calls", rounds, WAITS);
}

CASE(a_signal_that_another_thread_takes_ends_the_main_threads_system_call)
{
    wake_from_system_calls(take_until_woken);
}

CASE(a_lifting_in_another_thread_ends_the_main_threads_system_call)
{
    wake_from_system_calls(lift_until_woken);
}

/* ---- Who blocks pokes ---- */

CASE(a_main_thread_that_blocks_pokes_has_its_calls_made_on_the_spot)
{
    register_signal(QUEUED);
    start_takers(2);
    const uint64_t set = urgent() | sigcffi_bit(STANDARD);
    for (int i = 0; i < 100 * SCALE; i++) {
        next_is_called(false);
        sigcffi_masks_sigmask(SIG_BLOCK, sigcffi_bit(STANDARD));
        next_is_called(false);
        sigcffi_masks_sigmask(SIG_BLOCK, set);
        next_is_called(true);
        sigcffi_masks_sigmask(SIG_BLOCK, sigcffi_bit(STANDARD));
        next_is_called(true);
        sigcffi_masks_sigmask(SIG_UNBLOCK, sigcffi_bit(STANDARD));
        next_is_called(true);
        sigcffi_masks_sigmask(SIG_UNBLOCK, set);
        next_is_called(false);
        sigcffi_masks_sigmask(SIG_SETMASK, set);
        sigcffi_masks_sigmask(4711, 0); /* is refused */
        next_is_called(true);
        sigcffi_masks_sigmask(SIG_SETMASK, sigcffi_bit(STANDARD));
        next_is_called(false);
        sigcffi_masks_sigmask(SIG_SETMASK, 0);
        sigcffi_masks_block(set);
        next_is_called(true);
        sigcffi_masks_unblock(set);
        next_is_called(false);
    }
    /* What it had blocked before it was named. */
    sigset_t former = block(SIGURG);
    sigcffi_main_thread_set((unsigned long)pthread_self(), 0);
    next_is_called(true);
    restore(&former);
    sigcffi_main_thread_set((unsigned long)pthread_self(), 0);
    next_is_called(false);
    stop_takers();
    figures("block, set, hold, named");
}

/* One of the two sees the other: the thread that takes the signal sees that pokes are blocked, or
 * the thread that blocks them sees that a call is pending. */
CASE(a_signal_that_meets_the_blocking_of_pokes_is_not_left_behind)
{
    const int rounds = 20000 * SCALE;
    int i = 0;
    unsigned random = 4711;
    register_signal(QUEUED);
    start_takers(1);
    while (i < rounds && (i % 64 != 0 || time_is_left())) {
        queue_to(takers[0], QUEUED, ++i);
        spin(random_below(&random, 256 << random_below(&random, 6)));
        sigcffi_masks_sigmask(SIG_BLOCK, urgent());
        /* No signal comes, and no call of ours is made, to help. */
        UNTIL(atomic_load(&calls[QUEUED]) >= i);
        EQUAL(atomic_load(&calls[QUEUED]), i);
        sigcffi_masks_sigmask(SIG_UNBLOCK, urgent());
    }
    stop_takers();
    figures("%d of %d rounds, %lld on the spot", i, rounds, (long long)calls_elsewhere[QUEUED]);
}

static void *block_pokes(void *nothing)
{
    sigcffi_masks_sigmask(SIG_BLOCK, urgent());
    return nothing;
}

CASE(another_threads_mask_says_nothing_of_the_main_threads)
{
    register_signal(QUEUED);
    start_takers(2);
    join(start_thread(block_pokes, NULL));
    next_is_called(false);
    stop_takers();
    figures("one thread");
}

/* ---- fork ---- */

static void check_pokes_of_child(void)
{
    CHECK(sigcffi_main_thread_is_current());
    atomic_store(&main_thread_promised, true);
    start_takers(2);
    for (int i = 0; i < 20; i++) next_is_called(false);
    stop_takers();
    _exit(0);
}

static void *fork_here(void *status)
{
    *(int *)status = status_of_child(check_pokes_of_child);
    return NULL;
}

/* A fork of which nobody was told: one that a C library makes by itself. */
static void *fork_untold(void *status)
{
#if defined(SYS_fork)
    pid_t pid = (pid_t)syscall(SYS_fork);
#else
    pid_t pid = (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
#endif
    CHECK(pid >= 0);
    if (pid == 0) {
        long long before = atomic_load(&calls[QUEUED]);
        MUST(syscall(SYS_tgkill, getpid(), syscall(SYS_gettid), QUEUED));
        _exit(atomic_load(&calls[QUEUED]) == before + 1 ? 0 : 1);
    }
    *(int *)status = status_of(pid);
    return NULL;
}

CASE(a_forked_childs_pokes_go_to_its_own_main_thread)
{
    const int rounds = 5 * SCALE;
    int status;
    register_signal(QUEUED);
    for (int i = 0; i < rounds; i++) {
        start_takers(2); /* this process's own go to this one, before and after */
        next_is_called(false);
        stop_takers();
        unsigned before = sigcffi_trampoline_arrivals();
        EQUAL(status_of_child(check_pokes_of_child), 0);
        if (!TSAN) { /* which does not know threads in the child of one that has several */
            join(start_thread(fork_here, &status));
            EQUAL(status, 0);
            join(start_thread(fork_untold, &status));
            EQUAL(status, 0);
        }
        EQUAL(sigcffi_trampoline_arrivals(), before);
    }
    figures("%d forks", (TSAN ? 1 : 3) * rounds);
}

/* ---- An interpreter that spins ---- */

/* As long as nobody comes. */
static int sleep_on(void)
{
    const struct timespec minute = {.tv_sec = 60};
    errno = 0;
    nanosleep(&minute, NULL);
    return errno;
}

/* An interpreter that spins before it sleeps is called while it spins, and sleeps. */
CASE(a_call_that_has_ended_no_wait_is_told_again)
{
    const int rounds = 5 * SCALE;
    sigcffi_retry_interpreter_spins();
    register_signal(STANDARD);
    for (int i = 0; i < rounds; i++) {
        send_to_self(STANDARD);
        /* Where it spins for long the first ones come in vain, too. */
        unsigned before = sigcffi_trampoline_arrivals(), in_vain = i == 0 ? 11 : (unsigned)i % 4;
        if (TSAN) in_vain = 0; /* it lets no handler run there */
        while (sigcffi_trampoline_arrivals() - before < in_vain) continue; /* in no system call */
        EQUAL(sleep_on(), EINTR);
    }
    EQUAL(calls[STANDARD], rounds);
    /* What a child of this process is told comes from a timer of its own. */
    pid_t child = fork();
    if (child == 0) {
        send_to_self(STANDARD);
        _exit(sleep_on() == EINTR ? 0 : 1);
    }
    EQUAL(status_of(child), 0);
    figures("%d rounds", rounds);
}

/* A library has unblocked SIGURG in the main thread, and we have not heard of it: the thread that
 * takes a signal makes the call itself, while the main thread spins. */
CASE(a_call_made_elsewhere_is_told_again)
{
    const int rounds = 20 * SCALE;
    const sigset_t set = sigcffi_set_of(urgent());
    sigcffi_retry_interpreter_spins();
    register_signal(QUEUED);
    start_takers(1);
    for (int i = 0; i < rounds; i++) {
        sigcffi_masks_sigmask(SIG_BLOCK, urgent());
        MUST(pthread_sigmask(SIG_UNBLOCK, &set, NULL));
        unsigned before = sigcffi_trampoline_arrivals();
        long long called = atomic_load(&calls[QUEUED]);
        queue_to(takers[0], QUEUED, 0);
        while (!TSAN && (sigcffi_trampoline_arrivals() == before ||
                         atomic_load(&calls[QUEUED]) == called)) /* in no system call */
            continue;
        EQUAL(sleep_on(), EINTR);
    }
    stop_takers();
    EQUAL(calls_elsewhere[QUEUED], rounds);
    figures("%d rounds", rounds);
}

/* Another library ignores SIGURG for a moment, in which the timer's is thrown away. */
CASE(a_retry_that_was_lost_does_not_keep_the_next_call_from_its_own)
{
    const struct sigaction ignored = {.sa_handler = SIG_IGN};
    struct sigaction former;
    sigset_t pending, mask;
    sigcffi_retry_interpreter_spins();
    register_signal(STANDARD);
    mask = block(SIGURG);
    send_to_self(STANDARD);
    do MUST(sigpending(&pending));
    while (!sigismember(&pending, SIGURG));
    MUST(sigaction(SIGURG, &ignored, &former));
    MUST(sigaction(SIGURG, &former, NULL));
    restore(&mask);
    send_to_self(STANDARD);
    EQUAL(sleep_on(), EINTR);
    EQUAL(calls[STANDARD], 2);
    figures("two calls");
}

/* Each poke is a system call of somebody's that ends without need. */
CASE(a_call_that_has_ended_a_wait_is_not_told_again)
{
    const struct timespec longer_than_the_first_takes = {.tv_nsec = 20000000};
    sigcffi_retry_interpreter_spins();
    register_signal(STANDARD);
    sigset_t former = block(STANDARD);
    queue_to(pthread_self(), STANDARD, 0);
    /* It comes as this sleeps. */
    EQUAL(ppoll(NULL, 0, NULL, &former), -1);
    EQUAL(calls[STANDARD], 1);
    MUST(nanosleep(&longer_than_the_first_takes, NULL));
    restore(&former);
    figures("one call");
}

/* A call of Python's comes before the wait: the interpreter looks as that returns. */
CASE(a_wait_that_python_begins_is_not_ended_by_retries)
{
    const int rounds = 5 * SCALE;
    const struct timespec longer_than_the_first_takes = {.tv_nsec = 20000000};
    sigcffi_retry_interpreter_spins();
    register_signal(STANDARD);
    for (int i = 0; i < rounds; i++) {
        send_to_self(STANDARD);
        EQUAL(sigcffi_waits_begin(), sigcffi_trampoline_arrivals());
        MUST(nanosleep(&longer_than_the_first_takes, NULL));
    }
    EQUAL(calls[STANDARD], rounds);
    figures("%d rounds", rounds);
}

/* Somebody counts, and comes to the number that a poke carries. */
CASE(a_signal_with_the_value_of_a_poke_is_a_signal)
{
    register_signal(STANDARD);
    register_signal(QUEUED);
    const sigset_t former = block(SIGURG), wanted = sigcffi_set_of(sigcffi_bit(SIGURG));
    siginfo_t poke;
    CHECK(sigcffi_wake_poke((int)syscall(SYS_gettid)));
    while (sigwaitinfo(&wanted, &poke) != SIGURG) EQUAL(errno, EINTR);
    restore(&former);
    int64_t before = (int64_t)sigcffi_channel_deliveries(SIGURG);
    while (sigqueue(getpid(), QUEUED, poke.si_value) != 0) EQUAL(errno, EAGAIN);
    MUST(sigqueue(getpid(), SIGURG, poke.si_value));
    UNTIL(atomic_load(&calls[QUEUED]) == 1);
    UNTIL((int64_t)sigcffi_channel_deliveries(SIGURG) == before + 1);
    EQUAL(sigcffi_channel_deliveries(QUEUED), 1);
    figures("the value %p", poke.si_value.sival_ptr);
}
