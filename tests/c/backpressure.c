/* Back-pressure: what a receiver has no room for the kernel keeps, in every thread, and gives it
 * out again when the receiver has been read. No thread is left with signals blocked.
 *
 * Law: threads that take signals here have nothing blocked by themselves.
 */
#include "receiving.h"

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/wait.h>

/* ---- A flood ---- */

enum { PROCESSES = 2, THREADS = 4, SENDER_SHIFT = 24 };

static const int each = 4000 * SCALE;

static void send_to_parent(int sender, int signum)
{
    for (int i = 0; i < each; i++)
        SEND(sigcffi_sending_sigqueue(getppid(), signum, sender << SENDER_SHIFT | i));
}

struct account {
    char seen[PROCESSES + THREADS][16000];
    long long count;
};

static void see_once(const struct sigcffi_record *record, void *argument)
{
    struct account *account = argument;
    int sender = record->value >> SENDER_SHIFT, number = record->value & ((1 << SENDER_SHIFT) - 1);
    CHECK(sender >= 0 && sender < PROCESSES + THREADS && number < each);
    EQUAL(account->seen[sender][number]++, 0);
    account->count++;
}

struct reading {
    struct reader reader;
    struct account account;
    long long all;
};

static void *read_all_of_it(void *argument)
{
    struct reading *reading = argument;
    sigset_t all;
    sigfillset(&all);
    MUST(pthread_sigmask(SIG_SETMASK, &all, NULL));
    UNTIL(sigcffi_receivers_holds_back(reading->reader.handle) !=
          0); /* nobody reads, and it fills up */
    while (reading->account.count < reading->all) {
        struct pollfd file = {.fd = sigcffi_receivers_fd(reading->reader.handle, false),
                              .events = POLLIN};
        EQUAL(poll(&file, 1, -1), 1);
        read_some(&reading->reader, LLONG_MAX, see_once, &reading->account);
    }
    return argument;
}

/* To the process, for any thread to take, and to each thread alone. Two receivers have one of the
 * signals, and each of them one of its own. */
CASE(a_full_receiver_loses_nothing_and_blocks_nobody_for_good)
{
    NOTHING_IS_BLOCKED_UNDER_TSAN();
    static struct reading first, second;
    const uint64_t one = sigcffi_bit(QUEUED), other = sigcffi_bit(QUEUED_TOO);
    first.reader = open_reader(64, one, false);
    second.reader = open_reader(128, one | other, false);
    first.all = (long long)each * (PROCESSES + THREADS);
    second.all = first.all;
    CHECK(first.reader.handle > 0 && second.reader.handle > 0);
    start_takers(THREADS);
    pid_t pids[PROCESSES];
    for (int i = 0; i < PROCESSES; i++) {
        CHECK((pids[i] = fork()) >= 0);
        if (pids[i] == 0) {
            send_to_parent(i, QUEUED);
            _exit(0);
        }
    }
    const uint64_t former = sigcffi_masks_sigmask(SIG_SETMASK, UINT64_MAX);
    EQUAL((long long)former, 0);
    pthread_t threads[] = {start_thread(read_all_of_it, &first),
                           start_thread(read_all_of_it, &second)};
    for (int i = 0; i < each; i++)
        for (int to = 0; to < THREADS; to++)
            queue_to(takers[to], QUEUED, (PROCESSES + to) << SENDER_SHIFT | i);
    sigcffi_masks_sigmask(SIG_SETMASK, former);
    for (int i = 0; i < PROCESSES; i++) {
        int status;
        while (waitpid(pids[i], &status, 0) < 0) EQUAL(errno, EINTR);
        EQUAL(status, 0);
    }
    join(threads[0]);
    join(threads[1]);
    breathe();
    EQUAL((long long)kernel_mask(), 0);
    EQUAL(sigcffi_receivers_holds_back(first.reader.handle) |
              sigcffi_receivers_holds_back(second.reader.handle),
          0);
    stop_takers();
    EQUAL(threads_listed(), 0);
    EQUAL((long long)sigcffi_channel_deliveries(QUEUED), first.all);
    EQUAL((long long)sigcffi_receivers_dropped(first.reader.handle), 0);
    EQUAL((long long)sigcffi_receivers_dropped(second.reader.handle), 0);
    close_reader(&first.reader);
    close_reader(&second.reader);
    figures("%lld signals, %d threads, 2 receivers", first.all, THREADS + 1);
}

