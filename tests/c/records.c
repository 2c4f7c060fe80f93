/* The ring under load: what signals carry reaches a reader in the main thread.
 *
 * Law: the reader knows what the one in Python knows: the layout in ring.h, the words in state.h,
 * and sigcffi_channel_memory(). It gives back each record at once; nothing else here touches that
 * memory.
 */
#include "reading.h"

#include <sched.h>
#include <stdlib.h>

/* ---- The reader ---- */

uint64_t tail;

bool read_record(struct sigcffi_record *record)
{
    size_t offset =
        SIGCFFI_WORDS * sizeof(uint64_t) + (size_t)(tail % SIGCFFI_CAPACITY) * SIGCFFI_RECORD_SIZE;
    if (sigcffi_channel_sequence(offset) != tail + 1) return false;
    /* No memcpy(): where GCC writes its own code for that, ThreadSanitizer does not see it. */
    *record = *(struct sigcffi_record *)(void *)((char *)sigcffi_channel_memory() + offset);
    EQUAL((long long)record->sequence, (long long)++tail);
    atomic_store(word(SIGCFFI_WORD_TAIL), tail);
    return true;
}

struct sigcffi_record next_record(void)
{
    struct sigcffi_record record;
    UNTIL(read_record(&record));
    return record;
}

uint64_t waiting_records(void)
{
    return atomic_load(word(SIGCFFI_WORD_HEAD)) - tail;
}

uint64_t backpressure(void)
{
    return atomic_load(word(SIGCFFI_WORD_BACKPRESSURE));
}

void dispatch(int signum)
{
    install(signum, interpreter_handler, SA_ONSTACK);
    EQUAL(sigcffi_dispositions_dispatched(signum, SA_RESTART), 0);
    EQUAL(sigcffi_dispositions_query(signum), SIGCFFI_PYTHON);
}

/* A value tells its sender, and which of that sender's it is. */
enum { SENDERS = 4, SENDER_SHIFT = 24 };

struct numbered {
    int sender, count;
    pthread_t thread; /* the target */
    int tid;          /* and as the kernel knows it */
};

static _Atomic long long records_read;
static _Atomic int next_of[SENDERS];

static void check_order(const struct sigcffi_record *record)
{
    int sender = record->value >> SENDER_SHIFT;
    CHECK(sender >= 0 && sender < SENDERS);
    EQUAL(record->value & ((1 << SENDER_SHIFT) - 1), atomic_load(&next_of[sender]));
    atomic_fetch_add(&next_of[sender], 1);
}

/* ---- Floods ---- */

static void *send_numbered(void *argument)
{
    const struct numbered *flood = argument;
    for (int i = 0; i < flood->count; i++)
        queue_to(flood->thread, QUEUED, flood->sender << SENDER_SHIFT | i);
    return NULL;
}

static void send_numbered_to_parent(int sender, int count)
{
    for (int i = 0; i < count; i++)
        SEND(sigcffi_sending_sigqueue(getppid(), QUEUED, sender << SENDER_SHIFT | i));
}

CASE(every_value_of_a_flood_is_read_once_and_in_its_senders_order)
{
    NOTHING_IS_BLOCKED_UNDER_TSAN();
    const int each = 10000 * SCALE, all = SENDERS * each;
    dispatch(QUEUED);
    struct numbered floods[SENDERS];
    pthread_t threads[SENDERS / 2];
    pid_t children[SENDERS / 2];
    sigset_t former = block(QUEUED); /* the senders take none */
    for (int i = 0; i < SENDERS; i++) {
        floods[i] = (struct numbered){.sender = i, .count = each, .thread = pthread_self()};
        if (i < SENDERS / 2) {
            CHECK((children[i] = fork()) >= 0);
            if (children[i] == 0) {
                send_numbered_to_parent(i, each);
                _exit(0);
            }
        }
    }
    for (int i = 0; i < SENDERS / 2; i++)
        threads[i] = start_thread(send_numbered, &floods[SENDERS / 2 + i]);
    restore(&former);

    int relieved = 0;
    while (atomic_load(&records_read) < all) {
        struct sigcffi_record record;
        if (records_read == 0) {
            UNTIL(backpressure()); /* nobody reads, and the kernel begins to keep them */
            CHECK(waiting_records() < SIGCFFI_CAPACITY);
            EQUAL(kernel_mask(), sigcffi_bit(QUEUED));
            EQUAL(sigcffi_masks_sigmask(SIG_BLOCK, 0), 0); /* of which the owner sees nothing */
        }
        for (; read_record(&record); records_read++) {
            EQUAL(record.signo, QUEUED);
            EQUAL(record.code, SI_QUEUE);
            check_order(&record);
        }
        if (backpressure()) {
            sigcffi_resume_main_channel();
            relieved++;
        }
        breathe();
    }
    for (int i = 0; i < SENDERS / 2; i++) {
        join(threads[i]);
        EQUAL(status_of(children[i]), 0);
    }
    CHECK(relieved > 0);
    EQUAL(waiting_records(), 0);
    EQUAL(sigcffi_channel_dropped(QUEUED), 0);
    EQUAL(sigcffi_channel_offered(), all);
    EQUAL(sigcffi_channel_deliveries(QUEUED), all);
    EQUAL(atomic_load(&heard[QUEUED]), all);
    EQUAL(kernel_mask(), 0);
    figures("%d signals, %d senders, relieved %d times", all, SENDERS, relieved);
}

