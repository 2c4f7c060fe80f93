/* Back-pressure of the main channel: a thread that meets it full keeps its signals with the kernel,
 * goes on when it has been read, and loses none.
 *
 * Law: threads that take signals here have nothing blocked by themselves.
 */
#include "reading.h"

#include <sched.h>

/* It is empty, or has one record. The thread is held back, as soon as the last has come. */
static void fill_the_ring(pthread_t thread)
{
    for (int value = (int)waiting_records(); value < SIGCFFI_HIGH_WATER; value++)
        queue_to(thread, QUEUED, value);
    UNTIL(backpressure());
    EQUAL(waiting_records(), SIGCFFI_HIGH_WATER);
}

/* All that comes, in the order in which it was sent. */
static void read_in_order(int first, int last)
{
    struct sigcffi_record record;
    for (int value = first; value < last;) {
        for (; read_record(&record); value++) EQUAL(record.value, value);
        if (backpressure()) sigcffi_resume_main_channel();
        breathe();
    }
}

/* ---- Other threads ---- */

/* Nobody reads, and the main thread is at something else. */
CASE(a_thread_that_meets_a_full_ring_loses_nothing_and_goes_on_when_it_is_read)
{
    NOTHING_IS_BLOCKED_UNDER_TSAN();
    const int rounds = 5 * SCALE, each = 3 * SIGCFFI_CAPACITY;
    dispatch(QUEUED);
    start_takers(1);
    for (int round = 0; round < rounds; round++) {
        for (int i = 0; i < each; i++) queue_to(takers[0], QUEUED, round * each + i);
        UNTIL(mask_of_taker(0) == sigcffi_bit(QUEUED));
        /* It has taken no more, and takes no more. */
        CHECK(backpressure() == sigcffi_bit(QUEUED) && threads_listed() == 1);
        EQUAL(waiting_records(), SIGCFFI_HIGH_WATER);
        EQUAL(sigcffi_channel_deliveries(QUEUED), round * each + SIGCFFI_HIGH_WATER);
        read_in_order(round * each, (round + 1) * each);
        UNTIL(mask_of_taker(0) == 0);
    }
    stop_takers();
    EQUAL(threads_listed(), 0);
    EQUAL(sigcffi_channel_dropped(QUEUED), 0);
    EQUAL(sigcffi_channel_deliveries(QUEUED), rounds * each);
    UNTIL(atomic_load(&heard[QUEUED]) == rounds * each);
    figures("%d signals", rounds * each);
}

/* Also by pokes that the kernel has no memory for, and delivers bare. */
CASE(every_thread_that_is_held_back_is_told_to_go_on)
{
    NOTHING_IS_BLOCKED_UNDER_TSAN();
    enum { THREADS = 4 };
    const int rounds = 20 * SCALE, each = SIGCFFI_HIGH_WATER + 2 * THREADS - 1;
    dispatch(QUEUED);
    start_takers(THREADS);
    for (int round = 0; round < rounds; round++) {
        fill_the_ring(takers[0]);
        int sent = SIGCFFI_HIGH_WATER;
        for (int i = 1; i < THREADS; i++, sent++) {
            queue_to(takers[i], QUEUED, sent);
            UNTIL(mask_of_taker(i) == sigcffi_bit(QUEUED));
            EQUAL(threads_listed(), i + 1);
        }
        for (int i = 0; i < THREADS; i++, sent++) queue_to(takers[i], QUEUED, sent);
        EQUAL(sigcffi_channel_deliveries(QUEUED), round * each + SIGCFFI_HIGH_WATER + THREADS - 1);
        if (round % 2) limit_queue(0);
        while (waiting_records() > 0) next_record();
        EQUAL(sigcffi_resume_main_channel(), 0);
        for (int i = 0; i < THREADS; i++) next_record();
        for (int i = 0; i < THREADS; i++) UNTIL(mask_of_taker(i) == 0);
        limit_queue(RLIM_INFINITY);
        EQUAL(threads_listed(), 0);
        EQUAL(sigcffi_channel_deliveries(QUEUED), (round + 1) * each);
        /* A poke is no delivery, unless it comes without its mark. */
        if (round == 0) EQUAL(sigcffi_channel_deliveries(SIGURG), 0);
    }
    stop_takers();
    EQUAL(sigcffi_channel_dropped(QUEUED), 0);
    figures("%d threads, %d times", THREADS, rounds);
}

/* ---- The reader ---- */

/* The linker sends the reader's sleep here. */
int __real_nanosleep(const struct timespec *time, struct timespec *left);
int __wrap_nanosleep(const struct timespec *time, struct timespec *left);
static atomic_int naps_before_writing;
_Atomic long long naps;

int __wrap_nanosleep(const struct timespec *time, struct timespec *left)
{
    atomic_fetch_add(&naps, 1);
    if (atomic_load(&writing) && atomic_fetch_sub(&naps_before_writing, 1) == 1)
        atomic_store(&go_on, true);
    return __real_nanosleep(time, left);
}

