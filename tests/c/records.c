/* The ring under load: what signals carry reaches a reader in the main thread.
 *
 * Law: the reader knows what the one in Python knows: the layout in ring.h, the words in state.h,
 * and sigcffi_memory(). It gives back each record at once; nothing else here touches that memory.
 */
#include "harness.h"
#include "state.h"

#include <sched.h>
#include <stdlib.h>
#include <sys/wait.h>

/* ---- The reader ---- */

static uint64_t tail; /* the number of the next record */

static _Atomic uint64_t *word(int index)
{
    return (_Atomic uint64_t *)sigcffi_memory() + index;
}

/* Whether there was a record. */
static bool read_record(struct sigcffi_record *record)
{
    size_t offset =
        SIGCFFI_WORDS * sizeof(uint64_t) + (size_t)(tail % SIGCFFI_CAPACITY) * SIGCFFI_RECORD_SIZE;
    if (sigcffi_sequence(offset) != tail + 1) return false;
    /* No memcpy(): where GCC writes its own code for that, ThreadSanitizer does not see it. */
    *record = *(struct sigcffi_record *)(void *)((char *)sigcffi_memory() + offset);
    EQUAL((long long)record->sequence, (long long)++tail);
    atomic_store(word(SIGCFFI_WORD_TAIL), tail);
    return true;
}

static uint64_t waiting_records(void)
{
    return atomic_load(word(SIGCFFI_WORD_HEAD)) - tail;
}

static uint64_t pressure(void)
{
    return atomic_load(word(SIGCFFI_WORD_PRESSURE));
}

/* What the interpreter and sigcffi do for a signal with a Python handler. */
static void dispatch(int signum)
{
    install(signum, interpreter_handler, SA_ONSTACK);
    EQUAL(sigcffi_dispatched(signum, SA_RESTART), 0);
    EQUAL(sigcffi_query(signum), SIGCFFI_PYTHON);
}

/* Signals to the main thread, until that has blocked them. */
static int fill_the_ring(int signum)
{
    int count = 0;
    for (; !pressure(); count++) queue_to(pthread_self(), signum, count);
    CHECK(waiting_records() >= SIGCFFI_HIGH_WATER);
    CHECK(sigcffi_mask_of(&(struct sigaction){.sa_mask = sigcffi_set_of(pressure())}) &
          sigcffi_bit(signum));
    return count;
}

#define NOTHING_IS_BLOCKED_UNDER_TSAN() \
    if (TSAN) skip("ThreadSanitizer lends handlers a copy of the context: they cannot block")

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
    for (int i = 0; i < count; i++) {
        int value = sender << SENDER_SHIFT | i, error;
        while ((error = sigcffi_sigqueue(getppid(), QUEUED, value)) == -EAGAIN) sched_yield();
        EQUAL(error, 0);
    }
}

static void every_value_of_a_flood_is_read_once_and_in_its_senders_order(void)
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
            UNTIL(pressure()); /* nobody reads, and the kernel begins to keep them */
            CHECK(waiting_records() < SIGCFFI_CAPACITY);
            EQUAL(kernel_mask(), sigcffi_bit(QUEUED));
            EQUAL(sigcffi_sigmask(SIG_BLOCK, 0), 0); /* of which the owner sees nothing */
        }
        for (; read_record(&record); records_read++) {
            EQUAL(record.signo, QUEUED);
            EQUAL(record.code, SI_QUEUE);
            check_order(&record);
        }
        if (pressure()) {
            sigcffi_relieve();
            relieved++;
        }
        breathe();
    }
    for (int i = 0; i < SENDERS / 2; i++) {
        join(threads[i]);
        int status;
        while (waitpid(children[i], &status, 0) != children[i]) EQUAL(errno, EINTR);
        EQUAL(status, 0);
    }
    CHECK(relieved > 0);
    EQUAL(waiting_records(), 0);
    EQUAL(sigcffi_dropped(QUEUED), 0);
    EQUAL(sigcffi_offered(), all);
    EQUAL(sigcffi_deliveries(QUEUED), all);
    EQUAL(atomic_load(&calls[QUEUED]), all);
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
static void records_that_threads_write_at_once_are_whole_and_none_overtakes(void)
{
    enum { THREADS = 3 };
    const int each = 6000 * SCALE, all = THREADS * each;
    dispatch(QUEUED);
    start_takers(THREADS);
    struct numbered floods[THREADS];
    pthread_t threads[THREADS];
    sigset_t former = block(QUEUED);
    for (int i = 0; i < THREADS; i++) {
        UNTIL(atomic_load(&taker_tids[i]) != 0);
        floods[i] = (struct numbered){.sender = i, .count = each, .tid = taker_tids[i]};
        threads[i] = start_thread(send_made, &floods[i]);
    }
    restore(&former);
    if (!TSAN) UNTIL(pressure());
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
        if (pressure()) {
            sigcffi_relieve();
            relieved++;
        }
        breathe();
    }
    for (int i = 0; i < THREADS; i++) join(threads[i]);
    stop_takers();
    EQUAL(waiting_records(), 0);
    EQUAL(sigcffi_dropped(QUEUED), 0);
    EQUAL(sigcffi_offered(), all);
    EQUAL(sigcffi_deliveries(QUEUED), all); /* what is passed on is not delivered anew */
    CHECK(TSAN || relieved > 0);
    figures("%d signals, %d threads, relieved %d times", all, THREADS, relieved);
}