/* ---- What is blocked, and what is not ---- */

CASE(what_a_thread_has_blocked_itself_stays_blocked)
{
    NOTHING_IS_BLOCKED_UNDER_TSAN();
    const uint64_t one = sigcffi_bit(QUEUED), other = sigcffi_bit(QUEUED_TOO);
    struct reader reader = open_reader(16, one | other, false);
    sigset_t former = block(QUEUED_TOO);
    fill(&reader, QUEUED);
    EQUAL((long long)kernel_mask(), (long long)(one | other));
    EQUAL((long long)sigcffi_masks_sigmask(SIG_BLOCK, 0),
          (long long)other); /* what its owner knows of */
    read_everything(&reader);
    EQUAL((long long)kernel_mask(), (long long)other);
    restore(&former);

    /* What it blocks afterwards stays so too. */
    fill(&reader, QUEUED);
    EQUAL((long long)kernel_mask(), (long long)(one | other));
    EQUAL((long long)sigcffi_masks_sigmask(SIG_BLOCK, one | other), 0);
    read_everything(&reader);
    EQUAL((long long)kernel_mask(), (long long)(one | other));
    EQUAL((long long)sigcffi_masks_sigmask(SIG_UNBLOCK, one | other), (long long)(one | other));
    EQUAL((long long)kernel_mask(), 0);
    EQUAL(threads_listed(), 0);
    close_reader(&reader);

    /* Not by what tells threads to go on, nor by what may interrupt a handler. */
    const uint64_t never = sigcffi_bit(SIGURG) | sigcffi_bit(SIGSEGV);
    reader = open_reader(16, one | never, false);
    fill(&reader, QUEUED);
    EQUAL((long long)kernel_mask(), (long long)one);
    for (int i = 0; i < 16; i++) {
        MUST(raise(SIGSEGV));
        MUST(raise(SIGURG));
    }
    EQUAL((long long)kernel_mask(), (long long)one);
    EQUAL(sigcffi_receivers_count(reader.handle), 16);
    CHECK(sigcffi_receivers_dropped(reader.handle) > 0);
    close_reader(&reader);
    EQUAL((long long)kernel_mask(), 0);
    figures("before, after, never");
}

/* It comes when both have room. */
CASE(what_two_receivers_hold_back_comes_when_both_have_been_read)
{
    NOTHING_IS_BLOCKED_UNDER_TSAN();
    const uint64_t one = sigcffi_bit(QUEUED), other = sigcffi_bit(QUEUED_TOO);
    struct reader first = open_reader(16, one | other, false);
    struct reader second = open_reader(16, one, false);
    fill(&first, QUEUED);
    EQUAL(sigcffi_receivers_holds_back(first.handle), (long long)(one | other));
    EQUAL(sigcffi_receivers_holds_back(second.handle), (long long)one);
    EQUAL((long long)kernel_mask(), (long long)(one | other));
    /* By half of it, and not before. */
    EQUAL(read_some(&first, 3, NULL, NULL), 3);
    EQUAL(sigcffi_receivers_holds_back(first.handle), (long long)(one | other));
    EQUAL(read_some(&first, 1, NULL, NULL), 1);
    EQUAL(sigcffi_receivers_holds_back(first.handle), 0);
    EQUAL((long long)kernel_mask(), (long long)one);
    close_reader(&second); /* or when it is closed */
    EQUAL((long long)kernel_mask(), 0);
    EQUAL(threads_listed(), 0);
    close_reader(&first);
    figures("2 receivers");
}

static atomic_bool is_deaf;

static void *block_all_but_one(void *argument)
{
    sigset_t all_but_one = sigcffi_set_of(~sigcffi_bit(QUEUED));
    restore(&all_but_one);
    atomic_store(&is_deaf, true);
    UNTIL((long long)sigcffi_channel_deliveries(QUEUED) == *(long long *)argument);
    return argument;
}

