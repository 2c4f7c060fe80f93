/* C libraries with signal handlers of their own, several in one.
 *
 * Law: knows nothing of sigcffi. Each has a handler of its own, and keeps for each signal what it
 * has replaced. What that handler does is how its author thought that one should be written.
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
#include <unistd.h>

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
