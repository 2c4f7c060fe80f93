/* The interpreter's calls: which of them C's calls explain, in dispatch() and _call_late().
 *
 * C counts its calls before it makes them, on the main thread or elsewhere. The interpreter makes one
 * call of several, and takes it up in two steps: it clears its mark, then begins the dispatcher, and
 * in between and within the dispatcher it may be called anew. A call that none of C's explains was
 * asked for by _thread.interrupt_main(), and becomes a delivery.
 *
 * Promises:
 *   for_nothing   a delivery is added although nobody has called interrupt_main()
 *   missed        interrupt_main() leads to none, when all is quiet
 *
 * Scenes:
 *   ON_MAIN       C calls on the main thread, in the place of any step of it
 *   STRUCK        the same, and exceptions end the dispatcher anywhere
 *   ELSEWHERE     another thread calls, too
 *
 * Mutants:
 *   NOT_LATE          one call explains several, and no further one is expected
 *   LATE_ONCE         the first look for a further call is believed to be the last
 *   OTHERS_FORGOTTEN  of calls further out that have not looked nothing is thought
 *   OTHERS_DISCARDED  the first further call is believed to be the last
 *   COUNTED_BEHIND    elsewhere a call is counted after it was made
 *   ALWAYS_LATE       what is late stays late
 */
#ifdef STRUCK
#define STRIKES 2
#else
#define STRIKES 0
#endif
#ifdef ELSEWHERE
#define CALLS 2
#else
#define CALLS 4
#endif

#define MANY 16

byte left = CALLS;       /* C's calls on the main thread that are still to come */
byte counted, on_its_way;
byte explained;
bool mark;               /* the interpreter is going to call the dispatcher */
bool late;
byte inside;             /* calls of the dispatcher on the stack */
byte unlooked;           /* of them those that have not looked at what C has counted */
byte strikes = STRIKES;
bool over;               /* an exception leaves the innermost call */
bool asked, added;       /* interrupt_main() */
bool for_nothing, missed;

#ifdef OTHERS_FORGOTTEN
#define OTHERS false
#else
#define OTHERS (unlooked > 0)
#endif
#ifdef LATE_ONCE
#define CHANGED false
#else
#define CHANGED (counted + MANY * on_its_way != c || explained != e)
#endif
#ifdef ALWAYS_LATE
#define FORGET skip
#else
#define FORGET late = false
#endif

/* C calls in the place of any step; and where the interpreter looks for signals it takes up its call */
#define bytecode(where) \
    do \
    :: left > 0 -> atomic { left--; counted++; mark = true } \
    :: mark -> take_up(); \
        if \
        :: over -> over = false; goto where \
        :: else \
        fi \
    :: strikes > 0 -> strikes--; over = true; goto where \
    :: break \
    od

inline take_up()
{
    mark = false;
    inside++;
    run dispatcher();
    inside == me
}

proctype dispatcher()
{
    byte me, was_explained, calls, c, e;
    bool looked;
    atomic { me = inside; unlooked++ };
    bytecode(leave);
    was_explained = explained; /* a */
    bytecode(leave);
    /* b, e: nothing of this can be interrupted: the interpreter looks for signals behind calls, at
     * a function's beginning and where loops begin anew */
    atomic {
        calls = counted + MANY * on_its_way;
        looked = true;
        unlooked--;
        if
        :: calls == was_explained && !late ->
            for_nothing = !asked;
            assert(!for_nothing);
            added = true
#ifdef OTHERS_DISCARDED
        :: calls == was_explained && late -> late = false
#endif
        :: else
        fi
    };
    bytecode(leave);
#ifndef NOT_LATE
    if
    :: calls - was_explained > 1 -> late = true /* c */
    :: else
    fi;
#endif
    bytecode(leave);
    if
    :: explained == was_explained -> explained = calls % MANY /* d */
    :: else
    fi;
again:
    bytecode(leave);
    if
    :: late ->
        atomic { c = counted + MANY * on_its_way; e = explained }; /* g */
        bytecode(leave); /* h: the interpreter is asked to call, and does so if there is a mark */
        do
        :: mark -> take_up();
            if
            :: over -> over = false; goto leave
            :: else -> break
            fi
        :: !mark -> break
        od;
        bytecode(leave);
        if
        :: OTHERS -> skip
        :: !OTHERS && CHANGED -> goto again
        :: !OTHERS && !CHANGED && c == e -> FORGET /* f */
        :: !OTHERS && !CHANGED && c != e -> skip /* one is on its way */
        fi
    :: else
    fi;
    bytecode(leave);
leave:
    atomic {
        if
        :: !looked -> unlooked--
        :: else
        fi;
        inside--
    }
}

#ifdef ELSEWHERE
active proctype other()
{
    byte calls = 2;
    do
    :: calls > 0 ->
        calls--;
#ifdef COUNTED_BEHIND
        mark = true;
        counted++
#else
        atomic { counted++; on_its_way++ };
        mark = true;
        on_its_way--
#endif
    :: else -> break
    od
}
#endif

active proctype interpreter()
{
    byte me;
    do
    :: left > 0 -> atomic { left--; counted++; mark = true }
    :: mark -> take_up(); over = false
    :: left == 0 && !mark -> break
    od;
#ifdef ELSEWHERE
    _nr_pr == 1;
    do
    :: mark -> take_up(); over = false
    :: else -> break
    od
#else
    strikes = 0;
    asked = true;
    mark = true;
    take_up();
    missed = !added && STRIKES == 0;
    assert(!missed)
#endif
}
