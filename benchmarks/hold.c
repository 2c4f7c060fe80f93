/* A long call into C that keeps the GIL, and a thread that sends signals meanwhile.
 *
 * Whoever is measured sets an int when the signal comes. The call looks at it all the time, and
 * finish() once more when Python has gone on.
 */
#define _GNU_SOURCE 1
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <time.h>
#include <unistd.h>

static pthread_t sender;
static int signum, room;
static volatile int *noticed;
static int64_t *delays;
static _Atomic int64_t sent; /* when; 0: there is no signal under way */
static _Atomic int count;
static _Atomic int over;

static int64_t now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

/* A signal every 20 ms, unless one is still under way. */
static void *send_signals(void *unused)
{
    const struct timespec interval = {.tv_nsec = 20000000};
    while (nanosleep(&interval, NULL), !over && count < room) {
        if (sent != 0) continue;
        sent = now();
        kill(getpid(), signum);
    }
    return unused;
}

static void look(void)
{
    if (!*noticed) return;
    delays[count++] = now() - sent;
    *noticed = 0;
    sent = 0;
}

/* Work for so many seconds. `in_delays` has room for nanoseconds. */
void hold(int seconds, int of_signum, volatile int *in_noticed, int64_t *in_delays, int in_room)
{
    signum = of_signum;
    noticed = in_noticed;
    delays = in_delays;
    room = in_room;
    sent = count = over = 0;
    int64_t end = now() + (int64_t)seconds * 1000000000;
    pthread_create(&sender, NULL, send_signals, NULL);
    while (now() < end) look();
    over = 1;
}

/* Afterwards: how many delays there are. */
int finish(void)
{
    look();
    pthread_join(sender, NULL);
    return count;
}