/* Everything in it follows from its value, and so does every other member that is kept. */
static siginfo_t made_of(int value)
{
    siginfo_t info;
    memset(&info, 0, sizeof info);
    info.si_signo = QUEUED;
    info.si_code = SI_QUEUE;
    info.si_errno = value ^ 0x55555555;
    info.si_pid = value * 7;
    info.si_uid = (uid_t)value * 13;
    info.si_value.sival_int = value;
    return info;
}

/* As far ahead of the reader as goes without back-pressure, and much farther where that works. */
enum { AHEAD = TSAN ? SIGCFFI_HIGH_WATER / 2 : 4 * SIGCFFI_CAPACITY };
static _Atomic long long records_sent;

static void *send_made(void *argument)
{
    const struct numbered *flood = argument;
    for (int i = 0; i < flood->count; i++) {
        siginfo_t info = made_of(flood->sender << SENDER_SHIFT | i);
        while (atomic_load(&records_sent) - atomic_load(&records_read) >= AHEAD) sched_yield();
        atomic_fetch_add(&records_sent, 1);
        while (syscall(SYS_rt_tgsigqueueinfo, getpid(), flood->tid, QUEUED, &info) != 0) {
            EQUAL(errno, EAGAIN);
            sched_yield();
        }
    }
    return NULL;
}

/* Each sender has a thread of its own that takes what it sends. */
CASE(records_that_threads_write_at_once_are_whole_and_none_overtakes)
{
    enum { THREADS = 3 };
    const int each = 6000 * SCALE, all = THREADS * each;
    dispatch(QUEUED);
    start_takers(THREADS);
    struct numbered floods[THREADS];
    pthread_t threads[THREADS];
    sigset_t former = block(QUEUED);
    for (int i = 0; i < THREADS; i++) {
        floods[i] = (struct numbered){.sender = i, .count = each, .tid = taker_tids[i]};
        threads[i] = start_thread(send_made, &floods[i]);
    }
    restore(&former);
    if (!TSAN) UNTIL(backpressure());
    int relieved = 0;
    while (atomic_load(&records_read) < all) {
        struct sigcffi_record record;
        for (; read_record(&record); records_read++) {
            siginfo_t expected = made_of(record.value);
            EQUAL(record.signo, QUEUED);
            EQUAL(record.code, SI_QUEUE);
            EQUAL(record.error, expected.si_errno);
            EQUAL(record.fields, SIGCFFI_FIELD_PID | SIGCFFI_FIELD_UID | SIGCFFI_FIELD_VALUE);
            EQUAL(record.pid, expected.si_pid);
            EQUAL(record.uid, expected.si_uid);
            check_order(&record);
        }
        if (backpressure()) {
            sigcffi_resume_main_channel();
            relieved++;
        }
        breathe();
    }
    for (int i = 0; i < THREADS; i++) join(threads[i]);
    stop_takers();
    EQUAL(waiting_records(), 0);
    EQUAL(sigcffi_channel_dropped(QUEUED), 0);
    EQUAL(sigcffi_channel_offered(), all);
    EQUAL(sigcffi_channel_deliveries(QUEUED), all);
    UNTIL(atomic_load(&heard[QUEUED]) == all);
    CHECK(TSAN || relieved > 0);
    figures("%d signals, %d threads, relieved %d times", all, THREADS, relieved);
}

/* ---- Full ---- */

static atomic_bool gate;

/* A signal that interrupts sigsuspend() returns to the mask that was there before it: nothing can
 * be added to that. */
static void *take_one_by_one(void *count)
{
    sigset_t none;
    sigemptyset(&none);
    while (!atomic_load(&gate)) breathe();
    for (int i = 0; i < *(int *)count; i++) sigsuspend(&none);
    return count;
}