/* ---- Passed on ---- */

static int taker_tid;

static void queue_to_parent(void)
{
    EQUAL(sigcffi_sigqueue(getppid(), QUEUED, 4711), 0);
}

static void kill_parent(void)
{
    MUST(kill(getppid(), QUEUED));
}

static void kill_thread_of_parent(void)
{
    MUST(syscall(SYS_tgkill, getppid(), taker_tid, QUEUED));
}

static pid_t child_that(case_function *function)
{
    pid_t pid = fork();
    CHECK(pid >= 0);
    if (pid == 0) {
        function();
        _exit(0);
    }
    return pid;
}

static void wait_for(pid_t pid)
{
    int status;
    while (waitpid(pid, &status, 0) != pid) EQUAL(errno, EINTR);
    EQUAL(status, 0);
}

static struct sigcffi_record next_record(void)
{
    struct sigcffi_record record;
    UNTIL(read_record(&record));
    return record;
}

/* The main thread has blocked the signals, and the ring is so full that others pass them on. */
static void what_a_thread_passes_on_is_unchanged(void)
{
    NOTHING_IS_BLOCKED_UNDER_TSAN();
    const uint32_t sender = SIGCFFI_FIELD_PID | SIGCFFI_FIELD_UID;
    dispatch(QUEUED);
    start_takers(1);
    UNTIL((taker_tid = atomic_load(&taker_tids[0])) != 0);
    int filled = fill_the_ring(QUEUED);
    uint64_t head = atomic_load(word(SIGCFFI_WORD_HEAD)), taken = (uint64_t)filled;

    case_function *const senders[] = {queue_to_parent, kill_parent, kill_thread_of_parent};
    const int codes[] = {SI_QUEUE, SI_USER, SI_TKILL};
    pid_t pids[3];
    for (int i = 0; i < 3; i++) {
        pids[i] = child_that(senders[i]);
        UNTIL(sigcffi_deliveries(QUEUED) == taken + 1);
        taken++;
        wait_for(pids[i]);
    }
    timer_t timer;
    struct sigevent event = {
        .sigev_notify = SIGEV_SIGNAL, .sigev_signo = QUEUED, .sigev_value = {.sival_int = 4712}};
    const struct itimerspec soon = {.it_value = {.tv_nsec = 1}};
    MUST(timer_create(CLOCK_MONOTONIC, &event, &timer));
    MUST(timer_settime(timer, 0, &soon, NULL));
    UNTIL(sigcffi_deliveries(QUEUED) == taken + 1);
    taken++;
    /* None of them is in the ring: all wait for the main thread. */
    EQUAL(atomic_load(word(SIGCFFI_WORD_HEAD)), (long long)head);
    CHECK(sigcffi_sigpending() & sigcffi_bit(QUEUED));

    for (int i = 0; i < filled; i++) EQUAL(next_record().value, i);
    EQUAL(waiting_records(), 0);
    sigcffi_relieve();
    for (int i = 0; i < 3; i++) {
        struct sigcffi_record record = next_record();
        EQUAL(record.signo, QUEUED);
        EQUAL(record.code, codes[i]);
        EQUAL(record.fields, i == 0 ? sender | SIGCFFI_FIELD_VALUE : sender);
        EQUAL(record.pid, pids[i]);
        EQUAL(record.uid, getuid());
        if (i == 0) EQUAL(record.value, 4711);
    }
    struct sigcffi_record record = next_record();
    EQUAL(record.code, SI_TIMER);
    EQUAL(record.fields, SIGCFFI_FIELD_TIMERID | SIGCFFI_FIELD_OVERRUN | SIGCFFI_FIELD_VALUE);
    EQUAL(record.value, 4712);
    EQUAL(record.timerid, (int)(intptr_t)timer);
    EQUAL(record.overrun, 0);
    MUST(timer_delete(timer));

    /* So is one that a wait accepts instead of a handler. */
    filled = fill_the_ring(QUEUED);
    taken = sigcffi_deliveries(QUEUED);
    pid_t pid = child_that(kill_parent);
    UNTIL(sigcffi_deliveries(QUEUED) == taken + 1);
    wait_for(pid);
    while (sigcffi_accept(sigcffi_bit(QUEUED), -1, &record) == -EINTR) {
    }
    EQUAL(record.signo, QUEUED);
    EQUAL(record.code, SI_USER);
    EQUAL(record.pid, pid);
    for (int i = 0; i < filled; i++) EQUAL(next_record().value, i);
    sigcffi_relieve();
    /* Nothing is under way any more, and threads record for themselves. */
    head = atomic_load(word(SIGCFFI_WORD_HEAD));
    sigset_t former = block(QUEUED);
    queue_to(takers[0], QUEUED, 1);
    UNTIL(atomic_load(word(SIGCFFI_WORD_HEAD)) == head + 1);
    restore(&former);
    EQUAL(next_record().value, 1);
    EQUAL(sigcffi_dropped(QUEUED), 0);
    stop_takers();
    figures("SI_QUEUE, SI_USER, SI_TKILL, SI_TIMER");
}

