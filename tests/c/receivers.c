/* Receivers: each delivery reaches every receiver once and in order, what one cannot hold is
 * counted, and its descriptor can be read while there is something, and only then.
 *
 * Law: the reader does what the one in Python does: it looks at the tail, asks how much there is,
 * reads, and gives that back; what it could not give back it has not read.
 */
#include "receiving.h"

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/wait.h>

/* ---- A reader ---- */

struct reader open_reader(uint64_t capacity, uint64_t set, bool drops)
{
    struct reader reader = {.capacity = capacity};
    reader.records = calloc(capacity, sizeof *reader.records);
    reader.handle = sigcffi_receivers_open(reader.records, capacity, set, drops, false);
    if (reader.handle > 0) reader.ring = (_Atomic uint64_t *)sigcffi_receivers_ring(reader.handle);
    return reader;
}

long long read_some(struct reader *reader, long long most, record_function *see, void *argument)
{
    uint64_t first = atomic_load(&reader->ring[1]);
    long long count = sigcffi_receivers_count(reader->handle);
    CHECK(count >= 0);
    if (count > most) count = most;
    if (count == 0) return 0;
    for (long long i = 0; i < count; i++) {
        /* No memcpy(): where GCC writes its own code for that, ThreadSanitizer does not see it. */
        struct sigcffi_record record = reader->records[(first + (uint64_t)i) % reader->capacity];
        EQUAL((long long)record.sequence, (long long)first + i + 1);
        if (see != NULL) see(&record, argument);
    }
    CHECK(sigcffi_receivers_give_back(reader->handle, first, (uint64_t)count));
    return count;
}

void read_everything(struct reader *reader)
{
    while (read_some(reader, LLONG_MAX, NULL, NULL) > 0) continue;
}

int fill(const struct reader *reader, int signum)
{
    int count = 0;
    for (; sigcffi_receivers_holds_back(reader->handle) == 0; count++)
        queue_to(pthread_self(), signum, count);
    return count;
}

void stop_reader(struct reader *reader)
{
    EQUAL(sigcffi_receivers_stop(reader->handle), 0);
}

void close_reader(struct reader *reader)
{
    stop_reader(reader);
    sigcffi_receivers_close(reader->handle);
    EQUAL(sigcffi_receivers_count(reader->handle), -EBADF);
    EQUAL(sigcffi_receivers_stop(reader->handle), -EBADF);
    free(reader->records);
}

bool is_readable(const struct reader *reader)
{
    struct pollfd file = {.fd = sigcffi_receivers_fd(reader->handle, false), .events = POLLIN};
    int count = poll(&file, 1, 0);
    CHECK(count >= 0 || errno == EINTR);
    return count > 0;
}

/* ---- Many, and a flood ---- */

/* A value tells its stream, a sender, a thread that takes it and a signal: within one order holds.
 * And it tells which in its stream it is. */
enum { SENDERS = 2, TAKERS = 2, STREAMS = SENDERS * TAKERS * 2, STREAM_SHIFT = 24 };

static _Atomic long long sent, read_by_main;
static atomic_bool flood_stop;

static void *send_streams(void *argument)
{
    const int sender = *(int *)argument;
    int next[STREAMS] = {0};
    sigset_t all;
    sigfillset(&all);
    MUST(pthread_sigmask(SIG_SETMASK, &all, NULL));
    for (int i = 0; !atomic_load(&flood_stop); i++) {
        int taker = i % TAKERS, too = i % 3 == 0, stream = (sender * TAKERS + taker) * 2 + too;
        /* Not more than a reader that has to wait for a processor can hold. */
        while (atomic_load(&sent) - atomic_load(&read_by_main) >= 1000 && !atomic_load(&flood_stop))
            breathe();
        queue_to(takers[taker], too ? QUEUED_TOO : QUEUED, stream << STREAM_SHIFT | next[stream]++);
        atomic_fetch_add(&sent, 1);
    }
    return argument;
}

struct streams {
    long long next[STREAMS]; /* -1: none has come yet */
    long long missing;
};

static void see_stream(const struct sigcffi_record *record, void *argument)
{
    struct streams *streams = argument;
    int stream = record->value >> STREAM_SHIFT;
    long long number = record->value & ((1 << STREAM_SHIFT) - 1);
    CHECK(stream >= 0 && stream < STREAMS);
    EQUAL(record->signo, stream % 2 ? QUEUED_TOO : QUEUED);
    EQUAL(record->pid, getpid());
    if (streams->next[stream] >= 0) {
        CHECK(number >= streams->next[stream]); /* none twice, none overtakes */
        streams->missing += number - streams->next[stream];
    }
    streams->next[stream] = number + 1;
}

