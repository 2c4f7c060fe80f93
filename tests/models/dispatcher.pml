/* The dispatcher: sigcffi/_dispatch/dispatcher.py, against exceptions that strike between any two of its steps.
 *
 * Signals of two kinds are recorded at any moment; a handler keeps out its own kind, or nothing
 * (SA_NODEFER). Within a handler, and within the dispatcher, the interpreter may call the dispatcher
 * again. An exception, of a handler that the dispatcher knows nothing of, may strike wherever the
 * interpreter looks for signals. The letters are those of dispatch() (short) and _drain() (long).
 *
 * Promises:
 *   lost       the handler of a record does not begin any more
 *   doubled    it begins twice
 *   let_in     one begins that a handler further out keeps out
 *   stuck      the next signal does not get through what an exception has left
 *   unasked    a record waits for the next signal, although no exception has struck
 *
 * Mutants:
 *   CONSUMED_BEFORE_HAND     the tail is stored before the record is in hand
 *   OUT_OF_HAND_BEFORE       a record leaves the hand by a step of its own, before its handler's call
 *   OUT_OF_HAND_AFTER        or after it
 *   THINKS_DISTURBED         while the dispatcher thinks, it says what the handlers further out keep out
 *   RUNNING_BELIEVED         who has set `running` and has gone still counts
 *   HAND_FORGOTTEN           what the short way has in hand is not put back
 *   ONE_OF_SEVERAL           the short way is taken also where there are more records than its own
 *   NO_MARK                  a call that finds another one at work does not tell that one
 *   HAND_LOOKED_AT_ONCE      what the short way has in hand is put back only before the first record
 */
#define RECORDS 3
#define STRIKES 2
#define ALL 7 /* in `running`: the dispatcher thinks */

byte head, tail;
byte kind[RECORDS + 1];  /* 1 or 2, of a record */
byte waiting, ready;     /* in hand, of the long way and of the short way: a bit for each record */
byte running;
bool again;              /* a call has found another one at work, which looks once more */
bool flagged;            /* the interpreter is going to call the dispatcher */
byte inside;             /* dispatchers on the stack */
byte strikes = STRIKES;
bool raised;             /* how the innermost has left */
byte begun[RECORDS + 1];
byte kept_out;           /* what the handlers on the stack keep out, whatever the program thinks */
byte defers;             /* kinds that keep themselves out */
bool lost, doubled, let_in, stuck, unasked;

#define BIT(number) (1 << number)

inline nested()
{
    flagged = false;
    inside++;
    run dispatcher();
    inside == me
}

#ifdef NO_MARK
#define MARK skip
#else
#define MARK again = true
#endif

/* The interpreter looks for signals, in a frame that an exception leaves for `where`. */
#define bytecode(where) \
    if \
    :: strikes > 0 -> strikes--; goto where \
    :: flagged && running == ALL -> flagged = false; MARK \
    :: flagged && running != ALL -> \
        nested(); \
        if \
        :: raised -> raised = false; goto where \
        :: else \
        fi \
    :: true \
    fi

/* The handler of record `number`. */
#define handler(where) \
    d_step { \
        doubled = begun[number] > 0; \
        assert(!doubled); \
        begun[number]++; \
        let_in = kept_out & kind[number]; \
        assert(!let_in); \
        before = kept_out; \
        kept_out = kept_out | (kind[number] & defers) \
    }; \
    do \
    :: break \
    :: strikes > 0 -> strikes--; kept_out = before; goto where \
    :: flagged && running != ALL -> \
        nested(); \
        if \
        :: raised -> raised = false; kept_out = before; goto where \
        :: raised -> raised = false \
        :: else \
        fi \
    :: flagged && running == ALL -> flagged = false; MARK \
    od; \
    kept_out = before

#ifndef HAND_FORGOTTEN
#define PUT_BACK \
    if \
    :: ready -> \
        waiting = waiting | ready; \
        bytecode(caught); \
        CONSUME; \
        ready = 0 \
    :: else \
    fi
#else
#define PUT_BACK skip
#endif
#define CONSUME \
    if \
    :: ready & BIT((tail + 1)) -> tail++; bytecode(caught) \
    :: else \
    fi

