/* What every case of the stress program needs: its own process, a deadline, threads that take
 * signals, and a part to play the interpreter.
 *
 * Law: nothing here knows what sigcffi promises, only how to find out. A wait is for a condition
 * or for a thread, never for a time. The clock is looked at by the parent, which ends a case that
 * hangs and calls it a failure, and by what is tried as often as there is time for.
 */
#ifndef SIGCFFI_TEST_HARNESS_H
#define SIGCFFI_TEST_HARNESS_H

#include "handler/handler.h"

#include <pthread.h>
#include <stdatomic.h>
#include <sys/resource.h>

#if defined(__SANITIZE_THREAD__)
#define TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define TSAN 1
#endif
#endif
#ifndef TSAN
#define TSAN 0
#endif

#if defined(__SANITIZE_ADDRESS__)
#define ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ASAN 1
#endif
#endif
#ifndef ASAN
#define ASAN 0
#endif

/* Where a time_t has 64 bits and a long 32, C libraries give these functions other names: the
 * linker knows them by those. */
#if defined(_REDIR_TIME64) && _REDIR_TIME64 /* musl */
#define __real_clock_gettime __real___clock_gettime64
#define __wrap_clock_gettime __wrap___clock_gettime64
#define __real_nanosleep __real___nanosleep_time64
#define __wrap_nanosleep __wrap___nanosleep_time64
#elif defined(__USE_TIME64_REDIRECTS) /* glibc */
#define __real_clock_gettime __real___clock_gettime64
#define __wrap_clock_gettime __wrap___clock_gettime64
#define __real_nanosleep __real___nanosleep64
#define __wrap_nanosleep __wrap___nanosleep64
#endif

/* Less of everything where it is slower. */
enum { SCALE = TSAN || ASAN ? 1 : 2 };

/* In any context: what is printed goes through write(2), and abort() is async-signal-safe. */
_Noreturn void fail(const char *file, int line, const char *what, long long left, long long right);

#define CHECK(condition) ((condition) ? (void)0 : fail(__FILE__, __LINE__, #condition, 0, 0))
#define EQUAL(left, right) equal(__FILE__, __LINE__, #left " == " #right, left, right)

static inline void equal(const char *file, int line, const char *what, long long left,
                         long long right)
{
    if (left != right) fail(file, line, what, left, right);
}

/* A system call that must succeed. */
#define MUST(call) EQUAL(call, 0)

/* A call that sends what the kernel has to queue, of pthread or of ours. The queue is the user's,
 * and others, or what the case itself has sent, may have filled it: then it is made again. */