static const int rounds_of_thread = TSAN || ASAN ? 60 : 250;
static _Atomic long long received_by_others;

static void *open_read_and_close(void *number)
{
    for (int round = 0; round < rounds_of_thread || atomic_load(&received_by_others) == 0;
         round++) {
        struct streams streams = {.missing = 0};
        for (int i = 0; i < STREAMS; i++) streams.next[i] = -1;
        const uint64_t set = sigcffi_bit(QUEUED) | sigcffi_bit(QUEUED_TOO);
        struct reader reader = open_reader(2048, set, round % 2);
        CHECK(reader.handle > 0);
        long long count = 0;
        while (count < round % 8 && !atomic_load(&flood_stop)) {
            count += read_some(&reader, LLONG_MAX, see_stream, &streams);
            sched_yield();
        }
        stop_reader(&reader);
        long long left = sigcffi_receivers_count(reader.handle);
        breathe();
        EQUAL(sigcffi_receivers_count(reader.handle), left); /* nothing comes to it any more */
        EQUAL(read_some(&reader, LLONG_MAX, see_stream, &streams), left);
        CHECK(streams.missing <= (long long)sigcffi_receivers_dropped(reader.handle));
        close_reader(&reader);
        atomic_fetch_add(&received_by_others, count + left);
    }
    return number;
}

CASE(every_receiver_gets_all_while_others_come_and_go)
{
    enum { THREADS = 4 };
    pthread_t threads[THREADS], senders[SENDERS];
    int numbers[SENDERS];
    struct streams streams = {.missing = 0};
    const uint64_t set = sigcffi_bit(QUEUED) | sigcffi_bit(QUEUED_TOO);
    struct reader reader = open_reader(2048, set, false);
    CHECK(reader.handle > 0);
    sigset_t mask = block(QUEUED);
    block(QUEUED_TOO); /* all are the takers' */
    start_takers(TAKERS);
    for (int i = 0; i < SENDERS; i++) {
        numbers[i] = i;
        senders[i] = start_thread(send_streams, &numbers[i]);
    }
    for (int i = 0; i < THREADS; i++) threads[i] = start_thread(open_read_and_close, NULL);
    int running = THREADS;
    while (running > 0) {
        struct pollfd file = {.fd = sigcffi_receivers_fd(reader.handle, false), .events = POLLIN};
        poll(&file, 1, 10);
        atomic_fetch_add(&read_by_main, read_some(&reader, LLONG_MAX, see_stream, &streams));
        while (running > 0 && pthread_tryjoin_np(threads[running - 1], NULL) == 0) running--;
    }
    atomic_store(&flood_stop, true);
    for (int i = 0; i < SENDERS; i++) join(senders[i]);
    UNTIL(atomic_fetch_add(&read_by_main, read_some(&reader, 7, see_stream, &streams)) >=
          atomic_load(&sent));
    stop_takers();
    stop_reader(&reader);
    EQUAL(sigcffi_receivers_count(reader.handle), 0);
    CHECK(!is_readable(&reader));
    EQUAL(streams.missing, 0);
    EQUAL((long long)sigcffi_receivers_dropped(reader.handle), 0);
    EQUAL(atomic_load(&read_by_main), atomic_load(&sent));
    EQUAL(sigcffi_channel_deliveries(QUEUED) + sigcffi_channel_deliveries(QUEUED_TOO),
          atomic_load(&sent));
    close_reader(&reader);
    restore(&mask);
    figures("%lld signals, %d receivers got %lld of them", (long long)atomic_load(&sent),
            THREADS * rounds_of_thread, (long long)atomic_load(&received_by_others));
}

/* ---- Full ---- */

static void see_value(const struct sigcffi_record *record, void *next)
{
    EQUAL(record->value, (*(int *)next)++);
}

