/* What a forked child has of what is attached: what is inherited, as if just attached, and no more.
 *
 * Law: like stress.c.
 */
#include "harness.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/wait.h>

static struct sigcffi_record records[16], others[16];

static int64_t open_receiver(struct sigcffi_record *memory, uint64_t set, bool inherited)
{
    int64_t handle = sigcffi_receivers_open(memory, 16, set, false, inherited);
    CHECK(handle > 0);
    return handle;
}

static bool is_readable(int fd)
{
    struct pollfd waits = {.fd = fd, .events = POLLIN};
    return poll(&waits, 1, 0) == 1;
}

static uint64_t tail_of(int64_t handle)
{
    return sigcffi_receivers_ring(handle)[1];
}

static void read_one(int64_t handle)
{
    EQUAL(sigcffi_receivers_count(handle), 1);
    CHECK(sigcffi_receivers_give_back(handle, tail_of(handle), 1));
}

/* ---- Receivers ---- */

static int64_t inherited, parents;
static int readiness;

static void check_receivers_of_child(void)
{
    EQUAL(sigcffi_receivers_count(parents), -EBADF);
    EQUAL(sigcffi_receivers_count(inherited), 0); /* what has come is the parent's */
    EQUAL(sigcffi_receivers_fd(inherited, false), readiness);
    CHECK(fcntl(readiness, F_GETFD) & FD_CLOEXEC);
    CHECK(!is_readable(readiness));
    for (int i = 0; i < 40; i++) { /* twice around the ring */
        send_to_self(STANDARD);
        CHECK(is_readable(readiness));
        EQUAL(records[tail_of(inherited) & 15].pid, getpid());
        read_one(inherited);
        CHECK(!is_readable(readiness));
    }
    send_to_self(STANDARD); /* and one stays */
    send_to_self(STANDARD_TOO);
    _exit(1); /* not come to: this has its default action again */
}

CASE(a_forked_child_has_an_inherited_receiver_of_its_own)
{
    install(STANDARD_TOO, SIG_DFL, 0);
    parents = open_receiver(others, sigcffi_bit(STANDARD) | sigcffi_bit(STANDARD_TOO), false);
    inherited = open_receiver(records, sigcffi_bit(STANDARD), true);
    readiness = sigcffi_receivers_fd(inherited, false);
    for (int filled = 0; filled < 2; filled++) {
        int status = status_of_child(check_receivers_of_child);
        CHECK(WIFSIGNALED(status) && WTERMSIG(status) == STANDARD_TOO);
        EQUAL(sigcffi_receivers_count(inherited), filled); /* nothing of the child's */
        EQUAL(is_readable(readiness), filled);
        if (!filled) send_to_self(STANDARD);
    }
    read_one(inherited);
    CHECK(!is_readable(readiness));
    for (int i = 0; i < 2; i++) {
        int64_t handle = i == 0 ? inherited : parents;
        EQUAL(sigcffi_receivers_stop(handle), 0);
        sigcffi_receivers_close(handle);
    }
    figures("41 signals, 2 children");
}

static bool is_default(int signum)
{
    struct sigaction now;
    MUST(sigaction(signum, NULL, &now));
    return sigcffi_handler_of(&now) == (uintptr_t)SIG_DFL;
}