#define SEND(call) \
    while (has_no_room(__FILE__, __LINE__, #call " == 0", call)) sched_yield()

static inline bool has_no_room(const char *file, int line, const char *what, int error)
{
    if (error == EAGAIN || error == -EAGAIN) return true;
    equal(file, line, what, error, 0);
    return false;
}

/* Count deliveries of a signal from now on; the handle of the counter. */
int64_t attach_counter(int signum);

/* ---- Cases ---- */

typedef void case_function(void);

/* The figures of the case that runs; printed behind its name. */
void figures(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* End this case: it means nothing in this build. */
_Noreturn void skip(const char *reason);

/* A child of its own that runs `function`, and ends. */
pid_t start_child(case_function *function);

/* What waitpid() says of it; and both. */
int status_of(pid_t pid);
int status_of_child(case_function *function);

/* It ended well. */
void wait_for(pid_t pid);

#define NOTHING_IS_BLOCKED_UNDER_TSAN() \
    if (TSAN) skip("ThreadSanitizer lends handlers a copy of the context: they cannot block")

struct test_case {
    const char *name;
    case_function *function;
    const struct test_case *next;
};

/* Define a case: a function that is run in a process of its own. It is added to the others when the
 * program starts, in the order of the files and of the cases in them. */
#define CASE(name)                                            \
    static void name(void);                                   \
    __attribute__((constructor)) static void add_##name(void) \
    {                                                         \
        static struct test_case added = {#name, name, NULL};  \
        add_case(&added);                                     \
    }                                                         \
    static void name(void)
void add_case(struct test_case *test);

/* All cases, or those named on the command line; the exit status. */
int run_cases(int argc, char **argv);

/* Called at fork, inside of what sigcffi does there: after it before, and before it in the child.
 */
extern void (*_Atomic inside_fork)(void);

/* Called when somebody has asked what the kernel does with a signal; dispositions.c. */
extern void (*_Atomic after_look)(int signum);

/* ---- Signals ---- */

/* Two real-time signals, which queue, and two standard ones, which do not. */
#define QUEUED (SIGRTMIN + 1)
#define QUEUED_TOO (SIGRTMIN + 2)
#define STANDARD SIGUSR1
#define STANDARD_TOO SIGUSR2

/* To this thread; returns when it has been delivered. */
void send_to_self(int signum);

/* How many signals the kernel keeps for this user: it refuses what is beyond, or RLIM_INFINITY. */
void limit_queue(rlim_t limit);

/* ---- Waiting ---- */

/* Give way to other threads, and let ThreadSanitizer hand over the signals it holds back. */
void breathe(void);

#define UNTIL(condition) \
    while (!(condition)) breathe()

/* How often somebody has slept; resume.c. */
extern _Atomic long long naps;

/* For threads that are to meet within nanoseconds: at full speed. */
#define MEET(condition) \
    for (unsigned turn = 1; !(condition); turn++) keep_pace(turn)
void keep_pace(unsigned turn);

/* Two threads meet anew in every round, each a little early or late. Whether there is this round.
 */
extern _Atomic int current_round; /* negative: no more */
bool wait_for_round(int round);

/* Whether this case has time for another round. Where other programs take the processors, threads
 * seldom run together, and a round may take as long as their turns: fewer fit in. */
bool time_is_left(void);

/* Let some time go by, in no system call. */
void spin(int turns);
int random_below(unsigned *state, int limit);

/* ---- Threads ---- */

enum { MOST_THREADS = 8 };

pthread_t start_thread(void *function(void *), void *argument);
void *join(pthread_t thread); /* what its function returned */

/* Threads that do nothing but take signals, asleep in between. None is left with one blocked. */
extern pthread_t takers[];
extern _Atomic int taker_tids[];
void start_takers(int count);
void stop_takers(void);

/* Threads that send `count` signals each, in turn to every target and every signal. They have
 * blocked all signals themselves. */
struct flood {
    const pthread_t *targets;
    int target_count;
    int signals[4];
    int signal_count;
    int count;
};
void start_senders(int count, const struct flood *flood);
void join_senders(void);

/* Queue one signal to a thread, as often as it takes when the queue is full. */
void queue_to(pthread_t thread, int signum, int value);
int try_to_queue(pthread_t thread, int signum, int value); /* once: 0, or an errno */

sigset_t block(int signum); /* the former mask */
void restore(const sigset_t *mask);
uint64_t kernel_mask(void); /* of this thread */
uint64_t mask_of_taker(int number);

/* Threads that have blocked signals because rings are full. */
int threads_listed(void);

/* ---- Files ---- */

/* A pipe neither end of which blocks. */
void open_pipe(int ends[2]);

/* ---- The interpreter ---- */

/* What the interpreter's handler saw, for each signal. */
extern _Atomic long long calls[NSIG];
extern _Atomic long long calls_elsewhere[NSIG]; /* those not on the main thread */
/* How many deliveries had been counted when it was last called: calls are level-triggered, and one
 * may stand for several. */
extern _Atomic long long heard[NSIG];
extern _Atomic bool main_thread_promised; /* a call elsewhere is a failure */
extern _Atomic bool errno_is_clobbered;   /* by the handler, for the trampoline to mend */

/* Takes one argument, like the interpreter's own. */
void interpreter_handler(int signum);

void install(int signum, void (*handler)(int), int flags);
void do_nothing(int signum);
/* What `signal(signum, callable)` does: install the interpreter's handler, then tell sigcffi. */
void register_signal(int signum);

#endif
