/* The dead man's switch: a thread that ends the process unless it is put off in time.
 *
 * Law: ordinary calls, made outside handlers; the thread takes no signals and never runs Python, so
 * that it does its work whatever holds the GIL.
 */
#include "threads.h"

static _Atomic int64_t deadline; /* nanoseconds of CLOCK_MONOTONIC; 0: none */
static bool running;             /* under the lock */

static int64_t now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

/* Let the main thread take SIGABRT: its traceback is the one that tells most, and PyPy's
 * faulthandler prints no other than that of the thread it runs in. */
static void abort_in_main_thread(void)
{
#if SIGCFFI_HAS_TGSIGQUEUE
    const struct timespec time = {.tv_sec = 1};
    if (syscall(SYS_tgkill, getpid(), atomic_load(&state.main_thread.tid), SIGABRT) == 0)
        nanosleep(&time, NULL);
#endif
}

/* End the process by SIGABRT, or by the signal of a shutdown. If a C library handles SIGABRT,
 * faulthandler say, which then prints a traceback, it is called first. */
static _Noreturn void end(int signum)
{
    static const char message[] = "sigcffi: kill_after: no sign of life, ending the process\n";
    sigcffi_last_words_begin();
    ssize_t written = write(STDERR_FILENO, message, sizeof message - 1);
    (void)written;
    if (signum != SIGABRT) {
        sigcffi_last_words_speak(NULL);
    } else if (sigcffi_dispositions_query(SIGABRT) == SIGCFFI_FOREIGN) {
        abort_in_main_thread();
        sigset_t abort_alone = sigcffi_set_of(sigcffi_bit(SIGABRT));
        pthread_sigmask(SIG_UNBLOCK, &abort_alone, NULL);
        raise(SIGABRT);
    }
    sigcffi_defaults_take(signum);
    _exit(128 + signum);
}

/* The earliest deadline of all, 0 if there is none, and by which signal the process ends then. */
static int64_t earliest(int *signum)
{
    int64_t first = atomic_load(&deadline);
    *signum = SIGABRT;
    for (int number = 0; number < SIGCFFI_SHUTDOWNS; number++) {
        int64_t when = atomic_load(&state.shutdowns[number].deadline);
        if (when == 0 || (first != 0 && first <= when)) continue;
        first = when;
        *signum = atomic_load(&state.shutdowns[number].signum);
    }
    return first;
}

static void *watch(void *nothing)
{
    for (;;) {
        int signum;
        uint32_t seen = atomic_load(&state.deadlines);
        int64_t when = earliest(&signum), left = when == 0 ? -1 : when - now();
        if (when != 0 && left <= 0) end(signum);
        sigcffi_platform_sleep_on(&state.deadlines, seen, left);
    }
    return nothing;
}

/* Lock held. Start the thread, unless there is one; a negative errno if there can be no more. */
int sigcffi_deadman_start(void)
{
    int result = running ? 0 : sigcffi_threads_start(watch, NULL);
    running = result == 0;
    return result;
}

static _Atomic int64_t turns;
static int64_t told; /* under the lock: the latest turn by which a deadline was told */

/* A turn, for a caller that is going to find out the earliest deadline and tell it. */
int64_t sigcffi_deadman_turn(void)
{
    return atomic_fetch_add(&turns, 1) + 1;
}

/* The process ends at `when`, in nanoseconds of CLOCK_MONOTONIC, unless that is changed before; 0:
 * it does not.
 *
 * Actors: two threads that find out the earliest deadline and tell it. The bad interleaving: the
 * one finds out first and tells last, and its old news is in force. It is forbidden by turns: each
 * has had its turn before it finds out, and an earlier turn changes nothing when a later one has
 * told. */
int sigcffi_deadman_end_at(int64_t turn, int64_t when)
{
    int result = 0;
    int64_t former = -1;
    sigcffi_lock_acquire();
    if (when != 0) result = sigcffi_deadman_start();
    if (result == 0 && turn > told) {
        told = turn;
        former = atomic_exchange(&deadline, when);
    }
    sigcffi_lock_release();
    /* A deadline that is put off is noticed when the former is over. */
    if (when != 0 && (former == 0 || when < former)) {
        atomic_fetch_add(&state.deadlines, 1);
        sigcffi_platform_wake(&state.deadlines, 1);
    }
    return result;
}

/* Lock held, in a forked child: the thread has not come along. */
void sigcffi_deadman_after_fork(void)
{
    atomic_store(&deadline, 0);
    running = false;
}