CASE(a_receiver_may_be_given_other_signals)
{
    const uint64_t one = sigcffi_bit(STANDARD), two = sigcffi_bit(STANDARD_TOO);
    install(STANDARD, SIG_DFL, 0);
    install(STANDARD_TOO, SIG_DFL, 0);
    int64_t handle = open_receiver(records, one, false);
    EQUAL(sigcffi_receivers_change(handle, one | two), 0);
    send_to_self(STANDARD_TOO);
    EQUAL(records[tail_of(handle) & 15].signo, STANDARD_TOO);
    read_one(handle);
    EQUAL(sigcffi_receivers_change(handle, two), 0);
    CHECK(is_default(STANDARD) && !is_default(STANDARD_TOO));
    /* All or nothing. */
    int64_t counters[SIGCFFI_SLOTS];
    for (int i = 0; i < SIGCFFI_SLOTS; i++) counters[i] = attach_counter(SIGHUP);
    EQUAL(sigcffi_receivers_change(handle, one | sigcffi_bit(SIGHUP)), -ENOSPC);
    EQUAL(sigcffi_receivers_change(handle, sigcffi_bit(SIGKILL) | one), -EINVAL);
    CHECK(is_default(STANDARD) && !is_default(STANDARD_TOO));
    send_to_self(STANDARD_TOO);
    send_to_self(SIGHUP);
    read_one(handle);
    for (int i = 0; i < SIGCFFI_SLOTS; i++)
        EQUAL(sigcffi_attachments_detach(SIGHUP, counters[i]).count, 1);
    EQUAL(sigcffi_receivers_change(handle, 0), 0);
    CHECK(is_default(STANDARD_TOO));
    EQUAL(sigcffi_receivers_stop(handle), 0);
    sigcffi_receivers_close(handle);
    EQUAL(sigcffi_receivers_change(handle, one), -EBADF);
    figures("4 sets of signals");
}

/* What a receiver no more gets it does not hold back either. */
CASE(a_receiver_lets_go_what_it_is_not_given_any_more)
{
    NOTHING_IS_BLOCKED_UNDER_TSAN();
    const uint64_t one = sigcffi_bit(QUEUED), two = sigcffi_bit(QUEUED_TOO);
    int64_t handle = open_receiver(records, one | two, false);
    for (int i = 0; i < 12; i++) send_to_self(QUEUED);
    EQUAL((long long)(kernel_mask() & (one | two)), (long long)(one | two));
    EQUAL(sigcffi_receivers_change(handle, one), 0);
    EQUAL((long long)(kernel_mask() & (one | two)), (long long)one);
    EQUAL(sigcffi_receivers_change(handle, 0), 0);
    EQUAL((long long)(kernel_mask() & (one | two)), 0);
    EQUAL(sigcffi_receivers_stop(handle), 0);
    sigcffi_receivers_close(handle);
    figures("12 signals");
}

/* ---- Actions ---- */

static void take_a_signal(void)
{
    MUST(raise(STANDARD));
    _exit(1); /* something of the parent's is still there */
}

CASE(a_forked_child_has_no_action_that_is_not_inherited)
{
    static const int kinds[] = {SIGCFFI_SLOT_COUNTER,    SIGCFFI_SLOT_FLAG,   SIGCFFI_SLOT_WRITE,
                                SIGCFFI_SLOT_FORWARD,    SIGCFFI_SLOT_EXIT,   SIGCFFI_SLOT_DEFAULT,
                                SIGCFFI_SLOT_FORCE_QUIT, SIGCFFI_SLOT_MESSAGE};
    enum { KINDS = sizeof kinds / sizeof *kinds, NEVER = 1000 };
    int ends[2], cell = sigcffi_flags_new();
    CHECK(cell >= 0);
    open_pipe(ends);
    install(STANDARD, SIG_DFL, 0);
    for (int i = 0; i < KINDS; i++) {
        int kind = kinds[i];
        bool writes = kind == SIGCFFI_SLOT_WRITE;
        int number = writes ? ends[1] : 0; /* of forward: its group */
        int64_t handle =
            kind == SIGCFFI_SLOT_MESSAGE
                ? sigcffi_attachments_attach_message(STANDARD, ends[1], "", "", false)
                : sigcffi_attachments_attach(STANDARD, kind, number, cell, NEVER, false);
        CHECK(handle > 0);
        int status = status_of_child(take_a_signal);
        CHECK(WIFSIGNALED(status) && WTERMSIG(status) == STANDARD);
        EQUAL(sigcffi_attachments_detach(STANDARD, handle).count, 0);
    }
    for (int end = 0; end < 2; end++) MUST(close(ends[end]));
    figures("%d kinds", KINDS);
}