CASE(what_a_receiver_cannot_hold_is_counted)
{
    const int signals = 100, capacity = 16;
    struct reader small = open_reader((uint64_t)capacity, sigcffi_bit(QUEUED), true);
    struct reader large = open_reader(128, sigcffi_bit(QUEUED), true);
    CHECK(small.handle > 0 && large.handle > 0);
    CHECK(!is_readable(&small));
    start_takers(1);
    int next = 0, next_of_large = 0;
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < signals; i++) {
            queue_to(takers[0], QUEUED, signals * round + i);
            UNTIL(sigcffi_receivers_count(large.handle) == i + 1);
            CHECK(is_readable(&small));
        }
        next = signals * round;
        EQUAL(read_some(&small, capacity / 2, see_value, &next), capacity / 2);
        CHECK(is_readable(&small));
        EQUAL(read_some(&small, signals, see_value, &next), capacity - capacity / 2);
        CHECK(!is_readable(&small));
        EQUAL((long long)sigcffi_receivers_dropped(small.handle),
              (round + 1) * (signals - capacity));
        EQUAL(read_some(&large, signals, see_value, &next_of_large), signals);
        EQUAL((long long)sigcffi_receivers_dropped(large.handle), 0);
    }
    /* One that is opened in the place of another knows nothing of what that had. */
    for (int i = 0; i < 3; i++) {
        queue_to(takers[0], QUEUED, i);
        UNTIL(sigcffi_receivers_count(large.handle) == i + 1);
    }
    close_reader(&small);
    close_reader(&large);
    small = open_reader((uint64_t)capacity, sigcffi_bit(QUEUED), true);
    EQUAL(sigcffi_receivers_count(small.handle), 0);
    EQUAL((long long)sigcffi_receivers_dropped(small.handle), 0);
    CHECK(!is_readable(&small));
    queue_to(takers[0], QUEUED, next = 4711);
    UNTIL(read_some(&small, 1, see_value, &next) == 1);
    stop_takers();
    close_reader(&small);
    figures("%d signals, %d dropped", 3 * signals, 3 * (signals - capacity));
}

CASE(what_cannot_be_opened_leaves_nothing)
{
    const uint64_t both = sigcffi_bit(QUEUED) | sigcffi_bit(STANDARD);
    int64_t counters[SIGCFFI_SLOTS];
    for (int i = 0; i < SIGCFFI_SLOTS; i++) counters[i] = attach_counter(QUEUED);
    struct reader none = open_reader(16, both, false);
    EQUAL(none.handle, -ENOSPC);
    free(none.records);
    EQUAL(sigcffi_dispositions_query_slotted(STANDARD), SIGCFFI_DEFAULT);
    struct sigaction now;
    MUST(sigaction(STANDARD, NULL, &now));
    CHECK(now.sa_handler == SIG_DFL);
    for (int i = 0; i < SIGCFFI_SLOTS; i++)
        EQUAL(sigcffi_attachments_detach(QUEUED, counters[i]).count, 0);
    none = open_reader(16, both | sigcffi_bit(SIGKILL), false);
    EQUAL(none.handle, -EINVAL);
    free(none.records);
    EQUAL(sigcffi_dispositions_query_slotted(STANDARD), SIGCFFI_DEFAULT);

    struct reader readers[SIGCFFI_RECEIVERS];
    for (int i = 0; i < SIGCFFI_RECEIVERS; i++) {
        readers[i] = open_reader(16, sigcffi_bit(SIGRTMIN + i / SIGCFFI_SLOTS), false);
        CHECK(readers[i].handle > 0);
    }
    none = open_reader(16, sigcffi_bit(SIGRTMAX), false);
    EQUAL(none.handle, -ENOSPC);
    free(none.records);
    for (int i = 0; i < SIGCFFI_RECEIVERS; i++) close_reader(&readers[i]);
    /* Nothing that could be taken for one. */
    const int64_t handles[] = {0, -1, -EBADF, SIGCFFI_RECEIVERS, 255, readers[0].handle};
    for (size_t i = 0; i < sizeof handles / sizeof *handles; i++) {
        EQUAL(sigcffi_receivers_count(handles[i]), -EBADF);
        EQUAL(sigcffi_receivers_fd(handles[i], false), -EBADF);
        EQUAL(sigcffi_receivers_stop(handles[i]), -EBADF);
        CHECK(!sigcffi_receivers_give_back(handles[i], 0, 1));
    }
    figures("%d receivers", SIGCFFI_RECEIVERS);
}

/* ---- The descriptor ---- */

static struct reader watched;
static _Atomic int next_value;

