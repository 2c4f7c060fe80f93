/* The trampoline: the one C handler that sigcffi puts between the kernel and a base.
 *
 * Law: this file owns every byte of state that a signal handler reads. The state is static;
 * handler context reads and writes it through atomics only, everything else changes it under
 * the lock (which handler context never takes). A delivery goes one way:
 *
 *     trampoline -> slots -> base
 *
 * The base is whatever was there before: a foreign C handler is called at once on the thread
 * the kernel chose; the interpreter's handler is called on the main thread only.
 *
 * Owing. A call to the interpreter's handler that is due is first written down in `owed` and
 * then settled, by the main thread. Settling takes the whole sum at once, so whoever comes
 * first settles for all and a late-comer finds nothing: no call is made twice, none is
 * forgotten. Three different things reduce to this one: a delivery on the main thread (owe,
 * settle), a delivery on another thread (owe, send the main thread a note; the note settles)
 * and a deferred signal (owe; lifting the deferral settles).
 *
 * Rejected: calling the interpreter's handler on whichever thread the kernel chose. It marks
 * the signal, but the main thread's blocking call is not interrupted, and CPython 3.9-3.12
 * may not look at the mark until its main thread next takes the GIL.
 */
#include "sigcffi.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

typedef void handler_function(int, siginfo_t *, void *);

_Static_assert(NSIG <= 65, "a set of signals must fit in one 64-bit word");
_Static_assert(ATOMIC_LLONG_LOCK_FREE == 2 && ATOMIC_POINTER_LOCK_FREE == 2,
               "a lock in handler context is a deadlock");

/* Handlers are kept as integers: SIG_DFL and SIG_IGN are not functions to be called. */
static _Atomic uintptr_t base[NSIG];      /* what the trampoline calls */
static struct sigaction base_whole[NSIG]; /* the same with flags and mask, to be put back */
static _Atomic uintptr_t interpreter;     /* the interpreter's own C handler, once known */

static _Atomic uint64_t slots[NSIG][SIGCFFI_SLOTS];
static _Atomic uint64_t counts[NSIG][SIGCFFI_SLOTS];
static _Atomic uint64_t deliveries[NSIG];
static _Atomic uint32_t owed[NSIG];
static _Atomic uint64_t deferred;

static _Atomic uintptr_t main_thread; /* pthread_t: comparing it costs nothing */
static _Atomic int main_tid;          /* the same thread as the kernel knows it */

/* While the main thread has blocked all signals on its way to sleep: the mask it will sleep
 * with, and SIGKILL, which no mask contains. Else 0. */
static _Atomic uint64_t main_mask_promised;
static uint64_t trampoline_mask; /* what a handler of ours blocks; set once, at the start */

/* How often this thread has been in the trampoline; written by its own handlers only. */
static SIGCFFI_THREAD_LOCAL volatile unsigned arrivals;

/* The thread that changes the tables, 0 if there is none, and how often over it holds the lock. */
static _Atomic uintptr_t lock_owner;
static unsigned lock_depth;
static sigset_t mask_before_fork; /* by the lock's holder */

static void trampoline(int signum, siginfo_t *info, void *context);

/* Outside handlers. Held for microseconds, and while the process forks.
 *
 * Not a mutex: a foreign handler that interrupts this call may fork, and so come here again by
 * before_fork. A recursive mutex takes two steps to note its owner, and deadlocks if the handler
 * comes between them; one compare-and-swap has no between. acquire and release: who takes the lock
 * sees what the one before has written. */
static void take_lock(void)
{
    uintptr_t self = (uintptr_t)pthread_self(), nobody = 0;
    if (atomic_load_explicit(&lock_owner, memory_order_relaxed) == self) {
        lock_depth++;
        return;
    }
    while (!atomic_compare_exchange_weak_explicit(&lock_owner, &nobody, self, memory_order_acquire,
                                                  memory_order_relaxed)) {
        nobody = 0;
        sched_yield();
    }
}

/* Outside handlers */
static void release_lock(void)
{
    if (lock_depth > 0)
        lock_depth--;
    else
        atomic_store_explicit(&lock_owner, 0, memory_order_release);
}

/* handler context */
static uintptr_t handler_of(const struct sigaction *action)
{
    /* sa_handler and sa_sigaction share their storage on every platform that has both. */
    return (uintptr_t)action->sa_handler;
}

