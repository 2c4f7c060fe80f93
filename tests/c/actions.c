/* Actions: what is attached is taken, at once and for each delivery, and never after it was
 * detached.
 *
 * Law: what ends the process does so in a child of the case.
 */
#include "harness.h"
#include "ring.h"

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>

enum { NEVER = INT_MAX }; /* a delivery that does not come */

static int64_t attach(int signum, int kind, int number, int cell, int from)
{
    int64_t handle = sigcffi_attachments_attach(signum, kind, number, cell, from, true);
    CHECK(handle > 0);
    return handle;
}

static int new_cell(void)
{
    int cell = sigcffi_flags_new();
    CHECK(cell >= 0);
    return cell;
}

/* No more than that: what others do with the int is their business. */
static _Atomic int *at(int cell)
{
    return (_Atomic int *)sigcffi_flags_cell(cell);
}

static int read_all(int fd)
{
    char bytes[64];
    int all = 0;
    for (ssize_t got; (got = read(fd, bytes, sizeof bytes)) > 0;) all += (int)got;
    return all;
}

/* ---- Detaching ---- */

static const int rounds_of_thread = TSAN || ASAN ? 100 : 1000;
static _Atomic long long actions_taken;

static void a_flag(void)
{
    int cell = new_cell();
    int64_t handle = attach(QUEUED, SIGCFFI_SLOT_FLAG, 0, cell, 0);
    sched_yield();
    atomic_fetch_add(&actions_taken, sigcffi_attachments_detach(QUEUED, handle).count);
    atomic_store(at(cell), 0);
    breathe();
    EQUAL(atomic_load(at(cell)), 0);
    sigcffi_flags_free(cell);
}

static void a_write(void)
{
    int ends[2];
    open_pipe(ends);
    int64_t handle = attach(QUEUED, SIGCFFI_SLOT_WRITE, ends[1], -1, 0);
    sched_yield();
    sigcffi_tally tally = sigcffi_attachments_detach(QUEUED, handle);
    EQUAL(read_all(ends[0]), tally.count - tally.missed);
    atomic_fetch_add(&actions_taken, tally.count);
    breathe();
    EQUAL(read_all(ends[0]), 0);
    for (int end = 0; end < 2; end++) MUST(close(ends[end]));
}

/* The condition comes true when it is too late. */
static void an_end(int kind)
{
    int cell = new_cell();
    int64_t handle = attach(QUEUED, kind, 7, cell, 0);
    sched_yield();
    CHECK(sigcffi_attachments_detach(QUEUED, handle).count >= 0);
    atomic_store(at(cell), 1);
    breathe();
    sigcffi_flags_free(cell);
}

static void a_way_out(void)
{
    int64_t handle = attach(QUEUED, SIGCFFI_SLOT_FORCE_QUIT, 0, -1, NEVER);
    sched_yield();
    sigcffi_attachments_seen(sigcffi_bit(QUEUED));
    CHECK(sigcffi_attachments_detach(QUEUED, handle).count >= 0);
}

static pid_t idle;

static void a_forward(void)
{
    int64_t handle = attach(QUEUED, SIGCFFI_SLOT_FORWARD, idle, -1, 0);
    sched_yield();
    EQUAL(sigcffi_attachments_detach(QUEUED, handle).missed, 0);
}

static void *attach_all_kinds(void *nothing)
{
    for (int round = 0; round < rounds_of_thread || atomic_load(&actions_taken) == 0; round++)
        switch (round % 6) {
        case 0: a_flag(); break;
        case 1: a_write(); break;
        case 2: an_end(SIGCFFI_SLOT_EXIT); break;
        case 3: an_end(SIGCFFI_SLOT_DEFAULT); break;
        case 4: a_way_out(); break;
        case 5: a_forward(); break;
        }
    return nothing;
}

/* Sends until it is told to stop. */
static atomic_bool flood_stop;

static void *send_until_stopped(void *number)
{
    sigset_t all;
    sigfillset(&all);
    MUST(pthread_sigmask(SIG_SETMASK, &all, NULL));
    for (int i = 0; !atomic_load(&flood_stop); i++) {
        queue_to(takers[i % 2], QUEUED, i);
        if (i % 8 == 0) breathe();
    }
    return number;
}

