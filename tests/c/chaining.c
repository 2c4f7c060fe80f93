/* Handlers of others: see chaining.h. */
#include "chaining.h"

struct sigaction found;

static void pass_three(int signum, siginfo_t *info, void *context)
{
    atomic_fetch_add(&foreign_calls, 1);
    found.sa_sigaction(signum, info, context);
    atomic_fetch_add(&foreign_calls, 0); /* it is not the last that it does */
}

/* The call is the last that it does: it may be a jump. */
void pass_one(int signum)
{
    atomic_fetch_add(&foreign_calls, 1);
    found.sa_handler(signum);
}

void pass_garbage(int signum)
{
    atomic_fetch_add(&foreign_calls, 1);
    ((void (*)(int, void *, void *))(void *)found.sa_handler)(signum, (void *)8, (void *)16);
    atomic_fetch_add(&foreign_calls, 0);
}

const struct chaining chaining[CHAINING] = {
    {(void (*)(int))(void *)pass_three, SA_SIGINFO},
    {pass_one, 0},
    {pass_one, SA_RESTART | SA_NODEFER},
    {pass_garbage, 0},
    {pass_garbage, SA_SIGINFO},
};

void put_on_top(int signum, void (*handler)(int), int flags)
{
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_handler = handler;
    action.sa_flags = flags;
    MUST(sigaction(signum, &action, &found));
}