proctype dispatcher()
{
    byte me, former, number, before;
    bool first; /* an exception is going to leave */
    atomic { me = inside; former = running };
    bytecode(out);
    if
    :: former == 0 && waiting == 0 && ready == 0 && head != tail ->
        running = ALL; /* a */
        bytecode(struck);
#ifndef ONE_OF_SEVERAL
        if
        :: head != tail + 1 -> goto drain
        :: else
        fi;
#endif
        number = tail + 1; /* b */
        bytecode(struck);
        ready = BIT(number); /* c */
        bytecode(struck);
        tail = number; /* d */
        bytecode(struck);
        running = kind[number] & defers; /* e */
        /* f: in one step it leaves the hand and its handler begins */
        ready = 0; handler(struck);
        running = 0; /* g */
        bytecode(struck);
        if
        :: !again && waiting == 0 -> goto leave /* h */
        :: else
        fi
    :: else ->
#ifndef RUNNING_BELIEVED
        if
        :: me == 1 -> former = 0 /* who has set it is not on the stack any more */
        :: else
        fi;
#endif
        if
        :: former != 0 -> MARK
        :: else
        fi;
        if
        :: former == ALL -> goto leave
        :: else
        fi
    fi;
    goto drain;

struck: /* except */
    first = true;
    bytecode(out);
drain:
    bytecode(out);
once_more:
#ifdef THINKS_DISTURBED
    running = former;
#else
    running = ALL; /* i */
#endif
    bytecode(caught);
#ifdef HAND_LOOKED_AT_ONCE
    PUT_BACK;
#endif
    do
    :: bytecode(caught);
#ifndef HAND_LOOKED_AT_ONCE
        PUT_BACK; /* j */
#endif
        if
        :: head != tail ->
            number = tail + 1;
#ifdef CONSUMED_BEFORE_HAND
            tail = number;
            bytecode(caught);
            waiting = waiting | BIT(number)
#else
            waiting = waiting | BIT(number); /* k */
            bytecode(caught);
            tail = number /* l */
#endif
        :: else
        fi;
        bytecode(caught);
        /* m: the first that may be handed over */
        number = 1;
        do
        :: number > RECORDS -> break
        :: number <= RECORDS && (waiting & BIT(number)) && !(kind[number] & former) -> break
        :: else -> number++
        od;
        if
        :: number > RECORDS && head == tail -> break
        :: number > RECORDS && head != tail -> skip
        :: else ->
            bytecode(caught);
#ifdef OUT_OF_HAND_BEFORE
            waiting = waiting & ~BIT(number);
            bytecode(caught);
#endif
            running = former | (kind[number] & defers); /* n */
            if
            :: true -> /* what the handler does not keep out, and is pending, goes first */
                bytecode(caught)
            :: true ->
                /* o: in one step it leaves the hand and its handler begins */
#ifndef OUT_OF_HAND_AFTER
                waiting = waiting & ~BIT(number);
#endif
                handler(caught);
#ifdef OUT_OF_HAND_AFTER
                waiting = waiting & ~BIT(number)
#endif
            fi;
#ifdef THINKS_DISTURBED
            running = former
#else
            running = ALL /* p */
#endif
        fi
    od;
    again = (former != 0);
    bytecode(caught);
    running = former; /* q */
    bytecode(caught);
    if
    :: head == tail -> goto leave /* r */
    :: else -> goto once_more
    fi;

caught: /* except */
    first = true;
    bytecode(out);
    running = ALL; /* s */
    bytecode(out);
    goto once_more;

out: /* an exception leaves */
    first = true;
leave:
    atomic { raised = first; inside-- }
}

active proctype kernel()
{
    byte me;
    do
    :: head < RECORDS ->
        atomic {
            if
            :: kind[head + 1] = 1
            :: kind[head + 1] = 2
            fi;
            head++;
            flagged = true
        }
    :: else -> break
    od
}

active proctype interpreter()
{
    byte me;
    if
    :: defers = 3
    :: defers = 1
    fi;
    do
    :: flagged -> nested(); raised = false
    od
}

/* When nothing moves any more. */
active proctype audit()
{
    byte each;
    timeout ->
    d_step {
        for (each : 1 .. RECORDS) { unasked = unasked || !begun[each] };
        unasked = unasked && strikes == STRIKES;
        assert(!unasked);
        strikes = 0
    };
    flagged = true; /* the next signal */
    timeout ->
    d_step {
        stuck = inside > 0 || flagged || running != 0;
        assert(!stuck);
        for (each : 1 .. RECORDS) { lost = lost || !begun[each] };
        assert(!lost)
    }
}