static void *read_when_polled(void *argument)
{
    int next = 0;
    while (next < *(int *)argument) {
        struct pollfd file = {.fd = sigcffi_receivers_fd(watched.handle, false), .events = POLLIN};
        if (poll(&file, 1, -1) < 0) {
            EQUAL(errno, EINTR);
            continue;
        }
        /* There is one, or it is just being written. */
        bool reserved = atomic_load(&watched.ring[0]) != atomic_load(&watched.ring[1]);
        CHECK(read_some(&watched, 1, see_value, &next) == 1 || reserved);
        atomic_store(&next_value, next);
    }
    return argument;
}

CASE(who_polls_misses_nothing)
{
    int signals = 3000 * SCALE;
    watched = open_reader(64, sigcffi_bit(QUEUED), false);
    sigset_t former = block(QUEUED);
    pthread_t thread = start_thread(read_when_polled, &signals);
    start_takers(1);
    for (int i = 0; i < signals; i++) {
        queue_to(takers[0], QUEUED, i);
        /* Alone, and in twos and threes. */
        while (atomic_load(&next_value) < i - i % 3) breathe();
    }
    join(thread);
    stop_takers();
    CHECK(!is_readable(&watched));
    close_reader(&watched);
    restore(&former);
    figures("%d signals", signals);
}

/* A reader that does not wait for the descriptor may be quicker than the handler that raises it. */
CASE(the_descriptor_is_lowered_when_all_has_been_read)
{
    const int rounds = 2000 * SCALE;
    watched = open_reader(64, sigcffi_bit(QUEUED), false);
    EQUAL(sigcffi_interpose(QUEUED_TOO), 0);
    start_takers(1);
    int next = 0;
    for (int i = 0; i < rounds; i++) {
        queue_to(takers[0], QUEUED, i);
        while (read_some(&watched, 1, see_value, &next) == 0) continue;
        /* Until the taker is through with it: this one it takes after the first. */
        queue_to(takers[0], QUEUED_TOO, i);
        UNTIL(sigcffi_channel_deliveries(QUEUED_TOO) == (uint64_t)i + 1);
        CHECK(!is_readable(&watched));
    }
    stop_takers();
    close_reader(&watched);
    figures("%d rounds", rounds);
}

/* ---- Sleepers ---- */

static _Atomic int slept;
static int sleeping_cell;
static int64_t sleeping_flag;

static void *sleep_for_both(void *argument)
{
    int next = 0;
    for (int i = 0; i < *(int *)argument; i++) {
        while (read_some(&watched, 1, see_value, &next) == 0)
            sigcffi_sleep_until_received(watched.handle, sigcffi_trampoline_arrivals(), -1);
        atomic_fetch_add(&slept, 1);
        _Atomic int *cell = (_Atomic int *)sigcffi_flags_cell(sleeping_cell);
        while (atomic_load(cell) == 0)
            sigcffi_sleep_until_set(QUEUED_TOO, sleeping_flag, sigcffi_trampoline_arrivals(), -1);
        atomic_store(cell, 0);
        atomic_fetch_add(&slept, 1);
    }
    return argument;
}

CASE(nobody_sleeps_through_what_is_waited_for)
{
    int rounds = 2000 * SCALE;
    watched = open_reader(64, sigcffi_bit(QUEUED), false);
    sleeping_cell = sigcffi_flags_new();
    sleeping_flag =
        sigcffi_attachments_attach(QUEUED_TOO, SIGCFFI_SLOT_FLAG, 0, sleeping_cell, 0, true);
    CHECK(sleeping_flag > 0);
    pthread_t thread = start_thread(sleep_for_both, &rounds);
    start_takers(1);
    for (int i = 0; i < rounds; i++) {
        queue_to(takers[0], QUEUED, i);
        while (atomic_load(&slept) < 2 * i + 1) sched_yield();
        queue_to(takers[0], QUEUED_TOO, i);
        while (atomic_load(&slept) < 2 * i + 2) sched_yield();
    }
    join(thread);
    stop_takers();
    EQUAL(sigcffi_sleep_until_received(watched.handle, sigcffi_trampoline_arrivals(), 1),
          -ETIMEDOUT);
    EQUAL(sigcffi_sleep_until_received(watched.handle, sigcffi_trampoline_arrivals() - 1, -1),
          -EINTR);
    EQUAL(sigcffi_sleep_until_set(QUEUED_TOO, sleeping_flag, sigcffi_trampoline_arrivals(), 0),
          -ETIMEDOUT);
    close_reader(&watched);
    figures("%d rounds, 2 ways", rounds);
}
