/* How a process ends, or stops, by an action or the dead man's switch, as its parent sees it.
 *
 * Law: what ends or stops the process happens in a child of the case.
 */
#include "harness.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>

static void attach(int signum, int kind, int from)
{
    CHECK(sigcffi_attachments_attach(signum, kind, 0, -1, from, true) > 0);
}

/* ---- By the signal's default action ---- */

static int signum_to_end_by;

static void take_the_default(void)
{
    register_signal(signum_to_end_by);
    attach(signum_to_end_by, SIGCFFI_SLOT_DEFAULT, 0);
    MUST(raise(signum_to_end_by));
    for (;;) breathe();
}

/* The kernel has no memory for one more signal. */
static void take_the_default_without_memory(void)
{
    register_signal(signum_to_end_by);
    attach(signum_to_end_by, SIGCFFI_SLOT_DEFAULT, 0);
    limit_queue(0);
    MUST(kill(getpid(), signum_to_end_by));
    for (;;) breathe();
}

/* On a thread that is not the main thread. */
static void take_the_default_elsewhere(void)
{
    register_signal(signum_to_end_by);
    attach(signum_to_end_by, SIGCFFI_SLOT_DEFAULT, 0);
    start_takers(1);
    queue_to(takers[0], signum_to_end_by, 0);
    for (;;) breathe();
}

static void quit_at_the_second(void)
{
    const int signum = signum_to_end_by;
    register_signal(signum);
    int64_t handle = sigcffi_attachments_attach(signum, SIGCFFI_SLOT_FORCE_QUIT, 0, -1, 2, true);
    for (int i = 0; i < 3; i++) {
        send_to_self(signum);
        if (sigcffi_attachments_tally(signum, handle).count != 1) _exit(1);
        sigcffi_attachments_seen(~sigcffi_bit(signum)); /* others */
        if (sigcffi_attachments_tally(signum, handle).count != 1) _exit(2);
        sigcffi_attachments_seen(sigcffi_bit(signum));
        if (sigcffi_attachments_tally(signum, handle).count != 0) _exit(3);
    }
    send_to_self(signum);
    MUST(raise(signum));
    for (;;) breathe();
}

CASE(the_parent_sees_a_process_end_by_the_signal)
{
    const int signals[] = {SIGINT, SIGTERM, SIGQUIT, SIGHUP, SIGUSR1, SIGRTMIN};
    case_function *const ways[] = {take_the_default, take_the_default_without_memory,
                                   take_the_default_elsewhere, quit_at_the_second};
    for (size_t i = 0; i < sizeof signals / sizeof *signals; i++)
        for (size_t way = 0; way < sizeof ways / sizeof *ways; way++) {
            signum_to_end_by = signals[i];
            int status = status_of_child(ways[way]);
            CHECK(WIFSIGNALED(status));
            EQUAL(WTERMSIG(status), signum_to_end_by);
        }
    figures("6 signals, 4 ways");
}

/* Stopped again and again, by two threads at once: each time everything is back. */
static const int stops = 40 * SCALE;

static void stop_and_go_on(void)
{
    register_signal(SIGTSTP);
    attach(SIGTSTP, SIGCFFI_SLOT_DEFAULT, 0);
    start_takers(2);
    for (int i = 0; i < stops; i++) {
        uint64_t before = sigcffi_channel_deliveries(SIGTSTP);
        /* Again if need be: to continue a process discards the stop signals that it has not taken.
         */
        while (sigcffi_channel_deliveries(SIGTSTP) == before) {
            for (int taker = 0; taker < 2; taker++)
                MUST(syscall(SYS_tgkill, getpid(), atomic_load(&taker_tids[taker]), SIGTSTP));
            /* Nobody takes the default action that stands there meanwhile for somebody else's. */
            EQUAL(sigcffi_dispositions_query(SIGTSTP), SIGCFFI_PYTHON);
        }
        EQUAL(sigcffi_interpose(SIGTSTP), 0);
        EQUAL(sigcffi_dispositions_query(SIGTSTP), SIGCFFI_PYTHON);
    }
    stop_takers();
    /* The trampoline is in place, with the base below. */
    struct sigaction now;
    EQUAL(sigcffi_dispositions_save(SIGTSTP, &now),
          SIGCFFI_PYTHON | SIGCFFI_INTERPOSED | SIGCFFI_USUAL);
    _exit(0);
}

CASE(a_process_that_stopped_goes_on_with_its_handler)
{
    pid_t pid = fork();
    CHECK(pid >= 0);
    if (pid == 0) {
        MUST(setpgid(0, 0));                    /* not orphaned: its parent is in another group */
        MUST(prctl(PR_SET_PDEATHSIG, SIGKILL)); /* so not killed with that */
        stop_and_go_on();
    }
    int status, count = 0;
    for (;;) {
        EQUAL(waitpid(pid, &status, WUNTRACED), pid);
        if (!WIFSTOPPED(status)) break;
        EQUAL(WSTOPSIG(status), SIGTSTP);
        count++;
        MUST(kill(pid, SIGCONT));
    }
    EQUAL(status, 0);
    CHECK(count > 0);
    figures("%d rounds, stopped %d times", stops, count);
}