CASE(what_is_detached_is_taken_no_more)
{
    enum { THREADS = 4, SENDERS = 2 };
    pthread_t threads[THREADS], senders[SENDERS];
    register_signal(QUEUED);
    start_takers(2);
    CHECK((idle = fork()) >= 0);
    if (idle == 0) {
        install(QUEUED, SIG_IGN, 0);
        for (;;) pause();
    }
    for (int i = 0; i < SENDERS; i++) senders[i] = start_thread(send_until_stopped, NULL);
    for (int i = 0; i < THREADS; i++) threads[i] = start_thread(attach_all_kinds, NULL);
    for (int i = 0; i < THREADS; i++) join(threads[i]);
    atomic_store(&flood_stop, true);
    for (int i = 0; i < SENDERS; i++) join(senders[i]);
    stop_takers();
    MUST(kill(idle, SIGKILL));
    EQUAL(waitpid(idle, NULL, 0), idle);
    figures("%d rounds, 6 kinds, %lld actions, %lld deliveries", THREADS * rounds_of_thread,
            (long long)atomic_load(&actions_taken), (long long)sigcffi_channel_deliveries(QUEUED));
}

/* The child's parent was interrupted in the midst of a change. */
static void check_table_of_child(void)
{
    int64_t handles[SIGCFFI_SLOTS];
    for (int i = 0; i < SIGCFFI_SLOTS; i++) handles[i] = attach_counter(STANDARD);
    uint64_t before = sigcffi_channel_deliveries(STANDARD);
    MUST(raise(STANDARD));
    UNTIL(sigcffi_channel_deliveries(STANDARD) == before + 1);
    for (int i = 0; i < SIGCFFI_SLOTS; i++)
        EQUAL(sigcffi_attachments_detach(STANDARD, handles[i]).count, 1);
}

static struct sigcffi_record records[16];
static _Atomic int handler_forks;

static void fork_in_handler(int signum)
{
    pid_t pid = fork();
    CHECK(pid >= 0);
    if (pid > 0) {
        wait_for(pid);
        atomic_fetch_add(&handler_forks, 1);
    }
    (void)signum;
}

static const int fork_count = 150 * SCALE;

static void *provoke_forks(void *target)
{
    for (int i = 0; i < fork_count; i++) {
        queue_to(*(pthread_t *)target, QUEUED, i);
        UNTIL(atomic_load(&handler_forks) > i);
    }
    return target;
}

/* The child goes on with what its parent was doing, and finds its receivers gone. */
CASE(a_process_may_fork_while_an_order_changes)
{
    if (TSAN) skip("ThreadSanitizer's own fork() takes locks that the handler interrupts");
    install(QUEUED, fork_in_handler, 0);
    EQUAL(sigcffi_interpose(QUEUED), 0);
    pthread_t main_thread = pthread_self();
    sigset_t former = block(QUEUED);
    pthread_t provoking = start_thread(provoke_forks, &main_thread);
    const pid_t parent = getpid(); /* before the first signal: its child goes on from there */
    restore(&former);
    while (atomic_load(&handler_forks) < fork_count) {
        memset(records, 0, sizeof records);
        int64_t receiver = sigcffi_receivers_open(records, 16, sigcffi_bit(STANDARD), true, false);
        int64_t counter = attach_counter(STANDARD);
        int64_t count = sigcffi_attachments_detach(STANDARD, counter).count;
        int stopped = sigcffi_receivers_stop(receiver);
        sigcffi_receivers_close(receiver);
        if (getpid() != parent) {
            check_table_of_child();
            _exit(0);
        }
        EQUAL(count, 0);
        EQUAL(stopped, 0);
    }
    join(provoking);
    figures("%d forks", (int)atomic_load(&handler_forks));
}

/* ---- Order, flags, writing, forwarding ---- */

/* The flag that comes first is set for the exit that comes after it, and not the other way round.
 */
static void exit_behind_its_flag(void)
{
    int cell = new_cell();
    attach(STANDARD, SIGCFFI_SLOT_FLAG, 0, cell, 0);
    attach(STANDARD, SIGCFFI_SLOT_EXIT, 3, cell, 0);
    MUST(raise(STANDARD));
    for (;;) breathe();
}

