/* The interval timers, in nanoseconds going in and in seconds coming out.
 *
 * Law: a tiny positive time never becomes zero, for zero disarms. Times are rounded up, to
 * the microseconds of setitimer(2).
 */
#include "sigcffi.h"

#include <math.h>

/* Whether there is such a time. */
static bool round_up(int64_t ns, struct timeval *time)
{
    int64_t us = ns / 1000 + (ns % 1000 > 0); /* truncation is "up" already below zero */
    time->tv_sec = (time_t)(us / 1000000);
    time->tv_usec = (suseconds_t)(us % 1000000); /* one below zero stays so: the kernel refuses */
    return sigcffi_platform_is_time(us / 1000000);
}

static double seconds(struct timeval time)
{
    return (double)time.tv_sec + (double)time.tv_usec / 1e6;
}

static sigcffi_itimer outcome(int result, const struct itimerval *setting)
{
    /* Not a negative value: the kernel itself gives one back for some timers that are set to
     * centuries. */
    sigcffi_itimer timer = {.value = NAN, .interval = errno};
    if (result == 0) {
        timer.value = seconds(setting->it_value);
        timer.interval = seconds(setting->it_interval);
    }
    return timer;
}

/* Arm the timer `which`, or disarm it with 0; its former setting. ERANGE if no time_t is so long.
 */
sigcffi_itimer sigcffi_itimers_set(int which, int64_t value_ns, int64_t interval_ns)
{
    struct itimerval former, setting;
    if (!round_up(value_ns, &setting.it_value) || !round_up(interval_ns, &setting.it_interval))
        return (sigcffi_itimer){.value = NAN, .interval = ERANGE};
    return outcome(setitimer(which, &setting, &former), &former);
}

sigcffi_itimer sigcffi_itimers_get(int which)
{
    struct itimerval setting;
    return outcome(getitimer(which, &setting), &setting);
}
