/* Masks, accepting, and times: what needs no handler.
 *
 * Law: like stress.c.
 */
#include "harness.h"

#include <math.h>

CASE(masks_travel_as_words)
{
    uint64_t valid = sigcffi_masks_valid_signals();
    CHECK(valid & sigcffi_bit(SIGKILL) && valid & sigcffi_bit(SIGRTMAX));
    uint64_t both = sigcffi_bit(STANDARD) | sigcffi_bit(SIGRTMAX);
    EQUAL(sigcffi_masks_sigmask(SIG_BLOCK, both), 0);
    EQUAL(sigcffi_masks_sigmask(SIG_UNBLOCK, sigcffi_bit(STANDARD)), (long long)both);
    EQUAL(sigcffi_masks_sigmask(SIG_SETMASK, both), (long long)sigcffi_bit(SIGRTMAX));
    EQUAL(sigcffi_masks_sigmask(4711, 0), -1);
    MUST(raise(STANDARD));
    EQUAL(sigcffi_masks_sigpending(), (long long)sigcffi_bit(STANDARD));
    struct sigcffi_record record;
    EQUAL(sigcffi_waits_accept(both, -1, &record), STANDARD);
    EQUAL(record.signo, STANDARD);
    EQUAL(record.pid, getpid());
    EQUAL(sigcffi_waits_accept(both, 0, NULL), -EAGAIN);
    SEND(sigcffi_sending_pthread_kill((unsigned long)pthread_self(), SIGRTMAX));
    EQUAL(sigcffi_waits_accept(both, 1000000000, NULL), SIGRTMAX);
    EQUAL(sigcffi_sending_pidfd_send_signal(-1, STANDARD, 0), SIGCFFI_HAS_PIDFD ? -EBADF : -ENOSYS);
    figures("block, pend, accept");
}

CASE(all_that_is_pending_is_drained_and_nothing_else)
{
    enum { SENT = 100, ROOM = 64 };
    static struct sigcffi_record records[ROOM];
    uint64_t set = sigcffi_bit(QUEUED) | sigcffi_bit(STANDARD);
    EQUAL(sigcffi_waits_drain(set, records, ROOM), 0);
    sigset_t former = block(QUEUED);
    block(QUEUED_TOO);
    for (int i = 0; i < SENT; i++) queue_to(pthread_self(), QUEUED, i);
    queue_to(pthread_self(), QUEUED_TOO, 0);
    EQUAL(sigcffi_waits_drain(set, records, ROOM), ROOM);
    for (int i = 0; i < ROOM; i++) EQUAL(records[i].value, i);
    EQUAL(sigcffi_waits_drain(set, records, ROOM), SENT - ROOM);
    EQUAL(records[SENT - ROOM - 1].value, SENT - 1);
    EQUAL(sigcffi_waits_drain(set, records, ROOM), 0);
    EQUAL(sigcffi_masks_sigpending(), (long long)sigcffi_bit(QUEUED_TOO));
    EQUAL(sigcffi_waits_accept(sigcffi_bit(QUEUED_TOO), 0, NULL), QUEUED_TOO);
    restore(&former);
    figures("%d signals", SENT);
}

CASE(a_block_takes_back_what_it_has_changed)
{
    uint64_t one = sigcffi_bit(STANDARD), other = sigcffi_bit(QUEUED), both = one | other;
    const int deep = 1000;
    EQUAL(sigcffi_masks_block(one), 0);
    EQUAL(sigcffi_masks_block(both), (long long)one);
    EQUAL(sigcffi_masks_blocks(), 2);
    sigcffi_masks_unblock(one); /* in another order */
    EQUAL(sigcffi_masks_sigmask(SIG_BLOCK, 0), (long long)both);
    sigcffi_masks_unblock(both);
    EQUAL(sigcffi_masks_sigmask(SIG_BLOCK, 0), 0);
    for (int i = 0; i < deep; i++) sigcffi_masks_block(both);
    for (int i = 0; i < deep; i++) {
        EQUAL(sigcffi_masks_sigmask(SIG_BLOCK, 0), (long long)both);
        sigcffi_masks_unblock(both);
    }
    EQUAL(sigcffi_masks_sigmask(SIG_BLOCK, 0), 0);
    EQUAL(sigcffi_masks_blocks(), 0);
    figures("%d deep", deep);
}

