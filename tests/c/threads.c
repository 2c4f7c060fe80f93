/* Threads of the stress program, and senders: see harness.h for its law. */
#include "harness.h"

#include <sched.h>
#include <semaphore.h>
#include <stdio.h>

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

static int wake(pthread_t taker)
{
    int error = pthread_kill(taker, wake_signal());
    return error == ESRCH ? 0 : error; /* it has left, woken by the last signal of the case */
}

void stop_takers(void)
{
    atomic_store(&takers_stop, true);
    for (int i = 0; i < taker_count; i++) MUST(sem_post(&takers_may_go));
    for (int i = 0; i < taker_count; i++) {
        SEND(wake(takers[i]));
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
    SEND(try_to_queue(thread, signum, value));
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
