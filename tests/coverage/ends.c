/* gcov writes its counters in exit(). Most children of the tests, and what actions end, go by
 * _exit() or by a signal that they raise: this library, preloaded, has the counters written then.
 *
 * The second half is linked into what is measured, and tells the first how: each module has these
 * functions to itself.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <unistd.h>

typedef void call(void);

#ifdef PRELOADED

enum { MOST = 8 };
static call *dumps[MOST], *resets[MOST];
static int count;

void measured(call *dump, call *reset)
{
    if (count == MOST) return;
    dumps[count] = dump;
    resets[count++] = reset;
}

/* What is written is added to the files. So it must not be written again at exit. */
static void write_counters(void)
{
    int saved_errno = errno;
    for (int i = 0; i < count; i++) {
        dumps[i]();
        resets[i]();
    }
    errno = saved_errno;
}

_Noreturn void _exit(int status)
{
    write_counters();
    for (;;) syscall(SYS_exit_group, status);
}

int raise(int signum)
{
    struct sigaction action;
    if (sigaction(signum, NULL, &action) == 0 && action.sa_handler == SIG_DFL) write_counters();
    return (int)syscall(SYS_tgkill, getpid(), (pid_t)syscall(SYS_gettid), signum);
}

#else

void __gcov_dump(void);
void __gcov_reset(void);
void measured(call *dump, call *reset) __attribute__((weak));

static void __attribute__((constructor)) tell(void)
{
    if (measured != NULL) measured(__gcov_dump, __gcov_reset);
}

#endif
