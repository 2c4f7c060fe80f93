/* The harness of the stress program: see harness.h for its law. */
#include "harness.h"

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <semaphore.h>
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

static void do_nothing(int signum)
{
    (void)signum;
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

int run_cases(const struct test_case *cases, int argc, char **argv)
{
    int failed = 0;
    setvbuf(stdout, NULL, _IOLBF, 0);
    signal(SIGHUP, SIG_DFL); /* which are ignored under nohup, or behind a shell's "&" */
    signal(SIGINT, SIG_DFL);
    signal(SIGQUIT, SIG_DFL);
    block(SIGCHLD); /* to wait for it */
    if (deadline == 0) {
        deadline = DEADLINE * slowness();
        if (deadline > DEADLINE) printf("a slow machine: %.0f s for each case\n", deadline);
    }
    for (; cases->name != NULL; cases++) {
        bool wanted = argc < 2;
        for (int i = 1; i < argc; i++) wanted |= strcmp(argv[i], cases->name) == 0;
        if (wanted && !run_case(cases)) failed++;
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

/* ---- Threads ---- */

/* Those that were started here and not joined: a signal is queued to a thread by the kernel's
 * number for it, and few C libraries tell that. */
static struct started {
    _Atomic uintptr_t thread; /* 0: none; 1: it is just being started */
    _Atomic int tid;
    void *(*function)(void *);
    void *argument;
} started[64];

enum { STARTED = sizeof started / sizeof *started };

static void forget(pthread_t thread)
{
    for (int i = 0; i < STARTED; i++) {
        uintptr_t which = (uintptr_t)thread;
        atomic_compare_exchange_strong(&started[i].thread, &which, 0);
    }
}

static void *begin(void *argument)
{
    struct started *self = argument;
    atomic_store(&self->tid, (int)syscall(SYS_gettid));
    return self->function(self->argument);
}

pthread_t start_thread(void *function(void *), void *argument)
{
    int i = 0;
    for (uintptr_t none = 0; !atomic_compare_exchange_strong(&started[i].thread, &none, 1);
         none = 0)
        CHECK(++i < STARTED);
    atomic_store(&started[i].tid, 0);
    started[i].function = function;
    started[i].argument = argument;
    pthread_t thread;
    MUST(pthread_create(&thread, NULL, begin, &started[i]));
    forget(thread); /* one of the parent's, in a forked child */
    atomic_store(&started[i].thread, (uintptr_t)thread);
    return thread;
}

/* Of one that was started here, of the calling or of the main thread. */
static int tid_of(pthread_t thread)
{
    if (pthread_equal(thread, pthread_self())) return (int)syscall(SYS_gettid);
    for (int i = 0; i < STARTED; i++)
        if (atomic_load(&started[i].thread) == (uintptr_t)thread) {
            UNTIL(atomic_load(&started[i].tid) != 0);
            return atomic_load(&started[i].tid);
        }
    return getpid();
}

/* With every signal blocked from its first moment. */
static pthread_t start_closed_thread(void *function(void *), void *argument)
{
    sigset_t all, former;
    sigfillset(&all);
    MUST(pthread_sigmask(SIG_SETMASK, &all, &former));
    pthread_t thread = start_thread(function, argument);
    restore(&former);
    return thread;
}

void *join(pthread_t thread)
{
    void *result;
    MUST(pthread_join(thread, &result));
    forget(thread);
    return result;
}

pthread_t takers[MOST_THREADS];
_Atomic int taker_tids[MOST_THREADS];
static int taker_count;
static atomic_bool takers_stop;
static sem_t takers_may_go;

static int wake_signal(void)
{
    return SIGRTMAX;
}

/* Open to every signal, and blocked only by what sigcffi does. */
static void *take(void *tid)
{
    sigset_t none;
    sigemptyset(&none);
    if (!TSAN) restore(&none);
    atomic_store((_Atomic int *)tid, (int)syscall(SYS_gettid));
    /* ThreadSanitizer runs handlers at once where it knows that the thread sits in a call that
     * waits. Elsewhere it holds a signal back, and of two equal ones it holds back one: real-time
     * signals would be lost by the tool. So there the thread is closed while it is awake. */
    while (TSAN && !atomic_load(&takers_stop)) sigsuspend(&none);
    while (sem_wait(&takers_may_go) != 0) EQUAL(errno, EINTR);
    CHECK(TSAN || kernel_mask() == 0);
    return NULL;
}

void start_takers(int count)
{
    install(wake_signal(), do_nothing, 0);
    atomic_store(&takers_stop, false);
    MUST(sem_init(&takers_may_go, 0, 0));
    for (taker_count = 0; taker_count < count; taker_count++) {
        atomic_store(&taker_tids[taker_count], 0);
        takers[taker_count] = start_closed_thread(take, &taker_tids[taker_count]);
        UNTIL(atomic_load(&taker_tids[taker_count]) != 0);
    }
}

void stop_takers(void)
{
    atomic_store(&takers_stop, true);
    for (int i = 0; i < taker_count; i++) MUST(sem_post(&takers_may_go));
    for (int i = 0; i < taker_count; i++) {
        /* It may have left already, woken by the last signal of the case. */
        int error = pthread_kill(takers[i], wake_signal());
        CHECK(error == 0 || error == ESRCH);
        join(takers[i]);
    }
    taker_count = 0;
    MUST(sem_destroy(&takers_may_go));
}

static pthread_t senders[MOST_THREADS];
static int sender_count;

static void *send_flood(void *argument)
{
    const struct flood *flood = argument;
    for (int i = 0; i < flood->count; i++)
        queue_to(flood->targets[i % flood->target_count],
                 flood->signals[i / flood->target_count % flood->signal_count], i);
    return NULL;
}

void start_senders(int count, const struct flood *flood)
{
    for (sender_count = 0; sender_count < count; sender_count++)
        senders[sender_count] = start_closed_thread(send_flood, (void *)flood);
}

void join_senders(void)
{
    while (sender_count > 0) join(senders[--sender_count]);
}

int try_to_queue(pthread_t thread, int signum, int value)
{
    siginfo_t info;
    memset(&info, 0, sizeof info);
    info.si_signo = signum;
    info.si_code = SI_QUEUE;
    info.si_pid = getpid();
    info.si_uid = getuid();
    info.si_value.sival_int = value;
    if (syscall(SYS_rt_tgsigqueueinfo, info.si_pid, tid_of(thread), signum, &info) == 0) return 0;
    return errno;
}

void queue_to(pthread_t thread, int signum, int value)
{
    int error;
    while ((error = try_to_queue(thread, signum, value)) == EAGAIN) sched_yield();
    EQUAL(error, 0);
}

sigset_t block(int signum)
{
    sigset_t set, former;
    sigemptyset(&set);
    sigaddset(&set, signum);
    MUST(pthread_sigmask(SIG_BLOCK, &set, &former));
    return former;
}

void restore(const sigset_t *mask)
{
    MUST(pthread_sigmask(SIG_SETMASK, mask, NULL));
}

uint64_t kernel_mask(void)
{
    sigset_t mask;
    MUST(pthread_sigmask(SIG_BLOCK, NULL, &mask));
    return sigcffi_word_of(&mask);
}

uint64_t mask_of_taker(int number)
{
    char path[64], line[256];
    unsigned long long mask = 0;
    snprintf(path, sizeof path, "/proc/self/task/%d/status", taker_tids[number]);
    FILE *status = fopen(path, "r");
    CHECK(status != NULL);
    while (fgets(line, sizeof line, status) != NULL && sscanf(line, "SigBlk: %llx", &mask) != 1)
        continue;
    fclose(status);
    return mask;
}

int threads_listed(void)
{
    int count = 0;
    for (int i = 0; i < SIGCFFI_THROTTLED; i++) count += atomic_load(&state.throttled[i].tid) != 0;
    return count;
}

/* ---- Files ---- */

void open_pipe(int ends[2])
{
    MUST(pipe(ends));
    for (int end = 0; end < 2; end++) MUST(fcntl(ends[end], F_SETFL, O_NONBLOCK));
}

/* ---- The interpreter ---- */

_Atomic long long calls[NSIG];
_Atomic long long calls_elsewhere[NSIG];
_Atomic long long heard[NSIG];
_Atomic bool main_thread_promised;
_Atomic bool errno_is_clobbered;

void interpreter_handler(int signum)
{
    if (!sigcffi_main_thread_is_current()) {
        CHECK(!atomic_load(&main_thread_promised));
        atomic_fetch_add(&calls_elsewhere[signum], 1);
    }
    long long now = (long long)sigcffi_channel_deliveries(signum),
              before = atomic_load(&heard[signum]);
    while (before < now && !atomic_compare_exchange_weak(&heard[signum], &before, now)) continue;
    /* Last: who waits for `calls` may look at the others. */
    atomic_fetch_add(&calls[signum], 1);
    if (atomic_load(&errno_is_clobbered)) errno = EBADMSG;
}

void install(int signum, void (*handler)(int), int flags)
{
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_handler = handler;
    action.sa_flags = flags;
    MUST(sigaction(signum, &action, NULL));
}

void register_signal(int signum)
{
    install(signum, interpreter_handler, SA_ONSTACK);
    EQUAL(sigcffi_dispositions_registered(signum), 0);
    EQUAL(sigcffi_dispositions_query(signum), SIGCFFI_PYTHON);
}

int64_t attach_counter(int signum)
{
    int64_t handle = sigcffi_attachments_attach(signum, SIGCFFI_SLOT_COUNTER, 0, -1, 0);
    CHECK(handle > 0);
    return handle;
}
