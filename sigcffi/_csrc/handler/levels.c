/* Levels: which of the trampoline's entry points a handler is, and what stands beneath it.
 *
 * Law: handler context, and outside handlers. The table of the entry points is filled in once, at
 * the start, by the trampoline, which lies above this file.
 */
#include "handler.h"

#if SIGCFFI_HAS_RETURN
/* How our handlers return, and no other: where the kernel has called one, there it returns to. The
 * instruction before belongs to it: unwinders ask about the address before a return address. */
__asm__(
    ".text\n\t.balign 16\n\tnop\n"
    ".globl sigcffi_levels_return\n.hidden sigcffi_levels_return\n"
    ".type sigcffi_levels_return, %function\n"
    "sigcffi_levels_return:\n\t" SIGCFFI_RETURN
    ".size sigcffi_levels_return, . - sigcffi_levels_return\n");
#endif

/* handler context, or outside handlers. Which level of the trampoline a handler is, or -1. */
int sigcffi_levels_find(uintptr_t handler)
{
    int level = SIGCFFI_LEVELS - 1;
    while (level >= 0 && handler != state.trampoline.levels[level]) level--;
    return level;
}

/* handler context, or outside handlers. What stands beneath the trampoline, if `handler` is that;
 * else the handler. */
uintptr_t sigcffi_levels_beneath(int signum, uintptr_t handler)
{
    int level = sigcffi_levels_find(handler);
    return level < 0 ? handler : atomic_load(&state.dispositions.bases[level][signum].handler);
}
