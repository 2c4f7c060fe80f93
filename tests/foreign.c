/* A C library with a signal handler of its own, as a program may have loaded one.
 *
 * Law: knows nothing of sigcffi. Tests load it with ctypes.
 */
#define _GNU_SOURCE 1
#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <setjmp.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
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

/* ---- Neighbours ----
 *
 * Several libraries in one: each has a handler of its own, and keeps for each signal what it has
 * replaced. What that handler does is how its author thought that one should be written. */

enum { NEIGHBOURS = 4 };

enum {
    PASSES_ONE = 1,     /* to what it has replaced: one argument */
    PASSES_THREE = 2,   /* all that it has got */
    PASSES_GARBAGE = 4, /* one, and what happens to lie where the others belong */
    JUMPS = 8,          /* and does not return */
    FORKS = 16,
    BY_SIGNAL = 32, /* it knows no sigaction(2) */
};

static struct neighbour {
    int how;
    struct sigaction found;
    volatile sig_atomic_t calls;
    volatile sig_atomic_t on_stack; /* the alternate one, when it was called last */
    sigset_t mask;                  /* at that time */
} neighbours[NEIGHBOURS][NSIG];

static sigjmp_buf place;
static volatile sig_atomic_t may_jump, faults;
static _Alignas(16) char stack[1 << 16];

static void fork_and_wait(void)
{
    int status = 0;
    pid_t child = fork();
    if (child == 0) _exit(0);
    if (child < 0 || waitpid(child, &status, 0) != child || status != 0) faults++;
}

static void visit(int number, int signum, siginfo_t *info, void *context)
{
    struct neighbour *self = &neighbours[number][signum];
    if (++self->calls % 1000 == 0) __builtin_trap(); /* rather than without end */
    self->on_stack = (char *)&self >= stack && (char *)&self < stack + sizeof stack;
    pthread_sigmask(SIG_BLOCK, NULL, &self->mask);
    if (self->how & FORKS) fork_and_wait();
    if ((self->how & JUMPS) && may_jump) siglongjmp(place, 1);
    if (self->found.sa_handler == SIG_DFL || self->found.sa_handler == SIG_IGN) return;
    if ((self->how & PASSES_THREE) && (self->found.sa_flags & SA_SIGINFO))
        self->found.sa_sigaction(signum, info, context);
    else if (self->how & PASSES_GARBAGE)
        ((void (*)(int, void *, void *))(void *)self->found.sa_handler)(signum, (void *)8,
                                                                        (void *)16);
    else if (self->how & (PASSES_ONE | PASSES_THREE))
        self->found.sa_handler(signum);
}

#define NEIGHBOUR(number)                                                      \
    static void neighbour_##number(int signum, siginfo_t *info, void *context) \
    {                                                                          \
        visit(number, signum, info, context);                                  \
    }
NEIGHBOUR(0)
NEIGHBOUR(1)
NEIGHBOUR(2)
NEIGHBOUR(3)

static void (*const handlers[NEIGHBOURS])(int, siginfo_t *, void *) = {neighbour_0, neighbour_1,
                                                                       neighbour_2, neighbour_3};

static int install(struct neighbour *self, int signum, void (*handler)(int), int flags,
                   int blocks_all)
{
    if (self->how & BY_SIGNAL) {
        memset(&self->found, 0, sizeof self->found);
        self->found.sa_handler = signal(signum, handler);
        return self->found.sa_handler == SIG_ERR ? -1 : 0;
    }
    struct sigaction action = {.sa_handler = handler, .sa_flags = flags};
    if (blocks_all)
        sigfillset(&action.sa_mask);
    else
        sigemptyset(&action.sa_mask);
    return sigaction(signum, &action, &self->found);
}

/* It takes the signal: with its handler, or, for a while, to have it ignored or met by its default
 * action. */
int foreign_join(int number, int signum, int how, int flags, int blocks_all)
{
    struct neighbour *self = &neighbours[number][signum];
    self->how = how;
    return install(self, signum, (void (*)(int))(void *)handlers[number], flags, blocks_all);
}