static void send_standard_to_taker(void)
{
    uint64_t before = sigcffi_deliveries(STANDARD);
    MUST(syscall(SYS_tgkill, getpid(), taker_tid, STANDARD));
    UNTIL(sigcffi_deliveries(STANDARD) > before);
    /* Until the taker is through with it: this one it takes after the first. */
    before = sigcffi_deliveries(QUEUED_TOO);
    queue_to(takers[0], QUEUED_TOO, 0);
    UNTIL(sigcffi_deliveries(QUEUED_TOO) > before);
}

/* Standard signals merge, on the way to the main thread too, but only with one that nobody has
 * seen.
 */
static void a_standard_signal_that_is_passed_on_is_recorded_after_it_was_sent(void)
{
    NOTHING_IS_BLOCKED_UNDER_TSAN();
    dispatch(QUEUED);
    dispatch(STANDARD);
    EQUAL(sigcffi_interpose(QUEUED_TOO), 0); /* not recorded */
    start_takers(1);
    UNTIL((taker_tid = atomic_load(&taker_tids[0])) != 0);
    fill_the_ring(QUEUED);
    struct sigcffi_record record;
    while (read_record(&record)) EQUAL(record.signo, QUEUED);
    /* The first is recorded and read, but the note of it still waits. */
    send_standard_to_taker();
    EQUAL(next_record().signo, STANDARD);
    CHECK(sigcffi_sigpending() & sigcffi_bit(STANDARD));
    for (int i = 0; i < SIGCFFI_HIGH_WATER; i++) {
        queue_to(takers[0], QUEUED, i);
        UNTIL(waiting_records() == (uint64_t)i + 1);
    }
    /* The second is passed on, and the kernel has one of that number already. */
    send_standard_to_taker();
    EQUAL(waiting_records(), SIGCFFI_HIGH_WATER);
    for (int i = 0; i < SIGCFFI_HIGH_WATER; i++) EQUAL(next_record().signo, QUEUED);
    sigcffi_relieve();
    EQUAL(next_record().signo, STANDARD);
    while (pressure()) sigcffi_relieve();
    EQUAL(waiting_records(), 0);
    EQUAL(sigcffi_deliveries(STANDARD), 2);

    /* The same where the kernel has no memory for the siginfo. */
    fill_the_ring(QUEUED);
    limit_queue(0);
    MUST(syscall(SYS_tgkill, getpid(), taker_tid, STANDARD));
    UNTIL(sigcffi_deliveries(STANDARD) == 3);
    while (!(sigcffi_sigpending() & sigcffi_bit(STANDARD))) breathe();
    while (read_record(&record)) EQUAL(record.signo, QUEUED);
    sigcffi_relieve();
    EQUAL(next_record().signo, STANDARD);
    EQUAL(sigcffi_deliveries(STANDARD), 3); /* it was one delivery */
    limit_queue(RLIM_INFINITY);
    stop_takers();
    figures("merged with a note, bare");
}