/* handler context */
static bool is_function(uintptr_t handler)
{
    return handler != (uintptr_t)SIG_DFL && handler != (uintptr_t)SIG_IGN;
}

/* handler context */
static void call(uintptr_t handler, int signum, siginfo_t *info, void *context)
{
    /* Three arguments whatever SA_SIGINFO says: every ABI lets a function ignore the rest,
     * and some handlers expect them although they were installed without the flag. */
    ((handler_function *)handler)(signum, info, context);
}

/* ---- The main thread ---- */

/* handler context */
static bool on_main_thread(void)
{
    return (uintptr_t)pthread_self() == atomic_load_explicit(&main_thread, memory_order_relaxed);
}

#if SIGCFFI_HAS_PROC_STATUS
/* handler context. The mask of the main thread, from /proc: the kernel offers no other way to
 * read another thread's mask. Empty if it cannot be told. */
static uint64_t main_mask(void)
{
    static const char head[] = "/proc/self/task/", tail[] = "/status", label[] = "\nSigBlk:\t";
    char path[sizeof head + 10 + sizeof tail], digits[10];
    char *end = path + sizeof head - 1;
    int tid = atomic_load_explicit(&main_tid, memory_order_relaxed), count = 0;
    do digits[count++] = (char)('0' + tid % 10);
    while ((tid /= 10) > 0);
    memcpy(path, head, sizeof head - 1);
    while (count > 0) *end++ = digits[--count];
    memcpy(end, tail, sizeof tail);

    /* Bare system calls: open(), read() and close() are cancellation points, and a thread
     * that is cancelled here leaves a call owed that nobody makes. */
    long fd = syscall(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return 0;
    char chunk[512];
    uint64_t mask = 0;
    size_t matched = 0; /* how much of the label the text before this character matches */
    bool done = false;
    for (ssize_t size; !done && (size = syscall(SYS_read, fd, chunk, sizeof chunk)) > 0;)
        for (ssize_t i = 0; i < size && !done; i++) {
            char c = chunk[i];
            if (matched == sizeof label - 1) {
                if (c >= '0' && c <= '9')
                    mask = mask << 4 | (uint64_t)(c - '0');
                else if (c >= 'a' && c <= 'f')
                    mask = mask << 4 | (uint64_t)(c - 'a' + 10);
                else
                    done = true;
            } else if (c == label[matched]) {
                matched++;
            } else {
                matched = c == label[0];
            }
        }
    syscall(SYS_close, fd);
    return mask;
}

/* handler context. Whether the main thread has blocked `signum`, and not for an instant only.
 *
 * Who blocks every signal mostly does so for the length of a few instructions: the trampoline
 * itself, the lock's holder, fork, and inside the C library pthread_kill(), pthread_create(),
 * posix_spawn(). Were that taken for the main thread's will, it would go to sleep right
 * afterwards without having been interrupted. */
static bool main_thread_blocks(int signum)
{
    for (int tries = 0; tries < 16; tries++) {
        uint64_t mask = main_mask();
        if (!(mask & sigcffi_bit(signum))) return false;
        if (~mask & trampoline_mask) return true;
        uint64_t promised = atomic_load(&main_mask_promised);
        if (promised != 0) return (promised & sigcffi_bit(signum)) != 0;
        sched_yield();
    }
    return true;
}
#else
static bool main_thread_blocks(int signum)
{
    (void)signum;
    return false;
}
#endif

/* A note carries the address of this variable, which no other program can know. */
static const char note_mark;

/* handler context. Interrupt the main thread with `signum`; whether the kernel took it. */
static bool send_note(int signum)
{
#if SIGCFFI_HAS_TGSIGQUEUE
    siginfo_t note;
    memset(&note, 0, sizeof note);
    note.si_signo = signum;
    note.si_code = SI_QUEUE;
    note.si_pid = getpid();
    note.si_uid = getuid();
    note.si_value.sival_ptr = (void *)(uintptr_t)&note_mark;
    /* getpid() is asked, not remembered: a raw fork that ran no atfork handler must not
     * send to its parent. There the call fails and the caller settles on the spot. */
    return syscall(SYS_rt_tgsigqueueinfo, note.si_pid,
                   atomic_load_explicit(&main_tid, memory_order_relaxed), signum, &note) == 0;
#else
    return pthread_kill((pthread_t)atomic_load_explicit(&main_thread, memory_order_relaxed),
                        signum) == 0;
#endif
}

/* handler context. Whether this arrival is a note of ours and not a delivery. */
static bool is_note(int signum, const siginfo_t *info)
{
#if SIGCFFI_HAS_TGSIGQUEUE
    if (info->si_code == SI_QUEUE && info->si_value.sival_ptr == (const void *)&note_mark)
        return true;
    /* When RLIMIT_SIGPENDING is used up the kernel still delivers a standard signal, but
     * bare of its siginfo: SI_USER, process 0. If something is owed it is our note; else
     * somebody else's signal. */
    return info->si_code == SI_USER && info->si_pid == 0 && on_main_thread() &&
           atomic_load(&owed[signum]) != 0;
#else
    (void)info;
    return on_main_thread() && atomic_load(&owed[signum]) != 0;
#endif
}

/* ---- Owing and settling ---- */

/* handler context, or outside handlers. Make every call to the interpreter's handler that is
 * owed for `signum`, unless it is deferred. */
static void settle(int signum, siginfo_t *info, void *context)
{
    if (atomic_load(&deferred) & sigcffi_bit(signum)) return;
    uint32_t due = atomic_exchange(&owed[signum], 0);
    uintptr_t handler = atomic_load_explicit(&interpreter, memory_order_relaxed);
    /* One call for each delivery: the interpreter writes a byte to the wakeup fd for each. */
    for (; due > 0; due--) call(handler, signum, info, context);
}

/* handler context. One more call to the interpreter's handler is due.
 *
 * `owed` and `deferred` are sequentially consistent, the default: a delivery adds to `owed`
 * and then reads `deferred`, while sigcffi_lift clears `deferred` and then reads `owed`. Were
 * a store allowed to pass a load, both could read the old value and the signal would wait for
 * ever. */
static void owe(int signum, siginfo_t *info, void *context)
{
    /* Looked up first: it takes long, and between owing and sending the note somebody else may
     * settle, and a handler that has run then may give the signal back to its default action. */
    uint64_t bit = sigcffi_bit(signum);
    bool here = on_main_thread() || (!(atomic_load(&deferred) & bit) && main_thread_blocks(signum));
    atomic_fetch_add(&owed[signum], 1);
    if (atomic_load(&deferred) & bit) return;
    /* A note for each: one that a sigwait() in the main thread swallowed must not be the last.
     * Where none can be sent, because the main thread has blocked the signal or the queue is
     * used up, settle here: what the interpreter alone would have done. */
    if (here || !send_note(signum)) settle(signum, info, context);
}

/* Outside handlers. A wait has accepted a signal without a handler. If that was a note, it is
 * none of the caller's: settle, and true. */
bool sigcffi_was_note(int signum, siginfo_t *info)
{
    if (!is_note(signum, info)) return false;
    settle(signum, info, NULL);
    return true;
}

/* ---- The trampoline ---- */

/* handler context */
static void run_slots(int signum)
{
    for (int index = 0; index < SIGCFFI_SLOTS; index++) {
        /* acquire: the operand's target was made ready before the slot was stored */
        uint64_t word = atomic_load_explicit(&slots[signum][index], memory_order_acquire);
        switch (word & 0xff) {
        case SIGCFFI_SLOT_EMPTY: break;
        case SIGCFFI_SLOT_COUNTER:
            atomic_fetch_add_explicit(&counts[signum][index], 1, memory_order_relaxed);
            break;
        }
    }
}

/* handler context. Whether the kernel reports that an instruction could not be executed: the
 * thread cannot go on, and a handler "later" would never come. */
static bool is_fault(int signum, const siginfo_t *info)
{
    switch (signum) {
    case SIGBUS:
#if defined(BUS_MCEERR_AO)
        if (info->si_code == BUS_MCEERR_AO) return false; /* a report, not a fault */
#endif
    /* fall through */
    case SIGSEGV:
    case SIGFPE:
    case SIGILL:
    case SIGTRAP: return info->si_code > 0;
    default: return false;
    }
}

/* handler context. The process ends by this signal, as without a handler. */
static void die_of(int signum)
{
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_handler = SIG_DFL;
    sigaction(signum, &action, NULL);
    /* Returning executes the faulting instruction again, now with the true siginfo in the
     * core. After a trap the thread stands behind the instruction: send it once more. */
    if (signum == SIGTRAP) raise(signum);
}

/* handler context: the kernel calls it, on any thread */
static void trampoline(int signum, siginfo_t *info, void *context)
{
    int saved_errno = errno;
    arrivals++;
    if (is_note(signum, info)) {
        settle(signum, info, context);
        errno = saved_errno;
        return;
    }
    atomic_fetch_add_explicit(&deliveries[signum], 1, memory_order_relaxed);
    run_slots(signum);
    /* acquire: pairs with the release in put_on_top */
    uintptr_t handler = atomic_load_explicit(&base[signum], memory_order_acquire);
    /* Before the interpreter's handler is known `interpreter` is 0, and so is SIG_DFL. */
    bool python =
        is_function(handler) && handler == atomic_load_explicit(&interpreter, memory_order_relaxed);
    if (is_function(handler) && !python)
        call(handler, signum, info, context);
    else if (is_fault(signum, info))
        die_of(signum);
    else if (python)
        owe(signum, info, context);
    errno = saved_errno;
}

/* ---- Dispositions: outside handlers ---- */

static bool is_signal(int signum)
{
    return signum >= 1 && signum < NSIG;
}

static bool is_trampoline(const struct sigaction *action)
{
    return handler_of(action) == (uintptr_t)trampoline;
}

/* What the kernel must keep doing for the base while the trampoline stands in its place. */
static const int kept_flags = SA_RESTART | SA_NOCLDSTOP | SA_NOCLDWAIT;

/* Lock held. The kernel has `under` for `signum`; put the trampoline on top of it. */
static int put_on_top(int signum, const struct sigaction *under)
{
    struct sigaction ours, found;
    memset(&ours, 0, sizeof ours);
    ours.sa_sigaction = trampoline;
    ours.sa_flags = SA_SIGINFO | SA_ONSTACK | (under->sa_flags & kept_flags);
    /* No handler interrupts another on the same thread, except for a fault in it. */
    ours.sa_mask = sigcffi_set_of(trampoline_mask);
    /* The base first: the trampoline may run before sigaction() returns. release: so that it
     * then sees what `interpreter` was when the base was stored. */
    base_whole[signum] = *under;
    atomic_store_explicit(&base[signum], handler_of(under), memory_order_release);
    if (sigaction(signum, &ours, &found) != 0) return -errno;
    if (handler_of(&found) != handler_of(under) && !is_trampoline(&found)) {
        /* Somebody else was quicker by an instant: theirs is the base. */
        base_whole[signum] = found;
        atomic_store_explicit(&base[signum], handler_of(&found), memory_order_release);
    }
    return 0;
}

static int classify(uintptr_t handler)
{
    if (handler == (uintptr_t)SIG_DFL) return SIGCFFI_DEFAULT;
    if (handler == (uintptr_t)SIG_IGN) return SIGCFFI_IGNORED;
    return handler == atomic_load(&interpreter) ? SIGCFFI_PYTHON : SIGCFFI_FOREIGN;
}

/* What the kernel does with `signum`, seen through the trampoline. */
int sigcffi_query(int signum)
{
    struct sigaction now;
    if (sigaction(signum, NULL, &now) != 0) return -errno;
    return classify(is_trampoline(&now) ? atomic_load(&base[signum]) : handler_of(&now));
}

/* Whether the code at `handler` is part of the interpreter. */
static bool is_interpreters(uintptr_t handler)
{
    void *api = dlsym(RTLD_DEFAULT, "Py_IsInitialized");
    if (api == NULL) api = dlsym(RTLD_DEFAULT, "PyPy_IsInitialized");
    Dl_info home, candidate;
    /* An interpreter loaded privately cannot be looked up; then the caller's word counts. */
    if (api == NULL || dladdr(api, &home) == 0) return true;
    return dladdr((void *)handler, &candidate) != 0 && candidate.dli_fbase == home.dli_fbase;
}

/* The interpreter believes that `signum` has a Python handler. Unless its C handler is known
 * already, learn it from there: nothing tells its address but a signal it has installed. */
int sigcffi_recognise(int signum)
{
    struct sigaction now;
    if (sigaction(signum, NULL, &now) != 0) return -errno;
    uintptr_t handler = handler_of(&now);
    /* The interpreter's handler takes one argument. faulthandler's, which comes from the same
     * object file, does too, but it nests in order to chain. */
    if (atomic_load(&interpreter) == 0 && is_function(handler) && !is_trampoline(&now) &&
        !(now.sa_flags & (SA_SIGINFO | SA_NODEFER)) && is_interpreters(handler))
        atomic_store(&interpreter, handler);
    return sigcffi_query(signum);
}

/* The interpreter has this moment installed its handler for `signum`, in this thread: so that
 * handler is its own, this thread is the main thread, and the trampoline goes on top. */
int sigcffi_registered(int signum)
{
    /* What its sigaction() looks like, learned from the first one: saves asking each time.
     * If it is not what the kernel has, put_on_top finds out and takes what it found. */
    static struct sigaction expected;
    if (!is_signal(signum)) return -EINVAL;
    int result = 0;
    take_lock();
    if (!is_function(handler_of(&expected))) {
        if (sigaction(signum, NULL, &expected) != 0)
            result = -errno;
        else if (!is_function(handler_of(&expected)))
            result = -EINVAL;
        else
            atomic_store(&interpreter, handler_of(&expected));
        sigcffi_set_main_thread((unsigned long)pthread_self(), 0);
    }
    if (result == 0) result = put_on_top(signum, &expected);
    release_lock();
    return result;
}

/* Lock held. */
static int interpose_unless_there(int signum, bool only_interpreter)
{
    struct sigaction now;
    if (sigaction(signum, NULL, &now) != 0) return -errno;
    if (is_trampoline(&now)) return 0;
    if (only_interpreter && classify(handler_of(&now)) != SIGCFFI_PYTHON) return 0;
    return put_on_top(signum, &now);
}

/* Put the trampoline on top of the interpreter's handler, if that is what the kernel has. */
int sigcffi_cover(int signum)
{
    take_lock();
    int result = interpose_unless_there(signum, true);
    release_lock();
    return result;
}

/* Put the trampoline on top of whatever is there. */
int sigcffi_interpose(int signum)
{
    take_lock();
    int result = interpose_unless_there(signum, false);
    release_lock();
    return result;
}

/* Put the base back, unless somebody else has replaced the trampoline meanwhile. What
 * siginterrupt() did to the trampoline it would have done to the base. */
int sigcffi_withdraw(int signum)
{
    struct sigaction now;
    int result = 0;
    take_lock();
    if (sigaction(signum, NULL, &now) != 0) {
        result = -errno;
    } else if (is_trampoline(&now)) {
        struct sigaction back = base_whole[signum];
        back.sa_flags = (back.sa_flags & ~SA_RESTART) | (now.sa_flags & SA_RESTART);
        if (sigaction(signum, &back, NULL) != 0) result = -errno;
    }
    release_lock();
    return result;
}

/* ---- Slots: outside handlers ---- */

/* Attach an action; its index, or -ENOSPC. The trampoline must be interposed separately. */
int sigcffi_attach(int signum, int kind, uint64_t operand)
{
    if (!is_signal(signum) || kind <= SIGCFFI_SLOT_EMPTY || kind > 0xff || operand >> 56)
        return -EINVAL;
    int result = -ENOSPC;
    take_lock();
    for (int index = 0; index < SIGCFFI_SLOTS && result < 0; index++)
        if (atomic_load(&slots[signum][index]) == SIGCFFI_SLOT_EMPTY) {
            atomic_store(&counts[signum][index], 0);
            /* release: a handler that sees the slot sees its counter at zero */
            atomic_store_explicit(&slots[signum][index], operand << 8 | (uint64_t)kind,
                                  memory_order_release);
            result = index;
        }
    release_lock();
    return result;
}

int sigcffi_detach(int signum, int index)
{
    if (!is_signal(signum) || index < 0 || index >= SIGCFFI_SLOTS) return -EINVAL;
    take_lock();
    atomic_store(&slots[signum][index], SIGCFFI_SLOT_EMPTY);
    release_lock();
    return 0;
}

uint64_t sigcffi_count(int signum, int index)
{
    return is_signal(signum) && index >= 0 && index < SIGCFFI_SLOTS
               ? atomic_load(&counts[signum][index])
               : 0;
}

uint64_t sigcffi_deliveries(int signum)
{
    return is_signal(signum) ? atomic_load(&deliveries[signum]) : 0;
}

/* The calling thread will block every signal, look at sigcffi_arrivals() and then sleep with the
 * mask `former`; or (NULL) it is through with that. */
void sigcffi_promise_mask(const sigset_t *former)
{
    if (!on_main_thread()) return;
    uint64_t promise = former != NULL ? sigcffi_word_of(former) | sigcffi_bit(SIGKILL) : 0;
    atomic_store(&main_mask_promised, promise);
}

unsigned sigcffi_arrivals(void)
{
    return arrivals;
}

/* ---- Deferral: outside handlers ---- */

/* Hold back the interpreter's handler for the signals in `set`, in every thread. */
void sigcffi_defer(uint64_t set)
{
    atomic_fetch_or(&deferred, set);
}

/* Let them through again, those that arrived meanwhile first. */
void sigcffi_lift(uint64_t set)
{
    atomic_fetch_and(&deferred, ~set);
    siginfo_t nothing;
    memset(&nothing, 0, sizeof nothing);
    for (int signum = 1; signum < NSIG; signum++)
        if ((set & sigcffi_bit(signum)) && atomic_load(&owed[signum]) != 0 &&
            (on_main_thread() || main_thread_blocks(signum) || !send_note(signum)))
            settle(signum, &nothing, NULL);
}

/* ---- The process: outside handlers ---- */

static void before_fork(void)
{
    sigset_t all, former;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &former);
    /* The lock serialises forks too: there is one place to keep the mask. */
    take_lock();
    mask_before_fork = former;
}

