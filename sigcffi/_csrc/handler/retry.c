/* Retries: an interpreter that has been called and may have missed it is interrupted again, with
 * exponential back-off.
 *
 * An interpreter without a GIL waits for a lock in two steps: it spins, giving up the processor
 * some forty times, and then parks. A call that comes while the main thread spins marks the signal,
 * but ends no system call; the interpreter does not look at the mark before it parks, and then
 * sleeps until the wait is over. Nothing tells a handler whether it has looked. So a timer sends
 * the main thread SIGURG after 1, 2, 4 ... ms, until one has ended a system call, Python code has
 * begun a wait of ours (calls/waits.c), or there were RETRIES of them.
 *
 * Law: handler context, in the main thread only, but for the preparations. A retry says nothing,
 * and where SIGURG is not handled any more it is ignored: one that comes late, or never, harms
 * nobody.
 *
 * Rejected: retrying wherever a signal comes in vain, with every interpreter. With a GIL the
 * instant between the look and the sleep is that of any program, and a retry may end a system call
 * of C code that did not expect it.
 */
#include "handler.h"

#if SIGCFFI_HAS_POSIX_TIMERS

/* The bound: the last retry comes 16 seconds after the call. Spinning can take a second and more on
 * a machine that has much to do: each time the processor is given up all others have it for
 * milliseconds. */
enum { FIRST_RETRY = 1000000 /* nanoseconds */, RETRIES = 14 };

enum { NONE = -1 };

static _Atomic bool wanted;
static _Atomic int timer = NONE;  /* the kernel's number; it sends SIGURG to the main thread */
static _Atomic int left;          /* retries still to come */
static _Atomic bool left_to_main; /* another thread has called the interpreter */

/* handler context. In so many nanoseconds; 0: not at all. */
static void set_timer(int64_t nanoseconds)
{
    /* As the kernel has it, whatever the width of time_t. */
    const struct {
        int64_t interval_seconds, interval_nanoseconds, seconds, nanoseconds;
    } once = {0, 0, nanoseconds / 1000000000, nanoseconds % 1000000000};
    syscall(SIGCFFI_SYS_TIMER_SETTIME, atomic_load_explicit(&timer, memory_order_relaxed), 0, &once,
            NULL);
}

/* handler context. Whether the signal has ended a system call, so that the interpreter looks. */
static bool has_ended_a_call(void *context)
{
    return SIGCFFI_RESULT_IN((const ucontext_t *)context) == -EINTR;
}

/* handler context, or outside handlers. The interpreter has been called, on the main thread from a
 * handler with this context (null: from an ordinary call, after which it looks). Another thread
 * leaves the rest to the main thread, which it pokes next. relaxed, here and below: nobody but the
 * main thread's handlers, which do not interrupt each other, has to do with `left`. */
void sigcffi_retry_later(void *context)
{
    if (!sigcffi_main_thread_is_current()) {
        atomic_store(&left_to_main, true);
        return;
    }
    if (context == NULL || atomic_load_explicit(&timer, memory_order_relaxed) == NONE) return;
    int before = atomic_load_explicit(&left, memory_order_relaxed);
    int after = has_ended_a_call(context) ? 0 : RETRIES;
    if (before == 0 && after == 0) return; /* nothing is to come */
    /* Also if one seems to be on its way: its signal may have got lost, with SIGURG ignored for a
     * moment, and then nothing would ever be armed again. */
    atomic_store_explicit(&left, after, memory_order_relaxed);
    set_timer(after == 0 ? 0 : FIRST_RETRY);
}

/* handler context, or outside handlers; the main thread, as it looks around. */
void sigcffi_retry_take_over(void *context)
{
    if (atomic_load_explicit(&left_to_main, memory_order_relaxed) &&
        atomic_exchange(&left_to_main, false))
        sigcffi_retry_later(context);
}

/* handler context, on any thread. Whether this is the timer's signal: then see to the next. */
bool sigcffi_retry_expired(const siginfo_t *info, void *context)
{
    if (info == NULL || info->si_code != SI_TIMER || info->si_signo != SIGURG ||
        info->si_timerid != atomic_load_explicit(&timer, memory_order_relaxed))
        return false;
    int rest = atomic_load_explicit(&left, memory_order_relaxed) - 1;
    if (rest < 0) return true; /* it was on its way when another had ended a call */
    if (has_ended_a_call(context)) rest = 0;
    atomic_store_explicit(&left, rest, memory_order_relaxed);
    if (rest > 0) set_timer((int64_t)FIRST_RETRY << (RETRIES - rest));
    return true;
}

/* Lock held. A timer for what is the main thread now; without one, for which the kernel may have no
 * room, it is as if nobody had asked. */
static void make_timer(void)
{
    struct sigevent event;
    int number;
    memset(&event, 0, sizeof event);
    event.sigev_signo = SIGURG;
    event.sigev_notify = SIGEV_THREAD_ID;
    event.sigev_notify_thread_id = atomic_load(&state.main_thread.tid);
    bool made = syscall(SYS_timer_create, CLOCK_MONOTONIC, &event, &number) == 0;
    atomic_store(&timer, made ? number : NONE);
}

/* Outside handlers, called by Python code: the interpreter looks when this returns, and nothing has
 * to be told again. Else a retry would end the wait that comes next, for nothing. */
void sigcffi_retry_no_more(void)
{
    if (!sigcffi_main_thread_is_current()) return;
    if (atomic_load_explicit(&left, memory_order_relaxed) == 0) return;
    /* Actors: this call, and a handler that comes between the two steps and sets the timer. The bad
     * interleaving: its timer stays, and ends the wait. It is forbidden by turning the timer off
     * last: the interpreter looks at that call, too. */
    atomic_store_explicit(&left, 0, memory_order_relaxed);
    set_timer(0);
}

/* Outside handlers, once: the interpreter spins. */
void sigcffi_retry_interpreter_spins(void)
{
    atomic_store(&wanted, true);
}

/* Outside handlers. */
bool sigcffi_retry_is_wanted(void)
{
    return atomic_load(&wanted);
}

/* Lock held. The trampoline is on top of a handler of the interpreter. */
void sigcffi_retry_prepare(void)
{
    if (atomic_load(&timer) == NONE) make_timer();
}

/* Outside handlers. Another thread is the main thread. */
void sigcffi_retry_aim(void)
{
    int former = atomic_load(&timer);
    if (former == NONE) return;
    atomic_store(&left, 0);
    make_timer();
    syscall(SYS_timer_delete, former);
}

/* Lock held, in a forked child, which has none of its parent's timers. */
void sigcffi_retry_after_fork(void)
{
    if (atomic_load(&timer) == NONE) return;
    atomic_store(&left, 0);
    make_timer();
}
#else
void sigcffi_retry_later(void *context)
{
    (void)context;
}

void sigcffi_retry_take_over(void *context)
{
    (void)context;
}

bool sigcffi_retry_expired(const siginfo_t *info, void *context)
{
    (void)info;
    (void)context;
    return false;
}

void sigcffi_retry_no_more(void) {}

void sigcffi_retry_interpreter_spins(void) {}

bool sigcffi_retry_is_wanted(void)
{
    return false;
}

void sigcffi_retry_prepare(void) {}

void sigcffi_retry_aim(void) {}

void sigcffi_retry_after_fork(void) {}
#endif