static void exit_before_its_flag(void)
{
    int cell = new_cell();
    int64_t gone = attach(STANDARD, SIGCFFI_SLOT_EXIT, 5, cell, 0);
    attach(STANDARD, SIGCFFI_SLOT_EXIT, 4, cell, 0);
    attach(STANDARD, SIGCFFI_SLOT_FLAG, 0, cell, 0);
    /* In a place that has become free, but behind. */
    EQUAL(sigcffi_attachments_detach(STANDARD, gone).count, 0);
    attach(STANDARD, SIGCFFI_SLOT_EXIT, 6, cell, 0);
    MUST(raise(STANDARD));
    for (;;) breathe();
}

static void exit_from_the_third_on(void)
{
    attach(STANDARD, SIGCFFI_SLOT_EXIT, 9, -1, 3);
    for (int i = 0; i < 2; i++) {
        MUST(raise(STANDARD));
        UNTIL(sigcffi_channel_deliveries(STANDARD) == (uint64_t)i + 1);
    }
    if (sigcffi_channel_deliveries(STANDARD) != 2) _exit(1);
    MUST(raise(STANDARD));
    for (;;) breathe();
}

CASE(actions_are_taken_in_the_order_of_attachment)
{
    EQUAL(WEXITSTATUS(status_of_child(exit_behind_its_flag)), 3);
    EQUAL(WEXITSTATUS(status_of_child(exit_before_its_flag)), 6);
    EQUAL(WEXITSTATUS(status_of_child(exit_from_the_third_on)), 9);
    figures("3 orders");
}

/* What is written into cannot block, nor bring SIGPIPE. */
CASE(what_cannot_be_written_is_counted)
{
    install(SIGPIPE, SIG_DFL, 0);
    int ends[2], sockets[2];
    open_pipe(ends);
    EQUAL(sigcffi_attachments_attach(STANDARD, SIGCFFI_SLOT_WRITE, -1, -1, 0, true), -EBADF);
    MUST(fcntl(ends[1], F_SETFL, 0));
    EQUAL(sigcffi_attachments_attach(STANDARD, SIGCFFI_SLOT_WRITE, ends[1], -1, 0, true),
          -EWOULDBLOCK);
    MUST(fcntl(ends[1], F_SETFL, O_NONBLOCK));
    int64_t handle = attach(STANDARD, SIGCFFI_SLOT_WRITE, ends[1], -1, 0);
    send_to_self(STANDARD);
    unsigned char byte = 0;
    EQUAL(read(ends[0], &byte, 1), 1);
    EQUAL(byte, STANDARD);

    char page[4096] = {0};
    while (write(ends[1], page, sizeof page) > 0) continue;
    while (write(ends[1], page, 1) > 0) continue;
    send_to_self(STANDARD); /* full */
    EQUAL(sigcffi_attachments_tally(STANDARD, handle).missed, 1);
    MUST(fcntl(ends[1], F_SETFL, 0));
    send_to_self(STANDARD); /* full, and blocking by now */
    EQUAL(sigcffi_attachments_tally(STANDARD, handle).missed, 2);
    MUST(fcntl(ends[1], F_SETFL, O_NONBLOCK));
    MUST(close(ends[0]));
    send_to_self(STANDARD); /* nobody reads: SIGPIPE would end this */
    EQUAL(sigcffi_attachments_tally(STANDARD, handle).missed, 3);
    EQUAL(sigcffi_masks_sigpending(), 0);
    /* One that somebody else has sent is his. */
    sigset_t former = block(SIGPIPE);
    MUST(raise(SIGPIPE));
    send_to_self(STANDARD);
    EQUAL((long long)sigcffi_masks_sigpending(), (long long)sigcffi_bit(SIGPIPE));
    EQUAL(sigcffi_waits_accept(sigcffi_bit(SIGPIPE), 0, NULL), SIGPIPE);
    restore(&former);
    sigcffi_tally tally = sigcffi_attachments_detach(STANDARD, handle);
    EQUAL(tally.count, 5);
    EQUAL(tally.missed, 4);

    /* A socket may be a blocking one. */
    MUST(socketpair(AF_UNIX, SOCK_STREAM, 0, sockets));
    handle = attach(STANDARD, SIGCFFI_SLOT_WRITE, sockets[1], -1, 0);
    send_to_self(STANDARD);
    EQUAL(read(sockets[0], &byte, 1), 1);
    while (send(sockets[1], page, sizeof page, MSG_DONTWAIT) > 0) continue;
    while (send(sockets[1], page, 1, MSG_DONTWAIT) > 0) continue;
    send_to_self(STANDARD);
    EQUAL(sigcffi_attachments_tally(STANDARD, handle).missed, 1);
    MUST(close(sockets[0]));
    send_to_self(STANDARD);
    tally = sigcffi_attachments_detach(STANDARD, handle);
    EQUAL(tally.count, 3);
    EQUAL(tally.missed, 2);
    figures("full, without a reader, blocking");
}