/* What the main thread has blocked by itself another thread records as long as there is room. */
static void a_signal_that_the_main_thread_blocks_is_not_passed_on_to_it(void)
{
    dispatch(QUEUED);
    start_takers(1);
    sigset_t former = block(QUEUED);
    for (int i = 0; i < SIGCFFI_BRIM; i++) {
        queue_to(takers[0], QUEUED, i);
        UNTIL(waiting_records() == (uint64_t)i + 1);
    }
    EQUAL(sigcffi_sigpending(), 0);
    for (int i = 0; i < SIGCFFI_BRIM; i++) EQUAL(next_record().value, i);
    restore(&former);
    stop_takers();
    figures("%d signals", SIGCFFI_BRIM);
}

/* ---- Full ---- */

static atomic_bool gates[2];
static _Atomic int at_gates, through_gates;

static void *take_behind_its_gate(void *gate)
{
    sigset_t all, none;
    sigfillset(&all);
    sigemptyset(&none);
    MUST(pthread_sigmask(SIG_SETMASK, &all, NULL));
    atomic_fetch_add(&at_gates, 1);
    while (!atomic_load((atomic_bool *)gate)) breathe();
    while (sigcffi_sigpending() & sigcffi_bit(QUEUED)) sigsuspend(&none);
    atomic_fetch_add(&through_gates, 1);
    return NULL;
}

static void check_account(uint64_t delivered, uint64_t passed_on, uint64_t dropped)
{
    EQUAL(sigcffi_deliveries(QUEUED), delivered);
    EQUAL(sigcffi_dropped(QUEUED), dropped);
    EQUAL(delivered, tail + waiting_records() + dropped + passed_on);
    EQUAL(sigcffi_offered(), delivered - passed_on);
}

static void what_neither_ring_nor_kernel_can_hold_is_counted(void)
{
    NOTHING_IS_BLOCKED_UNDER_TSAN();
    const int first = SIGCFFI_HIGH_WATER + 100, second = 300;
    dispatch(QUEUED);
    /* One thread, then many: each waits a little for every signal that it has to drop. */
    enum { THREADS = 11 };
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++)
        threads[i] = start_thread(take_behind_its_gate, &gates[i > 0]);
    UNTIL(atomic_load(&at_gates) == THREADS);
    for (int i = 0; i < first + second; i++)
        queue_to(threads[i < first ? 0 : 1 + i % (THREADS - 1)], QUEUED, i);

    atomic_store(&gates[0], true);
    UNTIL(atomic_load(&through_gates) == 1 && pressure());
    /* Some were passed on and have come, since nothing was blocked yet; the rest waits. */
    const int passed_on = first - (int)waiting_records();
    CHECK(passed_on > 0 && waiting_records() > SIGCFFI_HIGH_WATER);
    check_account((uint64_t)first, (uint64_t)passed_on, 0);

    limit_queue(0);
    atomic_store(&gates[1], true);
    for (int i = 0; i < THREADS; i++) join(threads[i]);
    const int dropped = first + second - passed_on - SIGCFFI_CAPACITY;
    CHECK(dropped > 0);
    EQUAL(waiting_records(), SIGCFFI_CAPACITY);
    check_account((uint64_t)(first + second), (uint64_t)passed_on, (uint64_t)dropped);

    limit_queue(RLIM_INFINITY);
    char seen[SIGCFFI_CAPACITY * 2] = {0};
    for (int left = SIGCFFI_CAPACITY; left > 0; left--) CHECK(!seen[next_record().value]++);
    check_account((uint64_t)(first + second), (uint64_t)passed_on, (uint64_t)dropped);
    sigcffi_relieve();
    for (int left = passed_on; left > 0; left--) CHECK(!seen[next_record().value]++);
    EQUAL(waiting_records(), 0);
    check_account((uint64_t)(first + second), 0, (uint64_t)dropped);
    figures("%d delivered, %d recorded, %d passed on, %d dropped", first + second, SIGCFFI_CAPACITY,
            passed_on, dropped);
}

/* ---- fork ---- */

/* The linker sends the reading of the clock here: the moment at which a record is being written. */
int __real_clock_gettime(clockid_t clock, struct timespec *now);
int __wrap_clock_gettime(clockid_t clock, struct timespec *now);
static pthread_t slow_writer;
static atomic_bool writer_is_slow, writing, go_on;

int __wrap_clock_gettime(clockid_t clock, struct timespec *now)
{
    if (atomic_load(&writer_is_slow) && pthread_equal(pthread_self(), slow_writer)) {
        atomic_store(&writing, true);
        while (!atomic_load(&go_on)) sched_yield();
        atomic_store(&writing, false);
    }
    return __real_clock_gettime(clock, now);
}