static void after_fork_in_parent(void)
{
    sigset_t former = mask_before_fork;
    release_lock();
    pthread_sigmask(SIG_SETMASK, &former, NULL);
}

/* The child is a new process: it owes nothing for what its parent received, and the thread
 * that forked is its main thread. What was installed, attached and deferred stays. */
static void after_fork_in_child(void)
{
    for (int signum = 1; signum < NSIG; signum++) {
        atomic_store(&owed[signum], 0);
        atomic_store(&deliveries[signum], 0);
        for (int index = 0; index < SIGCFFI_SLOTS; index++) atomic_store(&counts[signum][index], 0);
    }
    atomic_store(&main_mask_promised, 0);
    sigcffi_set_main_thread((unsigned long)pthread_self(), 0);
    release_lock(); /* taken in the parent by the thread that this one is a copy of */
    pthread_sigmask(SIG_SETMASK, &mask_before_fork, NULL);
}

/* The thread `ident`, known to the kernel as `tid` (0: the calling thread), is the one in
 * which the interpreter runs Python handlers. */
void sigcffi_set_main_thread(unsigned long ident, int tid)
{
#if SIGCFFI_HAS_TGSIGQUEUE
    atomic_store(&main_tid, tid != 0 ? tid : (int)syscall(SYS_gettid));
#else
    (void)tid;
#endif
    atomic_store(&main_thread, (uintptr_t)ident);
}

int sigcffi_is_main_thread(void)
{
    return on_main_thread();
}

static bool is_first_thread(void)
{
#if SIGCFFI_HAS_TGSIGQUEUE
    return syscall(SYS_gettid) == getpid();
#else
    return false;
#endif
}

/* Once, before anything else; a second call, from another interpreter of the same process,
 * changes nothing. 1 if the main thread is known after it, 0 if the caller has to name it: the
 * thread a program starts with is the main thread, unless it embeds an interpreter elsewhere. */
int sigcffi_start(void)
{
    static atomic_flag started = ATOMIC_FLAG_INIT;
    if (atomic_flag_test_and_set(&started)) return 1;
    static const int left_out[] = {SIGKILL, SIGSTOP, SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP};
    trampoline_mask = sigcffi_valid_signals();
    for (size_t i = 0; i < sizeof left_out / sizeof *left_out; i++)
        trampoline_mask &= ~sigcffi_bit(left_out[i]);
    int error = pthread_atfork(before_fork, after_fork_in_parent, after_fork_in_child);
    if (error != 0) return -error;
    if (!is_first_thread()) return 0;
    sigcffi_set_main_thread((unsigned long)pthread_self(), 0);
    return 1;
}
