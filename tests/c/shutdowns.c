/* Shutdowns: the stages through which a signal brings a program, with nothing of Python.
 *
 * Law: what ends the process happens in a child of the case.
 */
#include "harness.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/wait.h>

struct opened {
    int number, cell, ends[2];
    int64_t handle;
};

static struct opened open_shutdown(int signum, int64_t grace, int64_t kill, int force)
{
    struct opened shutdown;
    open_pipe(shutdown.ends);
    MUST(fcntl(shutdown.ends[1], F_SETFL, O_NONBLOCK));
    shutdown.cell = sigcffi_flags_new();
    shutdown.number = sigcffi_shutdowns_open(grace, kill, force);
    CHECK(shutdown.cell >= 0 && shutdown.number >= 0);
    shutdown.handle = sigcffi_attachments_attach(signum, SIGCFFI_SLOT_SHUTDOWN, shutdown.ends[1],
                                                 shutdown.cell, shutdown.number, false);
    CHECK(shutdown.handle > 0);
    return shutdown;
}

static int stage_of(const struct opened *shutdown)
{
    return atomic_load((_Atomic int *)sigcffi_flags_cell(shutdown->cell));
}

static bool is_readable(const struct opened *shutdown)
{
    struct pollfd looked_at = {.fd = shutdown->ends[0], .events = POLLIN};
    return poll(&looked_at, 1, 0) == 1;
}

CASE(each_signal_is_a_stage_and_the_first_is_kept)
{
    register_signal(QUEUED);
    struct opened shutdown = open_shutdown(QUEUED, -1, -1, 0);
    struct sigcffi_record first;
    CHECK(!sigcffi_shutdowns_first(shutdown.number, &first));
    for (int i = 1; i <= 20; i++) {
        EQUAL(is_readable(&shutdown), i > 1);
        queue_to(pthread_self(), QUEUED, 100 + i);
        UNTIL(stage_of(&shutdown) == i && is_readable(&shutdown));
        CHECK(sigcffi_shutdowns_first(shutdown.number, &first));
        EQUAL(first.signo, QUEUED);
    }
    UNTIL(calls[QUEUED] == 20);
    /* The program cannot bring it back. */
    CHECK(!sigcffi_shutdowns_raise(shutdown.number, shutdown.cell, 1, QUEUED));
    EQUAL(stage_of(&shutdown), 20);
    sigcffi_attachments_detach(QUEUED, shutdown.handle);
    sigcffi_shutdowns_close(shutdown.number);
    queue_to(pthread_self(), QUEUED, 0);
    EQUAL(stage_of(&shutdown), 20);
    figures("20 stages");
}

/* Whichever thread is first, there is one first. */
CASE(signals_that_many_threads_take_are_each_a_stage)
{
    const int rounds = 200 * SCALE;
    register_signal(QUEUED);
    start_takers(4);
    for (int i = 0; i < rounds; i++) {
        struct opened shutdown = open_shutdown(QUEUED, -1, -1, 0);
        struct sigcffi_record first;
        for (int taker = 0; taker < 4; taker++) queue_to(takers[taker], QUEUED, taker);
        UNTIL(stage_of(&shutdown) == 4);
        UNTIL(sigcffi_shutdowns_first(shutdown.number, &first));
        EQUAL(first.signo, QUEUED);
        UNTIL(is_readable(&shutdown));
        sigcffi_attachments_detach(QUEUED, shutdown.handle);
        sigcffi_shutdowns_close(shutdown.number);
        sigcffi_flags_free(shutdown.cell);
        MUST(close(shutdown.ends[0]));
        MUST(close(shutdown.ends[1]));
    }
    stop_takers();
    figures("%d rounds", rounds);
}

static int force, signals;

static void take_signals(void)
{
    register_signal(STANDARD);
    open_shutdown(STANDARD, -1, -1, force);
    for (int i = 0; i < signals; i++) send_to_self(STANDARD);
    _exit(0);
}

CASE(so_many_signals_behind_the_second_are_the_default_action)
{
    for (force = 0; force <= 3; force++)
        for (signals = 0; signals < 8; signals++) {
            int status = status_of_child(take_signals);
            if (force != 0 && signals >= 2 + force) {
                CHECK(WIFSIGNALED(status));
                EQUAL(WTERMSIG(status), STANDARD);
            } else {
                EQUAL(status, 0);
            }
        }
    figures("force 0 to 3, up to 7 signals");
}

static bool seen;

/* 20 ms after the second stage, which is 20 ms after the first. */
static void wait_to_be_killed(void)
{
    register_signal(STANDARD);
    struct opened shutdown = open_shutdown(STANDARD, 20000000, 20000000, 0);
    send_to_self(STANDARD);
    if (seen) {
        sigcffi_shutdowns_seen(shutdown.number);
        const struct timespec longer = {.tv_nsec = 200000000};
        MUST(nanosleep(&longer, NULL));
        _exit(0);
    }
    for (;;) breathe();
}

CASE(a_program_that_does_not_see_its_interruption_ends_in_time)
{
    seen = false;
    int status = status_of_child(wait_to_be_killed);
    CHECK(WIFSIGNALED(status));
    EQUAL(WTERMSIG(status), STANDARD);
    seen = true;
    EQUAL(status_of_child(wait_to_be_killed), 0);
    figures("unseen, seen");
}

/* By the first signal and by the second. The deadline is looked at, not waited for. */
CASE(a_time_that_the_clock_never_reaches_is_never_over)
{
    register_signal(QUEUED);
    for (int stage = 1; stage <= 2; stage++) {
        struct opened shutdown = open_shutdown(QUEUED, INT64_MAX - 1, INT64_MAX - 1, 0);
        CHECK(sigcffi_shutdowns_raise(shutdown.number, shutdown.cell, stage, QUEUED));
        EQUAL(atomic_load(&state.shutdowns[shutdown.number].deadline), INT64_MAX);
        sigcffi_attachments_detach(QUEUED, shutdown.handle);
        sigcffi_shutdowns_close(shutdown.number);
    }
}

CASE(a_forked_child_has_no_shutdown_of_its_parents)
{
    register_signal(STANDARD);
    struct opened shutdown = open_shutdown(STANDARD, 0, 3600000000000, 1);
    send_to_self(STANDARD);
    pid_t child = fork();
    if (child == 0) {
        for (int i = 0; i < 5; i++) send_to_self(STANDARD);
        struct sigcffi_record first;
        if (sigcffi_shutdowns_first(shutdown.number, &first)) _exit(1);
        _exit(stage_of(&shutdown));
    }
    EQUAL(status_of(child), 0);
    EQUAL(stage_of(&shutdown), 1);
    figures("one child");
}
