/* What a process may find around it: a filter that refuses system calls, another thread that has
 * the lock and a lower priority.
 *
 * Law: a filter is for ever, and so a child's; it says EPERM, as those of containers do.
 */
#include "harness.h"
#include "calls/calls.h"

#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#if defined(__linux__) && defined(__has_include)
#if __has_include(<linux/seccomp.h>) && __has_include(<linux/filter.h>)
#include <linux/filter.h>
#include <linux/seccomp.h>
#define HAS_FILTERS 1
#endif
#endif

static void refuse(int number)
{
#ifdef HAS_FILTERS
    struct sock_filter rules[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog filter = {.len = sizeof rules / sizeof *rules, .filter = rules};
    MUST(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
    MUST(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter));
#else
    (void)number;
#endif
}

#ifdef HAS_FILTERS
#define NEEDS_FILTERS()
#else
#define NEEDS_FILTERS() skip("no filters of system calls here")
#endif

/* ---- Pokes ---- */

static void be_held_back_and_told(void)
{
    struct sigcffi_record *records = calloc(16, sizeof *records);
    int64_t receiver = sigcffi_receivers_open(records, 16, sigcffi_bit(QUEUED), false, false);
    CHECK(receiver > 0);
    refuse(SYS_rt_tgsigqueueinfo);
    start_takers(1);
    for (int i = 0; i < 20; i++) SEND(pthread_kill(takers[0], QUEUED));
    UNTIL(mask_of_taker(0) == sigcffi_bit(QUEUED));
    for (int64_t read = 0; read < 20;) {
        int64_t count = sigcffi_receivers_count(receiver);
        if (count > 0)
            CHECK(sigcffi_receivers_give_back(receiver, (uint64_t)read, (uint64_t)count));
        read += count;
        breathe();
    }
    UNTIL(mask_of_taker(0) == 0);
    EQUAL(sigcffi_receivers_dropped(receiver), 0);
    _exit(0);
}

static void call_the_main_thread(void)
{
    register_signal(QUEUED);
    atomic_store(&main_thread_promised, true);
    refuse(SYS_rt_tgsigqueueinfo);
    start_takers(1);
    SEND(pthread_kill(takers[0], QUEUED));
    UNTIL(atomic_load(&calls[QUEUED]) == 1);
    _exit(0);
}

CASE(a_poke_that_is_refused_goes_without_its_mark)
{
    NEEDS_FILTERS();
    NOTHING_IS_BLOCKED_UNDER_TSAN();
    EQUAL(status_of_child(be_held_back_and_told), 0);
    EQUAL(status_of_child(call_the_main_thread), 0);
    figures("to go on, to look around");
}

/* ---- Processes ---- */

static int refused_call;

static void forward_by_number(void)
{
    pid_t other = fork();
    CHECK(other >= 0);
    if (other == 0)
        for (;;) pause();
    refuse(refused_call);
    int64_t handle = sigcffi_attachments_attach(SIGTERM, SIGCFFI_SLOT_FORWARD, other, -1, 0, true);
    CHECK(handle > 0);
    MUST(raise(SIGTERM));
    int status;
    EQUAL(waitpid(other, &status, 0), other);
    EQUAL(WTERMSIG(status), SIGTERM);
    EQUAL(sigcffi_attachments_tally(SIGTERM, handle).missed, 0);
    _exit(0);
}

CASE(forward_does_without_a_hold_where_that_is_refused)
{
    NEEDS_FILTERS();
#if SIGCFFI_HAS_PIDFD
    const int calls_refused[] = {SYS_pidfd_open, SYS_pidfd_send_signal};
    for (int i = 0; i < 2; i++) {
        refused_call = calls_refused[i];
        EQUAL(status_of_child(forward_by_number), 0);
    }
    figures("2 calls");
#endif
}

/* ---- Waiting for a thread of lower priority ---- */

static atomic_bool has_got_there;

static void *ask(void *signum)
{
    atomic_store(&has_got_there, true);
    sigcffi_dispositions_query(*(int *)signum);
    sigcffi_flags_free(sigcffi_flags_new());
    return signum;
}

/* It would not run as long as somebody with a higher one did no more than yield. */
CASE(who_waits_for_the_lock_or_for_a_stop_sleeps)
{
    static int signum = SIGTSTP;
    const uint32_t former = atomic_load(&state.stops);
    for (int stopping = 0; stopping < 2; stopping++) {
        atomic_store(&has_got_there, false);
        if (stopping)
            atomic_store(&state.stops, former | (uint32_t)signum);
        else
            sigcffi_lock_acquire();
        pthread_t thread = start_thread(ask, &signum);
        UNTIL(atomic_load(&has_got_there));
        const long long before = atomic_load(&naps);
        UNTIL(atomic_load(&naps) > before);
        if (stopping)
            atomic_store(&state.stops, former);
        else
            sigcffi_lock_release();
        join(thread);
    }
    figures("both");
}
