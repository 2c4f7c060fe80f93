/* The process: how it starts, and how it forks.
 *
 * Law: the top. It calls the start and the after_fork of each file that has one, and nothing calls
 * it but Python and the C library.
 */
#include "calls/calls.h"

static sigset_t mask_before_fork; /* by the lock's holder */

static void before_fork(void)
{
    sigset_t all, former;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &former);
    /* The lock serialises forks too: there is one place to keep the mask. */
    sigcffi_lock_acquire();
    mask_before_fork = former;
}

static void after_fork_in_parent(void)
{
    sigset_t former = mask_before_fork;
    sigcffi_lock_release();
    pthread_sigmask(SIG_SETMASK, &former, NULL);
}

/* The child is a new process: nothing is pending of what its parent received, and the thread
 * that forked is its main thread. What was installed, attached and deferred stays. */
static void after_fork_in_child(void)
{
    sigcffi_channel_after_fork();
    sigcffi_wake_after_fork();
    sigcffi_interpose_after_fork();
    sigcffi_epoch_after_fork();
    sigcffi_flags_after_fork();
    sigcffi_attachments_after_fork();
    sigcffi_receivers_after_fork();
    sigcffi_sleep_after_fork();
    sigcffi_deadman_after_fork();
    sigcffi_shutdowns_after_fork();
    sigcffi_timers_after_fork();
    sigcffi_backpressure_after_fork();
    uint64_t owners = sigcffi_owner_after_fork(sigcffi_word_of(&mask_before_fork));
    sigset_t mask = sigcffi_set_of(owners | sigcffi_owner_kept_out());
    sigcffi_main_thread_set((unsigned long)pthread_self(), 0);
    sigcffi_retry_after_fork();
    sigcffi_deferral_after_fork();
    sigcffi_lock_release(); /* taken in the parent by the thread that this one is a copy of */
    sigcffi_main_thread_will_mask(SIG_SETMASK, owners);
    pthread_sigmask(SIG_SETMASK, &mask, NULL);
}

static bool is_first_thread(void)
{
#if SIGCFFI_HAS_TGSIGQUEUE
    return syscall(SYS_gettid) == getpid();
#else
    return false;
#endif
}

/* Once, before anything else: 1 if the main thread is known after it, 0 if the caller has to name
 * it. The thread a program starts with is the main thread, unless it embeds an interpreter
 * elsewhere. -EALREADY for a second call, from another interpreter of the same process, which
 * changes nothing.
 */
int sigcffi_process_start(void)
{
    static atomic_flag started = ATOMIC_FLAG_INIT;
    if (atomic_flag_test_and_set(&started)) return -EALREADY;
    sigcffi_trampoline_start();
    int error = pthread_atfork(before_fork, after_fork_in_parent, after_fork_in_child);
    if (error != 0) return -error;
    if (!is_first_thread()) return 0;
    sigcffi_main_thread_set((unsigned long)pthread_self(), 0);
    return 1;
}

/* From here on what this process's descendants leave behind are its children, as they would be
 * those of the first process: until it ends, and its forked children do not inherit it. */
int sigcffi_process_adopt_orphans(void)
{
#if SIGCFFI_HAS_SUBREAPER
    return prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0 ? 0 : -errno;
#else
    return -ENOSYS;
#endif
}
