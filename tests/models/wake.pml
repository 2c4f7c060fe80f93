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
 *
 * Scenes:
 *   SECTIONS      critical sections, of the main thread and of another, and a fork
 *   MASKS         the main thread blocks SIGURG and unblocks it, pokes are lost, handlers nest
 *   DISPATCHER    handlers that keep out, wait, and leave for ever, beside another thread's section
 *
 * Mutants:
 *   POKED_BEFORE_PENDING       the bit is set after the poke
 *   DEFERRAL_ASKED_BEFORE      deferral is looked at before the bit is set, and not again
 *   LIFT_ASKS_FIRST            lifting reads the pending word before it clears the deferred one
 *   CLEARED_AFTER_CALL         the bit is cleared after the call
 *   CLEARED_UNSEEN             a thread that clears the bit does not look whether another has
 *   BLOCKED_WITHOUT_LOOKING    the main thread says that it blocks pokes, and does not look around
 *   SAID_AFTER_LOOKING         the main thread looks around, and then says that it blocks pokes
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

byte pending, deferred, running;
bool says_blocked; /* main_thread.blocks_pokes */
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
bool deaf, lost, for_nothing, let_in, stuck;

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
#define FORBIDDEN(main) (deferred | (main -> running & PLAIN : 0))

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
    :: pending & running & ~deferred & PLAIN -> flagged = flagged | RECORDED
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
    if
    :: says_blocked -> make_calls(which, false) /* 5 */
    :: else -> poke_main() /* 6 */
    fi
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
        pend(signal, true);
        look_around();
        atomic { signal = 0; depth = 0 }
    :: atomic { depth == 0 && (poke && !blocks_pokes || knock) ->
            depth = 1;
            if
            :: knock -> knock = false
            :: else -> poke = false
            fi
        };
        look_around();
        depth = 0
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

#ifndef MASKS
active proctype section_elsewhere() provided (!forked)
{
    byte set, due, former;
    defer();
    lift(false)
}
#endif

/* ---- The main thread: Python ---- */

inline begin_plain()
{
    atomic { flagged = flagged & ~PLAIN; owed = owed & ~PLAIN }
}

/* Between two bytecodes within the dispatcher: the call for RECORDED finds it thinking, or a handler
 * that keeps it out. */
inline bytecode()
{
    do
    :: flagged & PLAIN -> begin_plain()
    :: flagged & RECORDED ->
        flagged = flagged & ~RECORDED;
        if
        :: running != ALL ->
            nested = running;
            running = ALL;
            running = nested;
            nested = 0;
            if
            :: pending & ~(deferred | running) -> settle(true)
            :: else
            fi
        :: else
        fi
    :: flagged == 0 -> break
    od
}

inline fork()
{
    d_step {
        !forked && !stays ->
        forked = true;
        poke = false; /* the kernel's */
        flagged = 0;  /* the interpreter's */
        owed = 0; plain_calls = 0; record = false; waiting = false;
#ifndef CHILD_KEEPS_PENDING
        pending = 0;
#endif
#ifndef CHILD_KEEPS_SECTIONS
        sections = mine;
        deferred = (mine -> BOTH : 0)
#endif
    }
}

inline dispatch()
{
    flagged = flagged & ~RECORDED;
    do
    :: running = ALL;
        bytecode();
        do
        :: if
            :: record -> waiting = true; record = false
            :: else
            fi;
            if
            :: !waiting || (deferred & RECORDED) -> break
            :: else
            fi;
            running = keeps_out;
#ifndef NOT_SETTLED_BEFORE_CALL
            if
            :: pending & ~(deferred | keeps_out) ->
                settle(true);
                bytecode();
                running = ALL
            :: else ->
#endif
            atomic { waiting = false; owed = owed & ~RECORDED };
            /* The handler: it waits for the other, or leaves with its greenlet, or returns. */
            if
#ifdef DISPATCHER
            :: (owed & PLAIN) && !(keeps_out & PLAIN) && !mine ->
                do
                :: !(owed & PLAIN) -> break
                :: flagged != 0 -> bytecode()
                od
            :: !gone -> gone = true; goto left
#endif
            :: bytecode()
            fi;
            running = ALL
#ifndef NOT_SETTLED_BEFORE_CALL
            fi
#endif
        od;
        running = 0;
        if
#ifdef LIFTED_UNSEEN
        :: waiting && (deferred & RECORDED) ->
#else
        :: waiting ->
#endif
            pending = pending | RECORDED; settle(true)
        :: else
        fi;
#ifndef NOT_SETTLED_AFTER_CALL
        if
        :: pending & ~deferred -> settle(true)
        :: else
        fi;
#endif
        if
        :: !record -> break
        :: else
        fi
    od;
left:
    skip
}

active proctype main_thread() provided (depth == 0)
{
    byte set, due, former, nested, keeps_out;
    byte section, mask;
    if
    :: keeps_out = RECORDED
#ifdef DISPATCHER
    :: keeps_out = BOTH
#endif
    fi;
rest:
    do
    :: flagged & PLAIN -> begin_plain()
    :: flagged & RECORDED -> dispatch()
#ifdef SECTIONS
    :: section == 0 -> section = 1; atomic { defer(); mine = true }
    :: section == 0 -> section = 2
    :: section == 1 -> section = 2; mine = false; lift(true)
    :: fork()
    :: !stays -> stays = true /* it does not fork */
#endif
#ifdef MASKS
    :: mask == 0 ->
        mask = 1;
#ifndef SAID_AFTER_LOOKING
        says_blocked = true; /* 1 */
#endif
        blocks_pokes = true; /* 2 */
#ifndef BLOCKED_WITHOUT_LOOKING
        look_around(); /* 3 */
#endif
#ifdef SAID_AFTER_LOOKING
        says_blocked = true
#endif
    :: mask == 1 ->
        mask = 2;
        says_blocked = false;
        blocks_pokes = false;
        look_around()
    :: mask < 2 -> mask = 2 /* it stays as it is */
#endif
    od
}

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
        lost = owed != 0;
        assert(!lost);
        stuck = !main_thread@rest;
        assert(!stuck)
    }
}