/* A C library may go on waiting after a handler, with all of the time. */
static atomic_bool accepted;

static void *interrupt_until_accepted(void *target)
{
    while (!atomic_load(&accepted)) {
        queue_to(*(pthread_t *)target, STANDARD, 0);
        breathe();
    }
    return NULL;
}

CASE(a_handler_ends_a_wait_for_another_signal)
{
    const int64_t waits[] = {-1, INT64_C(3600000000000)};
    const uint64_t wanted = sigcffi_bit(QUEUED);
    pthread_t self = pthread_self();
    register_signal(STANDARD);
    sigset_t former = block(QUEUED);
    for (int i = 0; i < 2; i++) {
        atomic_store(&accepted, false);
        pthread_t interrupting = start_thread(interrupt_until_accepted, &self);
        EQUAL(sigcffi_waits_accept(wanted, waits[i], NULL), -EINTR);
        atomic_store(&accepted, true);
        join(interrupting);
    }
    restore(&former);
    figures("for ever, for an hour");
}

/* What is left of such times in 32 bits is nothing, or a second. */
static const int64_t long_times[] = {(INT64_C(1) << 32) * 1000000000,
                                     ((INT64_C(1) << 32) + 1) * 1000000000, INT64_MAX, -1};
static _Atomic uint32_t long_sleep, nobodys;

static void *sleep_long(void *nanoseconds)
{
    bool over = false;
    while (atomic_load(&long_sleep) == 0 && !over)
        over = sigcffi_platform_sleep_on(&long_sleep, 0, *(const int64_t *)nanoseconds);
    CHECK(!over);
    return NULL;
}

CASE(a_very_long_time_is_not_cut_off)
{
    enum { TIMES = sizeof long_times / sizeof *long_times };
    pthread_t sleeping[TIMES];
    for (int i = 0; i < TIMES; i++)
        sleeping[i] = start_thread(sleep_long, (void *)(uintptr_t)&long_times[i]);
    /* The whole of those above, were they cut off. */
    for (int64_t half = 500000000, i = 0; i < 3; i++)
        CHECK(sigcffi_platform_sleep_on(&nobodys, 0, half));
    atomic_store(&long_sleep, 1);
    sigcffi_platform_wake(&long_sleep, TIMES);
    for (int i = 0; i < TIMES; i++) join(sleeping[i]);

    sigcffi_itimer set = sigcffi_itimers_set(ITIMER_REAL, long_times[1], 0);
    if (sizeof(time_t) > 4)
        CHECK(set.value == 0 || set.interval == ENOTSUP); /* musl's system call takes a long */
    else
        CHECK(set.value != set.value && set.interval == ERANGE);
    CHECK(sigcffi_itimers_get(ITIMER_REAL).value == 0 ||
          sigcffi_itimers_get(ITIMER_REAL).value > 1e9);
    set = sigcffi_itimers_set(ITIMER_REAL, -(INT64_C(1) << 33) * 1000000000, 0);
    CHECK(set.value != set.value);
    figures("%d times", TIMES);
}

CASE(the_smallest_time_still_rings)
{
    register_signal(SIGALRM);
    sigcffi_itimer refused = sigcffi_itimers_set(ITIMER_REAL, -1000, 0);
    CHECK(isnan(refused.value) && refused.interval == EINVAL);
    EQUAL((long long)sigcffi_itimers_set(ITIMER_REAL, INT64_C(3600000000000), 0).value, 0);
    CHECK(sigcffi_itimers_get(ITIMER_REAL).value > 3500);
    CHECK(sigcffi_itimers_set(ITIMER_REAL, 1, 0).value > 3500);
    UNTIL(atomic_load(&calls[SIGALRM]) == 1);
    EQUAL((long long)sigcffi_itimers_set(ITIMER_VIRTUAL, INT64_C(3600000000000), 1).value, 0);
    CHECK(sigcffi_itimers_set(ITIMER_VIRTUAL, 0, 0).interval > 0); /* 1 us */
    EQUAL((long long)sigcffi_itimers_get(ITIMER_REAL).value, 0);
    refused = sigcffi_itimers_get(4711);
    CHECK(isnan(refused.value) && refused.interval == EINVAL);
    figures("1 ns");
}