/* In children: the first sends on to the second what it gets, the second back. */
static _Atomic pid_t *shared_pids;
static _Atomic int *turns;

static void forward_to_the_other(int self)
{
    int64_t handle;
    atomic_store(&shared_pids[self], getpid());
    UNTIL(atomic_load(&shared_pids[!self]) != 0);
    handle = attach(QUEUED, SIGCFFI_SLOT_FORWARD, atomic_load(&shared_pids[!self]), -1, 0);
    atomic_fetch_add(&turns[0], 1);
    for (;;) {
        atomic_store(&turns[1 + self], (int)sigcffi_attachments_tally(QUEUED, handle).count);
        breathe();
    }
}

CASE(what_comes_from_where_it_would_go_is_not_forwarded)
{
    void *shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CHECK(shared != MAP_FAILED);
    shared_pids = shared;
    turns = (_Atomic int *)shared + 16;
    pid_t pids[2];
    for (int i = 0; i < 2; i++) {
        CHECK((pids[i] = fork()) >= 0);
        if (pids[i] == 0) forward_to_the_other(i);
    }
    UNTIL(atomic_load(&turns[0]) == 2);
    const int signals = 20;
    /* Each comes to the one and from it to the other, and there it ends. */
    for (int i = 0; i < signals; i++) {
        SEND(sigcffi_sending_sigqueue(pids[0], QUEUED, i));
        UNTIL(atomic_load(&turns[1]) > i && atomic_load(&turns[2]) > i);
    }
    SEND(sigcffi_sending_sigqueue(pids[1], QUEUED, signals));
    UNTIL(atomic_load(&turns[1]) >= signals + 1 && atomic_load(&turns[2]) >= signals + 1);
    for (int i = 0; i < 100; i++) breathe();
    EQUAL(atomic_load(&turns[1]), signals + 1);
    EQUAL(atomic_load(&turns[2]), signals + 1);
    for (int i = 0; i < 2; i++) {
        MUST(kill(pids[i], SIGKILL));
        EQUAL(waitpid(pids[i], NULL, 0), pids[i]);
    }

    /* A group that we are part of gets it once. */
    int64_t handle = attach(STANDARD, SIGCFFI_SLOT_FORWARD, -getpgrp(), -1, 0);
    pid_t pid = fork();
    CHECK(pid >= 0);
    if (pid == 0) {
        MUST(setpgid(0, 0));
        MUST(kill(getppid(), STANDARD));
        _exit(0);
    }
    EQUAL(waitpid(pid, NULL, 0), pid);
    UNTIL(sigcffi_channel_deliveries(STANDARD) == 2);
    for (int i = 0; i < 100; i++) breathe();
    EQUAL(sigcffi_channel_deliveries(STANDARD), 2);
    EQUAL(sigcffi_attachments_detach(STANDARD, handle).missed, 0);

    /* One that has ended is nobody else. */
    CHECK((pid = fork()) >= 0);
    if (pid == 0) {
        for (;;) pause();
    }
    handle = attach(STANDARD, SIGCFFI_SLOT_FORWARD, pid, -1, 0);
    MUST(kill(pid, SIGKILL));
    EQUAL(waitpid(pid, NULL, 0), pid);
    send_to_self(STANDARD);
    EQUAL(sigcffi_attachments_detach(STANDARD, handle).missed, 1);
    EQUAL(sigcffi_attachments_attach(STANDARD, SIGCFFI_SLOT_FORWARD, pid, -1, 0, true), -ESRCH);
    figures("%d signals, 2 processes, 1 group", signals);
}
