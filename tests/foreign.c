/* A C library with a signal handler of its own, as a program may have loaded one.
 *
 * Law: knows nothing of sigcffi. Tests load it with ctypes.
 */
#define _GNU_SOURCE 1
#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static volatile sig_atomic_t calls, last_pid, had_context;

static void handler(int signum, siginfo_t *info, void *context)
{
    (void)signum;
    calls++;
    last_pid = (sig_atomic_t)info->si_pid;
    had_context = context != NULL;
}

/* The library takes the signal, with flags and a mask that can be recognised again. */
int foreign_install(int signum, int flags)
{
    struct sigaction action = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO | flags};
    sigemptyset(&action.sa_mask);
    sigaddset(&action.sa_mask, SIGUSR2);
    sigaddset(&action.sa_mask, SIGWINCH);
    return sigaction(signum, &action, NULL);
}

/* A handler that calls what it has replaced, as handlers should. */
static struct sigaction replaced;
static volatile sig_atomic_t chained;

static void chaining_handler(int signum, siginfo_t *info, void *context)
{
    if (++chained > 1000) __builtin_trap(); /* rather than without end */
    if (replaced.sa_flags & SA_SIGINFO)
        replaced.sa_sigaction(signum, info, context);
    else if (replaced.sa_handler != SIG_DFL && replaced.sa_handler != SIG_IGN)
        replaced.sa_handler(signum);
}

int foreign_install_chaining(int signum)
{
    struct sigaction action = {.sa_sigaction = chaining_handler, .sa_flags = SA_SIGINFO};
    sigemptyset(&action.sa_mask);
    return sigaction(signum, &action, &replaced);
}

/* As signal(2) has it: one argument, and the last that it does. */
static void (*old)(int);

static void old_style_handler(int signum)
{
    if (++chained > 1000) __builtin_trap();
    if (old != SIG_DFL && old != SIG_IGN) old(signum);
}

int foreign_install_old_style(int signum)
{
    old = signal(signum, old_style_handler);
    return old == SIG_ERR ? -1 : 0;
}

int foreign_chained(void)
{
    return chained;
}

int foreign_set(int signum, int ignore)
{
    struct sigaction action = {.sa_handler = ignore ? SIG_IGN : SIG_DFL};
    return sigaction(signum, &action, NULL);
}

/* ---- How handlers return ---- */

/* How a handler returns; one of our own, so that it can be recognised. */
#if defined(__x86_64__)
#define RETURN "mov $15, %rax\n\tsyscall\n"
#elif defined(__i386__)
#define RETURN "mov $173, %eax\n\tint $0x80\n"
#elif defined(__aarch64__)
#define RETURN "mov x8, #139\n\tsvc #0\n"
#endif

#if defined(RETURN)
__asm__(".text\nforeign_return:\n\t" RETURN);
extern void foreign_return(void) __attribute__((visibility("hidden")));

/* As the kernel has it: the C library hides the restorer. */
struct kernel_sigaction {
    void (*handler)(int, siginfo_t *, void *);
    unsigned long flags;
    void (*restorer)(void);
    unsigned long mask[8 / sizeof(unsigned long)];
};

int foreign_install_raw(int signum)
{
    struct kernel_sigaction action = {handler, SA_SIGINFO | 0x04000000, foreign_return, {0}};
    return (int)syscall(SYS_rt_sigaction, signum, &action, NULL, sizeof action.mask);
}

void *foreign_restorer(int signum)
{
    struct kernel_sigaction action;
    syscall(SYS_rt_sigaction, signum, NULL, &action, sizeof action.mask);
    return (void *)action.restorer;
}
#endif

int foreign_calls(void)
{
    return calls;
}
int foreign_last_pid(void)
{
    return last_pid;
}
int foreign_had_context(void)
{
    return had_context;
}

/* The system calls that waits end in, so that a test can see a thread in them. */
const int foreign_sigsuspend = SYS_rt_sigsuspend;
const int foreign_sigtimedwait = SYS_rt_sigtimedwait;

/* To one thread of any process: what kill(2) leaves to chance. */
int foreign_tgkill(int pid, int tid, int signum)
{
    return (int)syscall(SYS_tgkill, pid, tid, signum);
}

/* A blocked and pending signal, accepted as C does it, with what was sent along: its si_code, or a
 * negative errno. Does not wait. */
int foreign_accept(int signum, int *pid, int *value)
{
    sigset_t set;
    siginfo_t info;
    struct timespec no_time = {0};
    sigemptyset(&set);
    sigaddset(&set, signum);
    if (sigtimedwait(&set, &info, &no_time) < 0) return -errno;
    *pid = (int)info.si_pid;
    *value = info.si_value.sival_int;
    return info.si_code;
}

/* A C function that does not come back to Python. It writes a byte to `tell` when it is there, and
 * stays until a byte comes from `until`. Loaded with PyDLL it holds the GIL meanwhile. */
void foreign_sit(int tell, int until)
{
    char byte = '.';
    while (write(tell, &byte, 1) < 0 && errno == EINTR) continue;
    while (read(until, &byte, 1) < 0 && errno == EINTR) continue;
}

/* The same, and it stays until an int is not 0. */
void foreign_spin(int tell, const volatile int *flag)
{
    char byte = '.';
    while (write(tell, &byte, 1) < 0 && errno == EINTR) continue;
    while (*flag == 0) continue;
}

/* Faults, as a broken extension module makes them. */
void foreign_segv(void)
{
    *(volatile int *)1 = 0;
}

/* Those that some processors do not make, or whose instruction is not written down here, lack. */
#if defined(__x86_64__) || defined(__i386__)
void foreign_ill(void)
{
    __asm__ volatile("ud2");
}

void foreign_trap(void)
{
    __asm__ volatile("int3");
}

void foreign_fpe(void)
{
    volatile int seven = 7, zero = 0; /* a compiler may divide 1 without dividing */
    seven = seven / zero;
}
#elif defined(__aarch64__)
void foreign_ill(void)
{
    __asm__ volatile(".inst 0");
}

void foreign_trap(void)
{
    __asm__ volatile("brk #0");
}
#endif
