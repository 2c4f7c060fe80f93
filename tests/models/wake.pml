/* Waking: sigcffi/_csrc/handler/wake.c and main_thread.c, calls/deferral.c and masks.c, and what they
 * rely on of sigcffi/_dispatch/dispatcher.py.
 *
 * The main thread runs Python: it enters a critical section and leaves it, blocks SIGURG and unblocks
 * it, may fork, and runs the handlers that are due (one scene at a time: together it is too much). A
 * second thread takes signals; a third has a critical section of its own. On the main thread a handler
 * may be interrupted by a nested one. PLAIN has a handler of signal(), RECORDED one of sigaction(), by
 * the dispatcher; in which order, and on which thread, signals come, is open. The numbers are those of
 * the steps in the C files: of sigcffi_wake_pend() and what it calls, of sigcffi_deferral_lift(), and
 * of sigcffi_masks_sigmask().
 *
 * Promises:
 *   deaf          a call is pending, nothing forbids it, and nobody is at it
 *   lost          a signal has been delivered, and its handler does not begin any more
 *   for_nothing   a handler is called more often than its signal was delivered
 *   let_in        a call is made within a critical section of the main thread's own
 *   stuck         somebody waits for ever
 *   late          a handler is due, and the main thread goes on waiting in a system call
 *
 * Scenes:
 *   SECTIONS      critical sections, of the main thread and of another, and a fork
 *   MASKS         the main thread blocks SIGURG and unblocks it, pokes are lost, handlers nest
 *   WAITS         the main thread waits in system calls; SIGURG was unblocked by others, unnoticed
 *   DISPATCHER    handlers that keep out, wait, and leave for ever, beside another thread's section
 *
 * Mutants:
 *   POKED_BEFORE_PENDING       the bit is set after the poke
 *   POKED_BEFORE_CALL          a main thread that seems to block pokes is poked, and then called
 *   DEFERRAL_ASKED_BEFORE      deferral is looked at before the bit is set, and not again
 *   LIFT_ASKS_FIRST            lifting reads the pending word before it clears the deferred one
 *   CLEARED_AFTER_CALL         the bit is cleared after the call
 *   CLEARED_UNSEEN             a thread that clears the bit does not look whether another has
 *   BLOCKED_WITHOUT_LOOKING    the main thread says that it blocks pokes, and does not look around
 *   SAID_AFTER_LOOKING         the main thread looks around, and then says that it blocks pokes
 *   SAID_ONCE                  it says so only before, and a handler in between sees the former mask
 *   CHILD_KEEPS_PENDING        a forked child keeps what was pending
 *   CHILD_KEEPS_SECTIONS       a forked child is in the critical sections of other threads
 *   RUNNING_BELIEVED           what left the dispatcher for ever keeps signals out for ever
 *   NOT_SETTLED_BEFORE_CALL    the dispatcher does not look at the pending word before a handler's call
 *   NOT_SETTLED_AFTER_CALL     nor when it leaves
 *   LIFTED_UNSEEN              a record is left to the lifting of a deferral only if that is still in force
 */
#define PLAIN 1
#define RECORDED 2
#define BOTH 3
#ifdef SECTIONS
#define SIGNALS 1
#else
#define SIGNALS 2
#endif
#define ALL 255 /* in `running`: the dispatcher thinks */

byte pending, deferred;
byte running, told; /* what is kept out, as the dispatcher knows it and as C does */
#ifdef WAITS
bool says_blocked = true;
#else
bool says_blocked; /* main_thread.blocks_pokes */
#endif
bool waits; /* the main thread, in a system call that a C handler ends */
bool blocks_pokes, poke; /* the main thread's mask, and a SIGURG that the kernel has for it */
byte depth;        /* of C handlers on the main thread */
byte sections;     /* for both signals */
bool mine;         /* the main thread is in one */
bool record, waiting; /* of RECORDED: in the ring; in the dispatcher's hand */
byte flagged;      /* the interpreter's: a handler is due */

/* What is known of the world, and not to the program. */
byte owed;         /* delivered, and no handler has begun since */
byte plain_calls;  /* that deliveries of PLAIN would account for */
byte unsent = SIGNALS;
bool forked, stays, poke_lost, gone, knock;
bool deaf, lost, for_nothing, let_in, stuck, late;

inline arrive(signal)
{
    owed = owed | signal;
    if
    :: signal == PLAIN -> plain_calls++
    :: else -> record = true
    fi
}

/* The interpreter's own handler. */
inline trip(signal, main)
{
    atomic {
        flagged = flagged | signal;
        let_in = main && mine;
        assert(!let_in);
        if
        :: signal == PLAIN -> for_nothing = plain_calls == 0; assert(!for_nothing); plain_calls--
        :: else
        fi
    }
}

/* What is recorded is the dispatcher's to keep out. */
#define FORBIDDEN(main) (deferred | (main -> told & PLAIN : 0))

/* 7 8 9 */
inline make_calls(which, main)
{
    do
    :: /* 7 */ (pending & which) == 0 -> break
    :: else ->
        due = pending & which;
        due = due & ~FORBIDDEN(main);
        if
        :: due == 0 -> break
        :: else -> due = (due & PLAIN -> PLAIN : RECORDED)
        fi;
#ifdef CLEARED_AFTER_CALL
        trip(due, main);
        pending = pending & ~due
#else
        atomic { /* 8 */
            set = pending & due;
            pending = pending & ~due
        };
        if
#ifdef CLEARED_UNSEEN
        :: true -> trip(due, main)
#else
        :: set != 0 -> trip(due, main) /* 9 */
#endif
        :: else
        fi
#endif
    od;
    due = 0; set = 0
}

