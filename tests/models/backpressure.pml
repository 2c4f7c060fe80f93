/* Back-pressure: sigcffi/_csrc/handler/backpressure.c and calls/resume.c. The numbers are those of
 * the steps in these files.
 *
 * Two threads take signals that the kernel holds for the process. Where the ring is above high water
 * a thread blocks them in its own context, is listed, and is poked when the ring has been read. The
 * owner of one of them has blocked SIGURG. A third thread is the reader.
 *
 * Promises:
 *   deaf      a thread has blocked the signals, the ring has room, and nobody pokes it
 *   lost      a signal finds no place: above high water there is one for each thread
 *   kept      the kernel holds a signal for ever
 *   unread    a record is never read
 *
 * Mutants:
 *   LOOKS_BEFORE_TAIL        the reader looks which threads block, and then gives back what it has read
 *   POKED_BEFORE_TAIL        the pokes are sent before the tail is stored
 *   STAYS_UNSAID             a thread that stays blocked does not say so again
 *   LOOKS_BEFORE_IT_SAYS     a thread looks at the ring, says that it stays blocked, and looks no more
 *   GOES_ON_UNSEEN           a thread that was poked goes on without looking at the ring
 *   NOT_LET_IN               SIGURG stays blocked where its owner has blocked it
 *   NOT_HELD_BACK            a thread above high water blocks nothing
 */
#define THREADS 2
#define HIGH 1
#define CAPACITY 3 /* HIGH and one for each thread */
#define SENT 5

byte held = SENT;      /* by the kernel, for the process */
byte head, tail;       /* which are published is the other model's */
bool backpressure;         /* some may have blocked */
bool by[THREADS];      /* listed */
bool blocked[THREADS]; /* in the thread's context */
bool poke[THREADS];    /* the kernel has one for the thread */
bool deaf, lost, kept, unread;

#define IS_HIGH (head - tail >= HIGH)

#ifdef NOT_LET_IN
#define TAKES_POKES (me == 0)
#else
#define TAKES_POKES (me == 0 || blocked[me])
#endif

/* On the way back from any handler, a poke's too. */
inline on_return(told)
{
    if
    :: by[me] ->
#ifdef GOES_ON_UNSEEN
        high = !told && IS_HIGH;
#else
        high = IS_HIGH; /* 3 */
#endif
        if
        :: high ->
#ifndef STAYS_UNSAID
            backpressure = true; /* 4 */
#endif
#ifndef LOOKS_BEFORE_IT_SAYS
            high = IS_HIGH /* 5 */
#endif
        :: else
        fi;
        /* 6 */ atomic { by[me] = high; blocked[me] = high }
    :: else
    fi
}

active [THREADS] proctype thread()
{
    byte me = _pid;
    bool high;
    do
    :: atomic { held > 0 && !blocked[me] ->
            held--;
            lost = head - tail >= CAPACITY;
            assert(!lost);
            head++; /* 1 */
            high = IS_HIGH
        };
#ifndef NOT_HELD_BACK
        if
        :: high -> by[me] = true /* 2 */
        :: else
        fi;
#endif
        on_return(false);
        high = false
    :: atomic { poke[me] && TAKES_POKES -> poke[me] = false };
        on_return(true);
        high = false
    od
}

inline resume()
{
    atomic { told = backpressure; backpressure = false }; /* 8 */
    if
    :: told ->
        each = 0;
        do
        :: each == THREADS -> break
        :: else ->
            if
            :: by[each] -> poke[each] = true /* 9 */
            :: else
            fi;
            each++
        od;
        each = 0; told = false
    :: else
    fi
}

active proctype reader()
{
    byte each;
    bool told;
    do
    :: head != tail ->
#ifdef POKED_BEFORE_TAIL
        if
        :: backpressure && head - tail <= HIGH -> resume()
        :: else
        fi;
        tail++
#else
#ifdef LOOKS_BEFORE_TAIL
        told = backpressure;
#endif
        tail++; /* 7 */
#ifdef LOOKS_BEFORE_TAIL
        if
        :: told && !IS_HIGH -> resume()
#else
        if
        :: backpressure && !IS_HIGH -> resume()
#endif
        :: else
        fi
#endif
        ; told = false
    od
}

/* When nothing moves any more. */
active proctype audit()
{
    timeout ->
    d_step {
        deaf = blocked[0] || blocked[1];
        assert(!deaf);
        unread = head != tail;
        assert(!unread);
        kept = held > 0;
        assert(!kept)
    }
}