/* It is the next, and all that has come after it cannot be read before. */
CASE(a_record_that_is_just_being_written_is_waited_for)
{
    NOTHING_IS_BLOCKED_UNDER_TSAN();
    dispatch(QUEUED);
    start_takers(2);
    slow_writer = takers[0];
    atomic_store(&writer_is_slow, true);
    queue_to(takers[0], QUEUED, 0);
    UNTIL(atomic_load(&writing));
    fill_the_ring(takers[1]);
    struct sigcffi_record record;
    CHECK(!read_record(&record));
    atomic_store(&naps_before_writing, 3);
    EQUAL(sigcffi_resume_main_channel(), 1);
    CHECK(atomic_load(&naps_before_writing) <= 0);
    CHECK(read_record(&record));
    EQUAL(record.value, 0);
    CHECK(backpressure() != 0); /* it has let nobody go on yet */
    for (int value = 1; value < SIGCFFI_HIGH_WATER; value++) EQUAL(next_record().value, value);
    EQUAL(sigcffi_resume_main_channel(), 0);
    stop_takers();
    EQUAL(threads_listed(), 0);
    figures("%d behind it", SIGCFFI_HIGH_WATER - 1);
}

static void refill(void)
{
    sigset_t former = block(SIGURG); /* or it would hear of the first, and go on */
    fill_the_ring(takers[0]);
    restore(&former);
}

/* It has found room, and is about to let its own signals in: then there is none any more. Nobody
 * would tell it later: it is the one that reads. */
CASE(a_reader_that_another_thread_has_overtaken_reads_on)
{
    NOTHING_IS_BLOCKED_UNDER_TSAN();
    dispatch(QUEUED);
    start_takers(1);
    for (int value = 0; value < SIGCFFI_HIGH_WATER; value++)
        queue_to(pthread_self(), QUEUED, value);
    EQUAL(kernel_mask(), sigcffi_bit(QUEUED));
    while (waiting_records() > 0) next_record();
    atomic_store(&before_change, refill);
    EQUAL(sigcffi_resume_main_channel(), 1);
    EQUAL(kernel_mask(), sigcffi_bit(QUEUED));
    for (int value = 0; value < SIGCFFI_HIGH_WATER; value++) EQUAL(next_record().value, value);
    EQUAL(sigcffi_resume_main_channel(), 0);
    EQUAL(kernel_mask(), 0);
    UNTIL(mask_of_taker(0) == 0);
    stop_takers();
    EQUAL(threads_listed(), 0);
    figures("%d once more", SIGCFFI_HIGH_WATER);
}

/* ---- fork ---- */

static pid_t forked_elsewhere;
static uint64_t mask_of_forking_thread;

static void check_child(void)
{
    EQUAL(kernel_mask(), mask_of_forking_thread);
    EQUAL(sigcffi_masks_sigmask(SIG_BLOCK, 0), mask_of_forking_thread);
    EQUAL(threads_listed(), 0);
    EQUAL(backpressure(), 0);
    CHECK(sigcffi_masks_sigmask(SIG_SETMASK, 0) == mask_of_forking_thread);
    check_ring_of_child();
}

static void *fork_beside_the_main_thread(void *argument)
{
    sigset_t mask = sigcffi_set_of(mask_of_forking_thread);
    restore(&mask);
    forked_elsewhere = start_child(check_child);
    EQUAL(kernel_mask(), mask_of_forking_thread);
    return argument;
}

/* Nor what the handlers that run in its parent's main thread keep out. */
CASE(a_forked_child_does_not_keep_the_pressure)
{
    NOTHING_IS_BLOCKED_UNDER_TSAN();
    dispatch(QUEUED);
    dispatch(STANDARD);
    start_takers(1);
    EQUAL(sigcffi_masks_sigmask(SIG_BLOCK, sigcffi_bit(STANDARD_TOO)), 0);
    fill_the_ring(takers[0]);
    send_to_self(QUEUED);
    uint64_t blocked = kernel_mask();
    EQUAL(blocked, sigcffi_bit(QUEUED) | sigcffi_bit(STANDARD) | sigcffi_bit(STANDARD_TOO));
    EQUAL(threads_listed(), 2);
    mask_of_forking_thread = sigcffi_bit(STANDARD_TOO); /* here this thread's, for the child */
    EQUAL(status_of_child(check_child), 0);
    EQUAL(kernel_mask(), blocked);
    EQUAL(threads_listed(), 2);
    CHECK(backpressure() != 0);

    /* Another thread's mask is its own: what it has blocked stays blocked in its child. */
    mask_of_forking_thread = sigcffi_bit(QUEUED) | sigcffi_bit(STANDARD_TOO);
    atomic_store(word(SIGCFFI_WORD_RUNNING), sigcffi_bit(QUEUED));
    join(start_thread(fork_beside_the_main_thread, NULL));
    EQUAL(status_of(forked_elsewhere), 0);
    EQUAL(kernel_mask(), blocked);
    atomic_store(word(SIGCFFI_WORD_RUNNING), 0);
    while (waiting_records() > 0) next_record();
    EQUAL(sigcffi_resume_main_channel(), 0);
    EQUAL(kernel_mask(), sigcffi_bit(STANDARD_TOO));
    stop_takers();
    figures("2 threads");
}