inline look_around()
{
    make_calls(BOTH, true);
#ifndef RUNNING_BELIEVED
    /* What only a handler keeps out: the dispatcher is to see whether that is still there. */
    if
    :: pending & told & ~deferred & PLAIN -> flagged = flagged | RECORDED
    :: else
    fi
#endif
}

inline poke_main()
{
    if
    :: poke = true
#ifdef MASKS
    :: !poke_lost -> poke_lost = true /* a stranger's handler has taken it */
#endif
    fi
}

inline wake_main(which)
{
#ifdef POKED_BEFORE_CALL
    poke_main();
#endif
    if
    :: says_blocked -> make_calls(which, false) /* 5 */
    :: else
    fi;
#ifndef POKED_BEFORE_CALL
    poke_main() /* 6 */
#endif
}

inline pend(signal, main)
{
    set = FORBIDDEN(main); /* 1 */
#ifdef DEFERRAL_ASKED_BEFORE
    former = set;
#endif
    if
    :: main && !((set | pending) & signal) -> trip(signal, main)
    :: else ->
#ifdef POKED_BEFORE_PENDING
        if
        :: !main && !(set & signal) && !says_blocked -> poke_main()
        :: else
        fi;
#endif
        pending = pending | signal; /* 2 */
#ifdef DEFERRAL_ASKED_BEFORE
        set = former;
#else
        set = FORBIDDEN(main); /* 3 */
#endif
        if
        :: set & signal /* 4: it stays until nothing forbids it */
        :: else ->
            if
            :: main -> make_calls(signal, true)
            :: else ->
#ifdef POKED_BEFORE_PENDING
                if
                :: says_blocked -> make_calls(signal, false)
                :: else
                fi
#else
                wake_main(signal)
#endif
            fi
        fi
    fi;
    set = 0; former = 0
}

/* ---- C handlers ---- */

inline note_mask()
{
    if
    :: says_blocked && !blocks_pokes -> says_blocked = false
    :: else
    fi
}

#ifdef MASKS
active proctype nested_handler()
{
    byte set, due, former;
    do
    :: atomic { depth == 1 && unsent > 0 -> depth = 2; unsent--; arrive(RECORDED) };
        pend(RECORDED, true);
        look_around();
        depth = 1
    od
}
#endif

active proctype handler() provided (depth < 2)
{
    byte set, due, former, signal;
    do
    :: atomic { depth == 0 && unsent > 0 ->
            depth = 1; unsent--;
            if
            :: signal = PLAIN
            :: signal = RECORDED
            fi;
            arrive(signal)
        };
        note_mask();
        pend(signal, true);
        look_around();
        atomic { signal = 0; waits = false; depth = 0 }
    :: atomic { depth == 0 && (poke && !blocks_pokes || knock) ->
            depth = 1;
            if
            :: knock -> knock = false
            :: else -> poke = false
            fi
        };
        note_mask();
        look_around();
        atomic { waits = false; depth = 0 }
    od
}

active proctype other_thread() provided (!forked)
{
    byte set, due, former, signal;
    do
    :: atomic { unsent > 0 ->
            unsent--;
            if
            :: signal = PLAIN
            :: signal = RECORDED
            fi;
            arrive(signal)
        };
        pend(signal, false);
        signal = 0
    od
}

/* ---- Critical sections ---- */

inline defer()
{
    atomic { sections++; deferred = BOTH } /* under the lock */
}

inline settle(main)
{
    due = pending;
    due = due & ~FORBIDDEN(main);
    if
    :: due != 0 -> former = due;
        if
        :: main -> make_calls(former, true)
        :: else -> wake_main(former)
        fi
    :: else
    fi;
    due = 0; set = 0; former = 0
}

inline lift(main)
{
#ifdef LIFT_ASKS_FIRST
    due = pending;
#endif
    atomic { sections--; deferred = (sections > 0 -> BOTH : 0) }; /* 1, under the lock */
#ifndef LIFT_ASKS_FIRST
    due = pending; /* 2 */
#endif
    if
    :: due != 0 -> settle(main)
    :: else
    fi
}

#if !defined(MASKS) && !defined(WAITS)
active proctype section_elsewhere() provided (!forked)
{
    byte set, due, former;
    defer();
    lift(false)
}
#endif

#include "wake_python.inc"

/* When nothing moves any more. */
active proctype audit()
{
    /* A poke that was lost, and what a handler kept out that has gone, are made good by the next
     * signal, whichever it is. */
    timeout ->
    if
    :: poke_lost || gone -> knock = true; timeout
    :: else
    fi;
    atomic {
        deaf = pending != 0;
        assert(!deaf)
    };
    /* And a record that has been kept out so by the next that is recorded. */
    if
    :: gone -> flagged = flagged | RECORDED; timeout
    :: else
    fi;
    atomic {
        late = waits && flagged != 0;
        assert(!late);
        lost = owed != 0;
        assert(!lost);
        stuck = !main_thread@rest && !waits;
        assert(!stuck)
    }
}
