/* Strikes: a signal that comes when so many bytecodes have begun, for tests of programs.
 *
 * Law: ordinary calls, of the main thread. The interpreter calls sigcffi_strikes_step before each
 * bytecode, as a trace function, which it cannot do with a function in Python but by looking for
 * signals within that: then a handler would run where the program never looks.
 */
#include "calls.h"

static int signal_to_raise;
static bool only_once;
static long countdown = LONG_MAX;

/* Have `signum` raised at the step of this number, and at each from then on unless it is wanted
 * `once`; 0: at none. */
void sigcffi_strikes_at(int signum, long number, bool once)
{
    signal_to_raise = signum;
    only_once = once;
    countdown = number > 0 ? number : LONG_MAX;
}

/* How many steps are left; 0 if the signal has been raised. */
long sigcffi_strikes_left(void)
{
    return countdown > 0 ? countdown : 0;
}

/* Nobody looks at what the interpreter passes as arguments. */
void sigcffi_strikes_step(void)
{
    if (countdown > 0) countdown--;
    if (countdown != 0) return;
    if (only_once) countdown = -1;
    raise(signal_to_raise);
}