/* ---- The dead man's switch ---- */

static int64_t now_ns(void)
{
    struct timespec now;
    MUST(clock_gettime(CLOCK_MONOTONIC, &now));
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static const int64_t second = 1000000000;

static void hang(void)
{
    EQUAL(sigcffi_deadman_end_at(sigcffi_deadman_turn(), now_ns() + second / 100), 0);
    for (;;) pause();
}

/* Every other thread, as the kernel has it. */
static bool others_sleep(void)
{
    bool all = true;
    DIR *tasks = opendir("/proc/self/task");
    CHECK(tasks != NULL);
    for (struct dirent *task; (task = readdir(tasks)) != NULL;) {
        char path[300], text[256] = {0};
        if (task->d_name[0] == '.' || atoi(task->d_name) == getpid()) continue;
        snprintf(path, sizeof path, "/proc/self/task/%s/stat", task->d_name);
        int fd = open(path, O_RDONLY);
        if (fd < 0 || read(fd, text, sizeof text - 1) < 0) text[0] = 0;
        if (fd >= 0) close(fd);
        const char *end = strrchr(text, ')');
        all = all && end != NULL && end[2] == 'S';
    }
    closedir(tasks);
    return all;
}

/* Later than it was, then sooner, and it is the last word that counts. */
static void hang_in_the_end(void)
{
    EQUAL(sigcffi_deadman_end_at(sigcffi_deadman_turn(), now_ns() + 3600 * second), 0);
    EQUAL(sigcffi_deadman_end_at(sigcffi_deadman_turn(), 0), 0);
    EQUAL(sigcffi_deadman_end_at(sigcffi_deadman_turn(), now_ns() + 3600 * second), 0);
    UNTIL(others_sleep());
    EQUAL(sigcffi_deadman_end_at(sigcffi_deadman_turn(), now_ns() + second / 100), 0);
    for (;;) pause();
}

static void hang_with_a_python_handler(void)
{
    register_signal(SIGABRT);
    hang();
}

static void say_something(int signum)
{
    (void)signum;
    _exit(23);
}

static void hang_with_a_foreign_handler(void)
{
    install(SIGABRT, say_something, 0);
    EQUAL(sigcffi_interpose(SIGABRT), 0);
    hang();
}

/* Nobody reads what it says. */
static void hang_with_a_full_pipe(void)
{
    int ends[2];
    open_pipe(ends);
    char page[4096] = {0};
    while (write(ends[1], page, sizeof page) > 0) continue;
    while (write(ends[1], page, 1) > 0) continue;
    MUST(fcntl(ends[1], F_SETFL, 0));
    CHECK(dup2(ends[1], STDERR_FILENO) == STDERR_FILENO);
    register_signal(SIGALRM);
    hang();
}

static void be_put_off(void)
{
    /* Each time in time: the last is an hour away. */
    for (int i = 0; i < 1000; i++)
        EQUAL(sigcffi_deadman_end_at(sigcffi_deadman_turn(), now_ns() + (3600 + i) * second), 0);
    for (int i = 0; i < 1000; i++) {
        EQUAL(sigcffi_deadman_end_at(sigcffi_deadman_turn(), now_ns() + 3600 * second), 0);
        EQUAL(sigcffi_deadman_end_at(sigcffi_deadman_turn(), 0), 0);
    }
    if (!TSAN) { /* it starts no threads after a fork */
        int status = status_of_child(hang);
        EQUAL(WTERMSIG(status), SIGABRT);
    }
    _exit(0);
}

CASE(who_does_not_put_it_off_is_ended)
{
    int silent = open("/dev/null", O_WRONLY);
    CHECK(silent >= 0 && dup2(STDERR_FILENO, 100) == 100);
    CHECK(dup2(silent, STDERR_FILENO) == STDERR_FILENO);
    const int statuses[] = {status_of_child(hang), status_of_child(hang_in_the_end),
                            status_of_child(hang_with_a_python_handler)};
    const int foreign = status_of_child(hang_with_a_foreign_handler);
    const int unread = SCALE > 1 ? status_of_child(hang_with_a_full_pipe) : SIGALRM; /* seconds */
    const int put_off = status_of_child(be_put_off);
    CHECK(dup2(100, STDERR_FILENO) == STDERR_FILENO);
    for (int i = 0; i < 3; i++) EQUAL(WTERMSIG(statuses[i]), SIGABRT);
    EQUAL(WEXITSTATUS(foreign), 23);
    EQUAL(WTERMSIG(unread), SIGALRM);
    EQUAL(put_off, 0);
    figures("6 ways");
}
