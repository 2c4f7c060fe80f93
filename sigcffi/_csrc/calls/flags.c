/* Flags: the cells that actions set, or ask.
 *
 * Law: ordinary calls, made outside handlers. A cell is given back when nobody looks at it any more
 * and no slot names it.
 */
#include "calls.h"

/* Under the lock */
static bool cell_taken[SIGCFFI_CELLS];

/* A cell for a flag, not set; -ENOSPC if there is none left. */
int sigcffi_flags_new(void)
{
    int result = -ENOSPC;
    sigcffi_lock_acquire();
    for (int cell = 0; cell < SIGCFFI_CELLS && result < 0; cell++)
        if (!cell_taken[cell]) {
            cell_taken[cell] = true;
            atomic_store(&state.cells[cell], 0);
            result = cell;
        }
    sigcffi_lock_release();
    return result;
}

/* Nobody looks at it any more, and no slot names it. */
void sigcffi_flags_free(int cell)
{
    sigcffi_lock_acquire();
    cell_taken[cell] = false;
    sigcffi_lock_release();
}

/* Where it is, for whoever wants to look at it: 0, or 1 once the signal has come. */
int *sigcffi_flags_cell(int cell)
{
    return (int *)&state.cells[cell];
}

/* Lock held, in a forked child: nothing has been delivered to it. */
void sigcffi_flags_after_fork(void)
{
    for (int cell = 0; cell < SIGCFFI_CELLS; cell++) atomic_store(&state.cells[cell], 0);
}
