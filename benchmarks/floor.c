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
    return 0;
}
