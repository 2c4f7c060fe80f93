/* POSIX timers, in nanoseconds.
 *
 * Law: ordinary calls, made outside handlers. A timer is known by a handle: the kernel's number for
 * it, and above that the number of the process in the line of forks, for a child has none of its
 * parent's timers and numbers its own from zero. The kernel gives out its numbers in turn, and so
 * none a second time while somebody may still have the first.
 *
 * The system calls are made bare: the timer_t of some C libraries is not the kernel's number, which
 * is what a signal carries in si_timerid.
 */
#include "calls.h"

/* How many forks lie between this process and the one that loaded the library. */
static _Atomic uint32_t forks;

/* Lock held, in a forked child. */
void sigcffi_timers_after_fork(void)
{
    atomic_fetch_add(&forks, 1);
}

#if SIGCFFI_HAS_POSIX_TIMERS
/* As the kernel has it, whatever the width of time_t. */
struct setting {
    int64_t interval_seconds, interval_nanoseconds, seconds, nanoseconds;
};

enum { SECOND = 1000000000 };

/* The kernel's number of a timer, or a negative errno: -EBADF if it was closed, -ECHILD if it is
 * the parent's. */
static int64_t number_of(int64_t handle)
{
    if (handle < 0) return -EBADF;
    return (uint32_t)(handle >> 32) == atomic_load(&forks) ? handle & INT_MAX : -ECHILD;
}

/* The calling thread, or the main thread, as the kernel knows it; 0 if `ident` is another's. */
int sigcffi_timers_tid_of(unsigned long ident)
{
    if (ident == (unsigned long)pthread_self()) return (int)syscall(SYS_gettid);
    return ident == atomic_load(&channel.main_thread) ? atomic_load(&state.main_thread.tid) : 0;
}

/* A timer that sends `signum` with `value`: to the process, or to the thread that the kernel knows
 * as `tid`; its handle, or a negative errno. */
int64_t sigcffi_timers_create(int clock, int signum, int value, int tid)
{
    struct sigevent event;
    int number;
    memset(&event, 0, sizeof event);
    event.sigev_signo = signum;
    event.sigev_value.sival_int = value;
    event.sigev_notify = SIGEV_SIGNAL;
    if (tid != 0) {
        event.sigev_notify = SIGEV_THREAD_ID;
        event.sigev_notify_thread_id = tid;
    }
    if (syscall(SYS_timer_create, clock, &event, &number) != 0) return -errno;
    return (int64_t)atomic_load(&forks) << 32 | number;
}

/* Outcome of a call on an existing timer. The kernel says EINVAL for one that does not exist. */
static sigcffi_timer outcome(long result, const struct setting *setting)
{
    if (result != 0)
        return (sigcffi_timer){.value = -1, .interval = errno == EINVAL ? EBADF : errno};
    return (sigcffi_timer){
        .value = setting->seconds * SECOND + setting->nanoseconds,
        .interval = setting->interval_seconds * SECOND + setting->interval_nanoseconds};
}

/* Arm a timer, or disarm it with 0, and its former setting. `value` is a time from now, or, if
 * `absolute`, of its clock. */
sigcffi_timer sigcffi_timers_settime(int64_t handle, int64_t value, int64_t interval, bool absolute)
{
    int64_t number = number_of(handle);
    if (number < 0) return (sigcffi_timer){.value = -1, .interval = -number};
    if (value < 0 || interval < 0) return (sigcffi_timer){.value = -1, .interval = EINVAL};
    struct setting former,
        setting = {interval / SECOND, interval % SECOND, value / SECOND, value % SECOND};
    return outcome(syscall(SIGCFFI_SYS_TIMER_SETTIME, (int)number, absolute ? TIMER_ABSTIME : 0,
                           &setting, &former),
                   &former);
}

/* What is left until it expires (0 if it is not armed), and its interval. */
sigcffi_timer sigcffi_timers_gettime(int64_t handle)
{
    int64_t number = number_of(handle);
    if (number < 0) return (sigcffi_timer){.value = -1, .interval = -number};
    struct setting setting;
    return outcome(syscall(SIGCFFI_SYS_TIMER_GETTIME, (int)number, &setting), &setting);
}

int sigcffi_timers_overrun(int64_t handle)
{
    int64_t number = number_of(handle);
    if (number < 0) return (int)number;
    int result = (int)syscall(SYS_timer_getoverrun, (int)number);
    return result >= 0 ? result : errno == EINVAL ? -EBADF : -errno;
}

/* A second time changes nothing. */
void sigcffi_timers_delete(int64_t handle)
{
    int64_t number = number_of(handle);
    if (number >= 0) syscall(SYS_timer_delete, (int)number);
}
#else
int sigcffi_timers_tid_of(unsigned long ident)
{
    (void)ident;
    return 0;
}

int64_t sigcffi_timers_create(int clock, int signum, int value, int tid)
{
    (void)clock;
    (void)signum;
    (void)value;
    (void)tid;
    return -ENOSYS;
}

sigcffi_timer sigcffi_timers_settime(int64_t handle, int64_t value, int64_t interval, bool absolute)
{
    (void)handle;
    (void)value;
    (void)interval;
    (void)absolute;
    return (sigcffi_timer){.value = -1, .interval = ENOSYS};
}

sigcffi_timer sigcffi_timers_gettime(int64_t handle)
{
    (void)handle;
    return (sigcffi_timer){.value = -1, .interval = ENOSYS};
}

int sigcffi_timers_overrun(int64_t handle)
{
    (void)handle;
    return -ENOSYS;
}

void sigcffi_timers_delete(int64_t handle)
{
    (void)handle;
}
#endif
