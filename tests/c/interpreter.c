/* The interpreter's part, and the files: see harness.h for its law. */
#include "harness.h"

#include <fcntl.h>

/* ---- Files ---- */

void open_pipe(int ends[2])
{
    MUST(pipe(ends));
    for (int end = 0; end < 2; end++) MUST(fcntl(ends[end], F_SETFL, O_NONBLOCK));
}

/* ---- The interpreter ---- */

_Atomic long long calls[NSIG];
_Atomic long long calls_elsewhere[NSIG];
_Atomic long long heard[NSIG];
_Atomic bool main_thread_promised;
_Atomic bool errno_is_clobbered;

void interpreter_handler(int signum)
{
    if (!sigcffi_main_thread_is_current()) {
        CHECK(!atomic_load(&main_thread_promised));
        atomic_fetch_add(&calls_elsewhere[signum], 1);
    }
    long long now = (long long)sigcffi_channel_deliveries(signum),
              before = atomic_load(&heard[signum]);
    while (before < now && !atomic_compare_exchange_weak(&heard[signum], &before, now)) continue;
    /* Last: a thread that waits for `calls` may look at the others then. */
    atomic_fetch_add(&calls[signum], 1);
    if (atomic_load(&errno_is_clobbered)) errno = EBADMSG;
}

void do_nothing(int signum)
{
    (void)signum;
}

void install(int signum, void (*handler)(int), int flags)
{
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_handler = handler;
    action.sa_flags = flags;
    MUST(sigaction(signum, &action, NULL));
}

void register_signal(int signum)
{
    install(signum, interpreter_handler, SA_ONSTACK);
    EQUAL(sigcffi_dispositions_registered(signum), 0);
    EQUAL(sigcffi_dispositions_query(signum), SIGCFFI_PYTHON);
}

int64_t attach_counter(int signum)
{
    int64_t handle = sigcffi_attachments_attach(signum, SIGCFFI_SLOT_COUNTER, 0, -1, 0, true);
    CHECK(handle > 0);
    return handle;
}
