/* Attachments: what is attached counts every delivery while it is attached, and none after.
 *
 * Law: like stress.c.
 */
#include "foreign.h"

static atomic_bool slot_taken[SIGCFFI_SLOTS];

static void *attach_and_detach(void *stop)
{
    long long times = 0;
    for (; !atomic_load((atomic_bool *)stop); times++) {
        int64_t handle = attach_counter(QUEUED);
        int index = (int)(handle & 0xff);
        CHECK(index > 0); /* 0 is taken by the one that stays */
        CHECK(!atomic_exchange(&slot_taken[index], true));
        CHECK(sigcffi_attachments_tally(QUEUED, handle).count <=
              (int64_t)sigcffi_channel_deliveries(QUEUED));
        CHECK(atomic_exchange(&slot_taken[index], false));
        CHECK(sigcffi_attachments_detach(QUEUED, handle).count >= 0);
        if (times % 64 == 0) breathe();
    }
    return NULL;
}

CASE(a_counter_counts_every_delivery)
{
    const int each = 6000 * SCALE;
    register_signal(QUEUED);
    install(QUEUED_TOO, foreign_counter, 0);
    EQUAL(sigcffi_interpose(QUEUED_TOO), 0);
    int64_t counter = attach_counter(QUEUED);
    int64_t counter_too = attach_counter(QUEUED_TOO);
    start_takers(3);
    atomic_bool stop = false;
    pthread_t busy[] = {start_thread(attach_and_detach, &stop),
                        start_thread(attach_and_detach, &stop)};
    struct flood flood = {takers, 3, {QUEUED, QUEUED_TOO}, 2, each};
    start_senders(2, &flood);
    join_senders();
    UNTIL(sigcffi_channel_deliveries(QUEUED) == (uint64_t)each &&
          sigcffi_channel_deliveries(QUEUED_TOO) == (uint64_t)each);
    stop_takers();
    atomic_store(&stop, true);
    for (int i = 0; i < 2; i++) join(busy[i]);
    EQUAL(sigcffi_attachments_tally(QUEUED, counter).count, each);
    EQUAL(sigcffi_attachments_tally(QUEUED_TOO, counter_too).count, each);
    EQUAL(atomic_load(&foreign_calls), each);
    figures("%d signals", 2 * each);
}

CASE(a_full_table_refuses_and_attaches_nothing)
{
    const int signum = STANDARD;
    EQUAL(sigcffi_interpose(signum), 0);
    int64_t handles[SIGCFFI_SLOTS];
    for (int i = 0; i < SIGCFFI_SLOTS; i++) handles[i] = attach_counter(signum);
    EQUAL(sigcffi_attachments_attach(signum, SIGCFFI_SLOT_COUNTER, 0, -1, 0, true), -ENOSPC);
    MUST(raise(signum));
    UNTIL(sigcffi_channel_deliveries(signum) == 1);
    for (int i = 0; i < SIGCFFI_SLOTS; i++)
        EQUAL(sigcffi_attachments_tally(signum, handles[i]).count, 1);

    /* A place that becomes free is used again, and counts from zero. */
    EQUAL(sigcffi_attachments_detach(signum, handles[3]).count, 1);
    EQUAL(sigcffi_attachments_detach(signum, handles[3]).count, -1);
    MUST(raise(signum));
    UNTIL(sigcffi_channel_deliveries(signum) == 2);
    EQUAL(sigcffi_attachments_tally(signum, handles[3]).count, -1);
    int64_t former = handles[3];
    handles[3] = attach_counter(signum);
    EQUAL(sigcffi_attachments_tally(signum, handles[3]).count, 0);
    EQUAL(sigcffi_attachments_detach(signum, former).count, -1);
    EQUAL(sigcffi_attachments_attach(signum, SIGCFFI_SLOT_COUNTER, 0, -1, 0, true), -ENOSPC);
    MUST(raise(signum));
    UNTIL(sigcffi_channel_deliveries(signum) == 3);
    for (int i = 0; i < SIGCFFI_SLOTS; i++)
        EQUAL(sigcffi_attachments_tally(signum, handles[i]).count, i == 3 ? 1 : 3);

    EQUAL(sigcffi_attachments_attach(0, SIGCFFI_SLOT_COUNTER, 0, -1, 0, true), -EINVAL);
    EQUAL(sigcffi_attachments_attach(NSIG, SIGCFFI_SLOT_COUNTER, 0, -1, 0, true), -EINVAL);
    EQUAL(sigcffi_attachments_attach(SIGHUP, SIGCFFI_SLOT_EMPTY, 0, -1, 0, true), -EINVAL);
    EQUAL(sigcffi_attachments_attach(SIGHUP, 256, 0, -1, 0, true), -EINVAL);
    EQUAL(sigcffi_attachments_attach(SIGKILL, SIGCFFI_SLOT_COUNTER, 0, -1, 0, true), -EINVAL);
    EQUAL(sigcffi_attachments_detach(SIGHUP, SIGCFFI_SLOTS).count, -1);
    EQUAL(sigcffi_attachments_detach(SIGHUP, -1).count, -1);
    EQUAL(sigcffi_attachments_detach(NSIG, handles[0]).count, -1);
    figures("%d slots", SIGCFFI_SLOTS);
}