int foreign_join_without(int number, int signum, int how, int ignore)
{
    struct neighbour *self = &neighbours[number][signum];
    self->how = how;
    return install(self, signum, ignore ? SIG_IGN : SIG_DFL, 0, 0);
}

/* It puts back what it has found, whatever is there now. */
int foreign_leave(int number, int signum)
{
    struct neighbour *self = &neighbours[number][signum];
    if (self->how & BY_SIGNAL) return signal(signum, self->found.sa_handler) == SIG_ERR ? -1 : 0;
    return sigaction(signum, &self->found, NULL);
}

/* How often its handler was called since this was asked last. */
int foreign_visits(int number, int signum)
{
    int visits = neighbours[number][signum].calls;
    neighbours[number][signum].calls = 0;
    return visits;
}

int foreign_visit_blocked(int number, int signum, int other)
{
    return sigismember(&neighbours[number][signum].mask, other);
}

int foreign_visit_on_stack(int number, int signum)
{
    return neighbours[number][signum].on_stack;
}

int foreign_faults(void)
{
    return faults;
}

/* This thread gets an alternate stack, or has none. */
int foreign_give_stack(int on)
{
    stack_t alternate = {.ss_sp = stack, .ss_size = sizeof stack, .ss_flags = on ? 0 : SS_DISABLE};
    return sigaltstack(&alternate, NULL);
}

static int queue_to_self(int signum, int value)
{
    return sigqueue(getpid(), signum, (union sigval){.sival_int = value});
}

/* Send to this process; a handler may leave by jumping here. */
int foreign_queue(int signum, int value)
{
    volatile int result = 0;
    if (sigsetjmp(place, 1) == 0) {
        may_jump = 1;
        result = queue_to_self(signum, value);
    }
    may_jump = 0;
    return result;
}

/* Block everything in this thread, and put back what was blocked. */
static sigset_t blocked_before;

int foreign_block_all(void)
{
    sigset_t all;
    sigfillset(&all);
    return pthread_sigmask(SIG_SETMASK, &all, &blocked_before);
}

int foreign_unblock(void)
{
    return pthread_sigmask(SIG_SETMASK, &blocked_before, NULL);
}

/* A thread waits for a signal, takes it, and is cancelled as it waits for the next. */
static sem_t taken;

static void *take_one(void *signum)
{
    sigset_t all_but_one;
    sigfillset(&all_but_one);
    sigdelset(&all_but_one, (int)(intptr_t)signum);
    for (;;) {
        sigsuspend(&all_but_one);
        sem_post(&taken);
    }
    return NULL;
}

int foreign_thread_takes(int signum)
{
    sigset_t all, former;
    pthread_t thread;
    sem_init(&taken, 0, 0);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &former);
    int error = pthread_create(&thread, NULL, take_one, (void *)(intptr_t)signum);
    pthread_sigmask(SIG_SETMASK, &former, NULL);
    if (error != 0) return error;
    pthread_kill(thread, signum);
    while (sem_wait(&taken) != 0 && errno == EINTR) continue;
    pthread_cancel(thread);
    return pthread_join(thread, NULL);
}

/* What the kernel has, as it has it. */
int foreign_raw(int signum, unsigned char *bytes, int size)
{
    struct {
        void (*handler)(int);
        unsigned long rest[8];
    } action;
    memset(&action, 0, sizeof action);
    if ((size_t)size < sizeof action) return -1;
    if (syscall(SYS_rt_sigaction, signum, NULL, &action, (NSIG - 1) / 8) != 0) return -1;
    memcpy(bytes, &action, sizeof action);
    return sizeof action;
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

/* A trace function for Python: raises a signal at the event that was counted off, and at each from
 * then on. Between it and the next bytecode no other runs. */
static volatile int trip_signal;
static volatile long trip_countdown;

void foreign_trip_at(int signum, long countdown)
{
    trip_signal = signum;
    trip_countdown = countdown;
}

long foreign_trip_left(void)
{
    return trip_countdown;
}

void foreign_trip(void *frame, void *event, void *argument)
{
    (void)frame, (void)event, (void)argument;
    if (trip_countdown > 0) trip_countdown--;
    if (trip_countdown == 0) raise(trip_signal);
}