CASE(a_flood_of_the_one_signal_that_a_thread_has_not_blocked_is_held_back)
{
    NOTHING_IS_BLOCKED_UNDER_TSAN();
    static long long all = 1000;
    struct reader reader = open_reader(64, sigcffi_bit(QUEUED), false);
    pthread_t thread = start_thread(block_all_but_one, &all);
    UNTIL(atomic_load(&is_deaf));
    for (int i = 0; i < all; i++) queue_to(thread, QUEUED, i);
    UNTIL(sigcffi_receivers_holds_back(reader.handle) != 0);
    long long read = 0;
    while (read < all) {
        read += read_some(&reader, LLONG_MAX, NULL, NULL);
        breathe();
    }
    join(thread);
    EQUAL(sigcffi_receivers_dropped(reader.handle), 0);
    EQUAL(threads_listed(), 0);
    close_reader(&reader);
    figures("%lld signals", all);
}

/* ---- fork ---- */

static struct reader parents;

static void check_child(void)
{
    EQUAL((long long)kernel_mask(), 0);
    EQUAL((long long)sigcffi_masks_sigmask(SIG_BLOCK, 0), 0);
    EQUAL(sigcffi_receivers_count(parents.handle), -EBADF);
    EQUAL(sigcffi_receivers_fd(parents.handle, false), -EBADF);
    EQUAL(sigcffi_receivers_stop(parents.handle), -EBADF);
    EQUAL(sigcffi_dispositions_query_slotted(QUEUED), SIGCFFI_DEFAULT);
    struct reader own = open_reader(16, sigcffi_bit(QUEUED), false);
    int next = fill(&own, QUEUED);
    EQUAL((long long)kernel_mask(), (long long)sigcffi_bit(QUEUED));
    EQUAL(read_some(&own, LLONG_MAX, NULL, NULL), next);
    EQUAL((long long)kernel_mask(), 0);
    close_reader(&own);
    _exit(0);
}

static void *fork_from_here(void *nothing)
{
    sigset_t none;
    sigemptyset(&none);
    restore(&none); /* threads inherit what is blocked */
    EQUAL(status_of_child(check_child), 0);
    return nothing;
}

static void see_in_order(const struct sigcffi_record *record, void *next)
{
    EQUAL(record->value, (*(int *)next)++);
}

CASE(a_forked_child_has_no_receivers_and_nothing_blocked)
{
    NOTHING_IS_BLOCKED_UNDER_TSAN();
    const int rounds = 30 * SCALE;
    parents = open_reader(32, sigcffi_bit(QUEUED), false);
    int next = 0, fd = sigcffi_receivers_fd(parents.handle, false), all = 0;
    start_takers(1);
    for (int i = 0; i < rounds; i++) {
        /* While another thread is taking some; then while this one has them blocked. */
        for (int value = 0; value < 4; value++) queue_to(takers[0], QUEUED, all++);
        EQUAL(status_of_child(check_child), 0);
        UNTIL(sigcffi_receivers_count(parents.handle) == 4);
        for (; sigcffi_receivers_holds_back(parents.handle) == 0; all++)
            queue_to(pthread_self(), QUEUED, all);
        for (int more = 0; more < 3; more++) queue_to(pthread_self(), QUEUED, all++);
        uint64_t blocked = kernel_mask();
        EQUAL((long long)blocked, (long long)sigcffi_bit(QUEUED));
        EQUAL(status_of_child(check_child), 0);
        join(start_thread(fork_from_here, NULL));
        EQUAL((long long)kernel_mask(), (long long)blocked);
        EQUAL(sigcffi_receivers_fd(parents.handle, false), fd);
        CHECK(is_readable(&parents));
        while (next < all) read_some(&parents, LLONG_MAX, see_in_order, &next);
        EQUAL((long long)kernel_mask(), 0);
    }
    stop_takers();
    CHECK(!is_readable(&parents));
    EQUAL((long long)sigcffi_receivers_dropped(parents.handle), 0);
    close_reader(&parents);
    figures("%d forks, %d signals", 3 * rounds, all);
}
