/* The ring: sigcffi/_csrc/ring.c, and the reader in sigcffi/_dispatch/deliveries.py.
 *
 * Two threads put records in; a handler of the first is interrupted by a nested one, as a fault does.
 * One reader takes them out. The numbers are those of the steps in ring.c;
 * 7 to 9 are the reader's.
 *
 * Promises:
 *   lost          a record that was published is never handed over
 *   doubled       one is handed over twice
 *   disordered    two of one producer are handed over in another order
 *   unpublished   the reader gets what is not, or not wholly, filled in
 *   stuck         somebody waits for ever
 *
 * Mutants:
 *   PUBLISHED_BEFORE_FILLED   the sequence is stored before the record is filled in
 *   TAIL_BEFORE_HAND          the reader stores the tail before it has the record in hand; so may a
 *                             processor show it, unless sigcffi_channel_has_read() keeps it from that
 *   TAIL_NOT_ASKED            a place is reserved without looking at the tail
 *   RESERVED_IN_TWO_STEPS     the head is read and stored, not compared and swapped
 */
#define CAPACITY 2
#define RECORDS 6 /* numbers 1 and up: 1, 2 the first thread's, 3 the nested one's, 4 and 5 the second's */

byte head, tail;
byte sequence[CAPACITY], left[CAPACITY], right[CAPACITY]; /* a record is more than one word */
byte handed[RECORDS], published[RECORDS];
byte newest[3]; /* the last that was handed over, by producer */
bool nested, stuck, lost, doubled, disordered, unpublished;
byte running = 3;

inline fill(value)
{
    left[number % CAPACITY] = value;
    right[number % CAPACITY] = value
}

inline push(value)
{
    /* 1 */ number = head;
    do
    :: /* 2 */ seen = tail;
#ifndef TAIL_NOT_ASKED
        /* 3: signed, since others may have been so quick that the number is behind the tail */
        if
        :: number >= seen && number - seen >= CAPACITY -> break /* full: counted as dropped */
        :: else
        fi;
#endif
#ifdef RESERVED_IN_TWO_STEPS
        head = number + 1; seen = number + 1
#else
        /* 4 */ atomic {
            if
            :: head == number -> head = number + 1; seen = number + 1
            :: else -> number = head; seen = 0
            fi
        }
#endif
        if
        :: seen == 0
        :: else ->
            /* 5 */
#ifndef PUBLISHED_BEFORE_FILLED
            fill(value);
#endif
            /* 6 */ atomic { sequence[number % CAPACITY] = number + 1; published[value] = 1 };
#ifdef PUBLISHED_BEFORE_FILLED
            fill(value);
#endif
            break
        fi
    od
}

active proctype first() provided (!nested)
{
    byte number, seen;
    push(1);
    push(2);
    running--
}

active proctype interrupting()
{
    byte number, seen;
    nested = true;
    push(3);
    atomic { nested = false; running-- }
}

active proctype second()
{
    byte number, seen;
    push(4);
    push(5);
    running--
}

inline hand_over()
{
    d_step {
        unpublished = one == 0 || one != other || !published[one];
        assert(!unpublished);
        doubled = handed[one] > 0;
        assert(!doubled);
        handed[one]++;
        producer = (one < 3 -> 0 : (one == 3 -> 1 : 2));
        disordered = newest[producer] > one;
        assert(!disordered);
        newest[producer] = one;
        one = 0; other = 0; producer = 0
    }
}

active proctype reader()
{
    byte one, other, producer;
    do
    :: /* 7: the sequence */ sequence[tail % CAPACITY] == tail + 1 ->
#ifdef TAIL_BEFORE_HAND
        tail++;
        one = left[(tail - 1) % CAPACITY];
        other = right[(tail - 1) % CAPACITY];
#else
        /* 8: the record */
        one = left[tail % CAPACITY];
        other = right[tail % CAPACITY];
        /* 9: it is in hand */
        tail++;
#endif
        hand_over()
    od
}

active proctype audit()
{
    byte each;
    timeout ->
    d_step {
        stuck = running > 0;
        assert(!stuck);
        for (each : 1 .. 5) { lost = lost || (published[each] && !handed[each]) };
        assert(!lost)
    }
}