/* In a forked child, as the dispatcher does. */
static void check_ring_of_child(void)
{
    struct sigcffi_record record;
    tail = atomic_load(word(SIGCFFI_WORD_TAIL));
    EQUAL(waiting_records(), 0);
    CHECK(!read_record(&record));
    EQUAL(sigcffi_offered(), 0);
    EQUAL(pressure(), 0);
    EQUAL(atomic_load(word(SIGCFFI_WORD_RUNNING)), 0);
    long long before = atomic_load(&calls[QUEUED]);
    /* As often as it takes to come round to every place that the parent used. */
    for (int i = 0; i < 2 * SIGCFFI_CAPACITY; i++) {
        queue_to(pthread_self(), QUEUED, i);
        EQUAL(next_record().value, i);
        CHECK(!read_record(&record));
    }
    UNTIL(atomic_load(&calls[QUEUED]) == before + 2 * SIGCFFI_CAPACITY);
    EQUAL(sigcffi_offered(), 2 * SIGCFFI_CAPACITY);
    EQUAL(sigcffi_deliveries(QUEUED), 2 * SIGCFFI_CAPACITY);
    EQUAL(sigcffi_dropped(QUEUED), 0);
    _exit(0);
}

static void a_forked_child_starts_with_an_empty_ring(void)
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
        pid_t pid = child_that(check_ring_of_child);
        atomic_store(&writer_is_slow, false);
        atomic_store(&go_on, true);
        wait_for(pid);
        UNTIL(!atomic_load(&writing));
        /* The parent has lost nothing. */
        if (i % 4) continue;
        while (waiting_records() > 0) next_record();
        EQUAL((long long)tail, 2 * (i + 1));
    }
    stop_takers();
    figures("%d forks", rounds);
}

static pid_t fork_under_pressure;
static uint64_t mask_of_other_thread;

static void check_mask_of_child(void)
{
    EQUAL(kernel_mask(), mask_of_other_thread);
    EQUAL(sigcffi_sigmask(SIG_BLOCK, 0), mask_of_other_thread);
    MUST(sigcffi_sigmask(SIG_SETMASK, 0) == UINT64_MAX);
    check_ring_of_child();
}

static void *fork_beside_the_main_thread(void *argument)
{
    sigset_t mask = sigcffi_set_of(mask_of_other_thread);
    restore(&mask);
    fork_under_pressure = child_that(check_mask_of_child);
    EQUAL(kernel_mask(), mask_of_other_thread);
    return argument;
}

/* Nor what the handlers that run in its parent's main thread keep out. */
static void a_forked_child_does_not_keep_the_pressure(void)
{
    NOTHING_IS_BLOCKED_UNDER_TSAN();
    dispatch(QUEUED);
    dispatch(STANDARD);
    MUST(sigcffi_sigmask(SIG_BLOCK, sigcffi_bit(STANDARD_TOO)));
    fill_the_ring(QUEUED);
    uint64_t blocked = kernel_mask();
    EQUAL(blocked, sigcffi_bit(QUEUED) | sigcffi_bit(STANDARD) | sigcffi_bit(STANDARD_TOO));
    mask_of_other_thread = sigcffi_bit(STANDARD_TOO); /* here this thread's, for the child */
    pid_t pid = child_that(check_mask_of_child);
    wait_for(pid);
    EQUAL(kernel_mask(), blocked);
    CHECK(pressure() != 0);

    /* Another thread's mask is its own: what it has blocked stays blocked in its child. */
    mask_of_other_thread = sigcffi_bit(QUEUED) | sigcffi_bit(STANDARD_TOO);
    atomic_store(word(SIGCFFI_WORD_RUNNING), sigcffi_bit(QUEUED));
    join(start_thread(fork_beside_the_main_thread, NULL));
    wait_for(fork_under_pressure);
    EQUAL(kernel_mask(), blocked);
    atomic_store(word(SIGCFFI_WORD_RUNNING), 0);
    figures("2 threads");
}

#define CASE(name) {#name, name}

const struct test_case record_cases[] = {
    CASE(every_value_of_a_flood_is_read_once_and_in_its_senders_order),
    CASE(records_that_threads_write_at_once_are_whole_and_none_overtakes),
    CASE(what_a_thread_passes_on_is_unchanged),
    CASE(a_standard_signal_that_is_passed_on_is_recorded_after_it_was_sent),
    CASE(a_signal_that_the_main_thread_blocks_is_not_passed_on_to_it),
    CASE(what_neither_ring_nor_kernel_can_hold_is_counted),
    CASE(a_forked_child_starts_with_an_empty_ring),
    CASE(a_forked_child_does_not_keep_the_pressure),
    {NULL, NULL},
};
