/* The harness of the stress program: see harness.h for its law. */
#include "harness.h"

#include <poll.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>

/* Seconds: a case takes one or two, under a sanitizer ten; see time_of(). On a slow machine a case
 * may take longer by as much as a signal does; see slowness(). */
enum { DEADLINE = 30 };
static double deadline;

/* Microseconds that a signal takes at most, on a processor of today. */
enum { USUAL = 5, EXIT_SKIP = 77 };

static char said[256];

void fail(const char *file, int line, const char *what, long long left, long long right)
{
    char text[512];
    int size = snprintf(text, sizeof text, "%s:%d: not so: %s (%lld, %lld)\n", file, line, what,
                        left, right);
    if (write(STDERR_FILENO, text, (size_t)size) < 0) _exit(1);
    abort();
}

/* ---- Cases ---- */

void figures(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(said, sizeof said, format, arguments);
    va_end(arguments);
}

void skip(const char *reason)
{
    printf("skip %s (%s)\n", said, reason);
    fflush(stdout);
    _exit(EXIT_SKIP);
}

pid_t start_child(case_function *function)
{
    fflush(stdout);
    pid_t pid = fork();
    CHECK(pid >= 0);
    if (pid == 0) {
        function();
        _exit(0);
    }
    return pid;
}

int status_of(pid_t pid)
{
    int status;
    while (waitpid(pid, &status, 0) != pid) EQUAL(errno, EINTR);
    return status;
}

void wait_for(pid_t pid)
{
    EQUAL(status_of(pid), 0);
}

int status_of_child(case_function *function)
{
    return status_of(start_child(function));
}

/* The kernel counts queued signals by user. With a user of its own a case is not disturbed by
 * what else runs on the machine, nor disturbs it. Only root can have that; others leave half of the
 * queue to what else runs. */
static void become_somebody_else(void)
{
    struct rlimit queue;
    uid_t uid = 100000 + (uid_t)getpid();
    if (geteuid() == 0 && setresuid(uid, uid, uid) == 0)
        prctl(PR_SET_DUMPABLE, 1); /* LeakSanitizer looks into its own process */
    else if (getrlimit(RLIMIT_SIGPENDING, &queue) == 0)
        limit_queue(queue.rlim_cur / 2);
}

void (*_Atomic inside_fork)(void);

static void run_inside_fork(void)
{
    void (*hook)(void) = atomic_load(&inside_fork);
    if (hook != NULL) hook();
}

static double seconds_of(clockid_t clock)
{
    struct timespec time;
    return clock_gettime(clock, &time) == 0 ? (double)time.tv_sec + (double)time.tv_nsec / 1e9 : 0;
}

static double begun; /* the case of this process */

static void run_in_child(const struct test_case *test)
{
    become_somebody_else();
    /* Registered first, so it is called last before a fork and first after it. */
    MUST(pthread_atfork(run_inside_fork, NULL, run_inside_fork));
    setpgid(0, 0);
    setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0}); /* deaths are part of the programme */
    figures("%s", test->name);                      /* for skip() */
    begun = seconds_of(CLOCK_MONOTONIC);
    CHECK(sigcffi_process_start() >= 0);
    EQUAL(sigcffi_process_start(), -EALREADY); /* the second time changes nothing */
    sigcffi_main_thread_set((unsigned long)pthread_self(), 0);
    sigset_t none;
    sigemptyset(&none);
    restore(&none);
    test->function();
    printf("ok %s (%s; %.1f s)\n", test->name, said, seconds_of(CLOCK_MONOTONIC) - begun);
    fflush(stdout);
    exit(0); /* not _exit(): a sanitizer has its last word here */
}

/* How many times longer than usual a signal takes, in the processor's time and undisturbed: on an
 * emulated machine it is many. */
static double slowness(void)
{
    enum { TRIES = 10, ROUNDS = 500 };
    double least = 1;
    install(STANDARD, do_nothing, 0);
    for (int try = 0; try < TRIES; try++) {
        double before = seconds_of(CLOCK_PROCESS_CPUTIME_ID);
        for (int i = 0; i < ROUNDS; i++) MUST(raise(STANDARD));
        double each = (seconds_of(CLOCK_PROCESS_CPUTIME_ID) - before) / ROUNDS;
        if (each < least) least = each;
    }
    install(STANDARD, SIG_DFL, 0);
    return least > USUAL / 1e6 ? least / (USUAL / 1e6) : 1;
}

/* What a case has had of its time: while it runs, what the processors gave it, which on a busy
 * machine may be little; while it does nothing, all that goes by. */