CASE(what_neither_ring_nor_kernel_can_hold_is_counted)
{
    int all = SIGCFFI_CAPACITY + 300;
    dispatch(QUEUED);
    sigset_t former = block(QUEUED);
    pthread_t thread = start_thread(take_one_by_one, &all);
    for (int i = 0; i < all; i++) queue_to(thread, QUEUED, i);
    atomic_store(&gate, true);
    join(thread);
    EQUAL(waiting_records(), SIGCFFI_CAPACITY);
    EQUAL(threads_listed(), 0);
    for (int i = 0; i < SIGCFFI_CAPACITY; i++) EQUAL(next_record().value, i);
    EQUAL(sigcffi_channel_deliveries(QUEUED), all);
    EQUAL(sigcffi_channel_offered(), all);
    EQUAL(sigcffi_channel_dropped(QUEUED), all - SIGCFFI_CAPACITY);
    UNTIL(atomic_load(&heard[QUEUED]) == all);
    restore(&former);
    figures("%d delivered, %d recorded", all, SIGCFFI_CAPACITY);
}

/* ---- fork ---- */

/* The linker sends the reading of the clock here: the moment at which a record is being written. */
int __real_clock_gettime(clockid_t clock, struct timespec *now);
int __wrap_clock_gettime(clockid_t clock, struct timespec *now);
pthread_t slow_writer;
atomic_bool writer_is_slow, writing, go_on;
_Atomic int64_t time_shown; /* messages.c */

int __wrap_clock_gettime(clockid_t clock, struct timespec *now)
{
    if (atomic_load(&writer_is_slow) && pthread_equal(pthread_self(), slow_writer)) {
        atomic_store(&writing, true);
        while (!atomic_load(&go_on)) sched_yield();
        atomic_store(&writing, false);
    }
    int64_t shown = atomic_load(&time_shown);
    if (clock != CLOCK_REALTIME || shown == 0) return __real_clock_gettime(clock, now);
    *now = (struct timespec){.tv_sec = (time_t)shown, .tv_nsec = 7000};
    return 0;
}

void check_ring_of_child(void)
{
    struct sigcffi_record record;
    tail = atomic_load(word(SIGCFFI_WORD_TAIL));
    EQUAL(waiting_records(), 0);
    CHECK(!read_record(&record));
    EQUAL(sigcffi_channel_offered(), 0);
    EQUAL(backpressure(), 0);
    EQUAL(atomic_load(word(SIGCFFI_WORD_RUNNING)), 0);
    long long before = atomic_load(&calls[QUEUED]);
    /* As often as it takes to come round to every place that the parent used. */
    for (int i = 0; i < 2 * SIGCFFI_CAPACITY; i++) {
        queue_to(pthread_self(), QUEUED, i);
        EQUAL(next_record().value, i);
        CHECK(!read_record(&record));
    }
    UNTIL(atomic_load(&calls[QUEUED]) == before + 2 * SIGCFFI_CAPACITY);
    EQUAL(sigcffi_channel_offered(), 2 * SIGCFFI_CAPACITY);
    EQUAL(sigcffi_channel_deliveries(QUEUED), 2 * SIGCFFI_CAPACITY);
    EQUAL(sigcffi_channel_dropped(QUEUED), 0);
    _exit(0);
}

CASE(a_forked_child_starts_with_an_empty_ring)
{
    const int rounds = 50 * SCALE;
    dispatch(QUEUED);
    start_takers(2);
    slow_writer = takers[0];
    for (int i = 0; i < rounds; i++) {
        uint64_t before = waiting_records();
        atomic_store(&go_on, false);
        atomic_store(&writer_is_slow, true);
        queue_to(takers[1], QUEUED, 2 * i);
        UNTIL(waiting_records() == before + 1);
        queue_to(takers[0], QUEUED, 2 * i + 1);
        UNTIL(atomic_load(&writing));
        EQUAL(waiting_records(), before + 2); /* the second is not there yet */
        pid_t pid = start_child(check_ring_of_child);
        atomic_store(&writer_is_slow, false);
        atomic_store(&go_on, true);
        EQUAL(status_of(pid), 0);
        UNTIL(!atomic_load(&writing));
        /* The parent has lost nothing. */
        if (i % 4) continue;
        while (waiting_records() > 0) next_record();
        EQUAL((long long)tail, 2 * (i + 1));
    }
    stop_takers();
    figures("%d forks", rounds);
}
