"""Stop a loop that numba has compiled. It must read the flag with an atomic load: an element of an
array would be read only once, before the loop, since nothing in the loop writes it.
"""

import sys

import sigcffi as signal

try:
    from llvmlite import ir
    from numba import njit, types
    from numba.extending import intrinsic
except ImportError:
    sys.exit("numba is not installed")


@intrinsic
def is_set(typing_context, address):
    def generate(context, builder, signature, arguments):
        pointer = builder.inttoptr(arguments[0], ir.IntType(32).as_pointer())
        return builder.load_atomic(pointer, "monotonic", 4)

    return types.int32(types.intp), generate


@njit("float64(intp)")
def leibniz(stop):
    total, sign, k = 0.0, 1.0, 0
    while not is_set(stop):
        total += sign / (2 * k + 1)
        sign = -sign
        k += 1
    return 4 * total


with signal.actions.flag(signal.SIGVTALRM) as stop:
    signal.setitimer(signal.ITIMER_VIRTUAL, 0.2)
    print(f"numba: about {leibniz(stop.address):.2f}")