static double time_of(pid_t pid, double *processor, double *clock)
{
    clockid_t processors;
    double ran = 0, passed = *clock;
    *clock = seconds_of(CLOCK_MONOTONIC);
    if (clock_getcpuclockid(pid, &processors) == 0) {
        ran = seconds_of(processors) - *processor;
        *processor += ran;
    }
    return ran > 0 ? ran : *clock - passed;
}

/* Whether the case ended well and in time. */
static bool run_case(const struct test_case *test)
{
    sigset_t child_ended;
    sigemptyset(&child_ended);
    sigaddset(&child_ended, SIGCHLD);
    pid_t pid = fork();
    CHECK(pid >= 0);
    if (pid == 0) run_in_child(test);
    setpgid(pid, pid); /* whoever comes first; then kill() reaches grandchildren too */

    int status;
    double had = 0, processor = 0, clock = seconds_of(CLOCK_MONOTONIC);
    while (waitpid(pid, &status, WNOHANG) == 0) {
        had += time_of(pid, &processor, &clock);
        if (had >= deadline) {
            kill(-pid, SIGKILL);
            waitpid(pid, &status, 0);
            printf("FAILED %s (hung for %.0f s)\n", test->name, deadline);
            return false;
        }
        sigtimedwait(&child_ended, NULL, &(struct timespec){.tv_sec = 1});
    }
    kill(-pid, SIGKILL); /* a case that failed may have left children */
    if (WIFEXITED(status) && (WEXITSTATUS(status) == 0 || WEXITSTATUS(status) == EXIT_SKIP))
        return true;
    printf("FAILED %s (wait status %#x)\n", test->name, (unsigned)status);
    return false;
}

static struct test_case *first_case, **last_case = &first_case;

void add_case(struct test_case *test)
{
    *last_case = test;
    last_case = (struct test_case **)&test->next;
}

int run_cases(int argc, char **argv)
{
    int failed = 0;
    setvbuf(stdout, NULL, _IOLBF, 0);
    signal(SIGHUP, SIG_DFL); /* which are ignored under nohup, or behind a shell's "&" */
    signal(SIGINT, SIG_DFL);
    signal(SIGQUIT, SIG_DFL);
    block(SIGCHLD); /* to wait for it */
    deadline = DEADLINE * slowness();
    if (deadline > DEADLINE) printf("a slow machine: %.0f s for each case\n", deadline);
    for (const struct test_case *test = first_case; test != NULL; test = test->next) {
        bool wanted = argc < 2;
        for (int i = 1; i < argc; i++) wanted |= strcmp(argv[i], test->name) == 0;
        if (wanted && !run_case(test)) failed++;
    }
    return failed != 0;
}

/* ---- Signals ---- */

void limit_queue(rlim_t limit)
{
    struct rlimit now;
    MUST(getrlimit(RLIMIT_SIGPENDING, &now));
    now.rlim_cur = limit < now.rlim_max ? limit : now.rlim_max;
    MUST(setrlimit(RLIMIT_SIGPENDING, &now));
}

void send_to_self(int signum)
{
    uint64_t before = sigcffi_channel_deliveries(signum);
    MUST(raise(signum));
    UNTIL(sigcffi_channel_deliveries(signum) > before);
}

/* ---- Waiting ---- */

void breathe(void)
{
    int saved_errno = errno; /* poll() may be interrupted, and a case may look at errno */
    sched_yield();
    /* ThreadSanitizer intercepts poll() but not sched_yield(), and runs a handler it has
     * held back only when the thread comes through something intercepted. */
    poll(NULL, 0, 0);
    errno = saved_errno;
}

bool time_is_left(void)
{
    /* Two threads may use two processors all this while. */
    return seconds_of(CLOCK_MONOTONIC) - begun < DEADLINE / 3;
}

void keep_pace(unsigned turn)
{
    int saved_errno = errno;
    if (TSAN)
        breathe();
    else if (turn % 1024 == 0)
        sched_yield(); /* the other may need this very processor */
    errno = saved_errno;
}

_Atomic int current_round;

bool wait_for_round(int round)
{
    int now;
    MEET((now = atomic_load(&current_round)) >= round || now < 0);
    return now >= 0;
}

void spin(int turns)
{
    for (volatile int left = turns; left > 0; left--) {
    }
}

int random_below(unsigned *state, int limit)
{
    *state = *state * 1664525u + 1013904223u;
    return (int)((*state >> 16) % (unsigned)limit);
}
