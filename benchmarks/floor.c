/* The C floor: what the kernel and the C library alone cost, in nanoseconds per operation.
 *
 * Prints a line "name nanoseconds" for each operation: the median of many short rounds.
 */
#define _GNU_SOURCE 1
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

enum { ROUNDS = 201, CALLS = 500 };

static volatile sig_atomic_t handled;

static void handler(int signum)
{
    (void)signum;
    handled++;
}

static void raise_and_handle(void)
{
    kill(getpid(), SIGUSR1);
}

static void install(void)
{
    struct sigaction action = {.sa_handler = handler}, former;
    sigaction(SIGUSR2, &action, &former);
}

static void query(void)
{
    struct sigaction action;
    sigaction(SIGUSR1, NULL, &action);
}

static void call_alarm(void)
{
    alarm(0);
}

static void call_setitimer(void)
{
    struct itimerval setting = {{0, 0}, {1000, 0}}, former;
    setitimer(ITIMER_REAL, &setting, &former);
}

static void call_getitimer(void)
{
    struct itimerval setting;
    getitimer(ITIMER_REAL, &setting);
}

static void call_sigmask(void)
{
    sigset_t set, former;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    sigaddset(&set, SIGUSR2);
    pthread_sigmask(SIG_BLOCK, &set, &former);
}

static void call_sigpending(void)
{
    sigset_t set;
    sigpending(&set);
}

enum { QUEUED = 10000, QUEUED_ROUNDS = 21 };

static volatile sig_atomic_t sum;

static void value_handler(int signum, siginfo_t *info, void *context)
{
    (void)signum;
    (void)context;
    sum += info->si_value.sival_int;
}

/* One round: many values are queued while the signal is blocked; what their delivery takes. */
static double deliver_queued(void)
{
    struct sigaction action = {.sa_sigaction = value_handler, .sa_flags = SA_SIGINFO};
    sigset_t set;
    struct timespec start, end;
    sigaction(SIGRTMIN, &action, NULL);
    sigemptyset(&set);
    sigaddset(&set, SIGRTMIN);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    for (int i = 0; i < QUEUED; i++) sigqueue(getpid(), SIGRTMIN, (union sigval){.sival_int = 1});
    clock_gettime(CLOCK_MONOTONIC, &start);
    pthread_sigmask(SIG_UNBLOCK, &set, NULL);
    clock_gettime(CLOCK_MONOTONIC, &end);
    return ((double)(end.tv_sec - start.tv_sec) * 1e9 + (double)(end.tv_nsec - start.tv_nsec)) /
           QUEUED;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void measure(const char *name, void (*operation)(void))
{
    double times[ROUNDS];
    for (int round = 0; round < ROUNDS; round++) {
        struct timespec start, end;
        clock_gettime(CLOCK_MONOTONIC, &start);
        for (int call = 0; call < CALLS; call++) operation();
        clock_gettime(CLOCK_MONOTONIC, &end);
        times[round] =
            ((double)(end.tv_sec - start.tv_sec) * 1e9 + (double)(end.tv_nsec - start.tv_nsec)) /
            CALLS;
    }
    qsort(times, ROUNDS, sizeof *times, by_value);
    printf("%s %.0f\n", name, times[ROUNDS / 2]);
}

static void measure_queued(void)
{
    double times[QUEUED_ROUNDS];
    for (int round = 0; round < QUEUED_ROUNDS; round++) times[round] = deliver_queued();
    qsort(times, QUEUED_ROUNDS, sizeof *times, by_value);
    printf("queued %.0f\n", times[QUEUED_ROUNDS / 2]);
    if (sum != QUEUED * QUEUED_ROUNDS) abort();
}

int main(void)
{
    struct sigaction action = {.sa_handler = handler};
    sigaction(SIGUSR1, &action, NULL);
    measure("kill", raise_and_handle);
    measure("signal", install);
    measure("getsignal", query);
    measure("alarm", call_alarm);
    measure("setitimer", call_setitimer);
    measure("getitimer", call_getitimer);
    measure("pthread_sigmask", call_sigmask);
    measure("sigpending", call_sigpending);
    measure_queued();
    return 0;
}
