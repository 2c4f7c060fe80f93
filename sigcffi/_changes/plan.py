"""The plan of a change: by which steps what is done about a signal becomes something else.

Law: pure. A plan follows from what is wanted and from what there is, and nothing is asked, neither
the kernel nor the interpreter, so that every plan can be looked at without a signal.
``installing`` carries plans out.

A signal may come between any two steps. It is neither lost nor met by a default action that nobody
asked for, since every plan keeps to this order:

- An entry is complete before the interpreter runs the dispatcher for its signal, and goes when the
  interpreter runs something else.
- What is given to the interpreter passes through the kernel: the interpreter's C handler stands
  there for an instant, without the trampoline. Where a record or an action could miss the signal
  in that instant, the signal is held, which means blocked in this thread, until the trampoline is
  back.
- Recording ends before a handler is there that is not the dispatcher's. Where actions in C keep the
  trampoline in its place, the default action is beneath it first.

The table in docs/architecture.md shows them all.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    Steps = tuple[str, ...]
    Plan = tuple[Steps, Steps, Steps]  # before the signal is held, meanwhile, and after that

__all__ = ["WANTED", "plan_of"]

INFO = "handler of SigInfo"
BARE = "Python handler"
COVERED = "Python handler beneath the trampoline"
FLAGGED = "Python handler with flags"
NONE = "SIG_DFL or SIG_IGN"
NONE_FLAGGED = "SIG_DFL or SIG_IGN with flags"
FOREIGN = "foreign handler"
OVER = "foreign handler over a Python handler"
OVER_INFO = "foreign handler over a handler of SigInfo"
WANTED = (INFO, BARE, COVERED, FLAGGED, NONE, NONE_FLAGGED, FOREIGN, OVER, OVER_INFO)


def plan_of(wanted: str, *, subscribed: bool, dispatched: bool, slotted: bool) -> Plan:
    """The steps by which a signal comes to what is *wanted* (one of ``WANTED``).

    *subscribed*: it has subscribers. *dispatched*: the interpreter runs the dispatcher for it
    already. *slotted*: actions in C are attached to it.
    """
    if wanted in (INFO, OVER_INFO) or subscribed:
        if wanted == OVER_INFO and not subscribed:
            stand: Steps = ("stop recording", "put back", "record")
        elif wanted in (INFO, BARE, COVERED) or not dispatched:
            stand = ("dispatch",)
        else:
            stand = ("record",)
        under = ("put beneath",) if subscribed and wanted not in (INFO, BARE, COVERED) else ()
        if not dispatched:
            return ("enter", "recall"), ("register the dispatcher", *stand), ("settle", *under)
        if "stop recording" in stand:
            return ("enter",), stand, ()
        return ("enter", *stand, *under), (), ()
    if wanted == OVER:
        return (), ("register beneath", "stop recording", "put back"), ("leave",)
    if wanted == FOREIGN:
        return (), ("stop recording", "put back"), ("leave",)
    if wanted in (NONE, NONE_FLAGGED):
        if slotted:
            return ("put back", "register aside", "stop recording", "leave"), (), ()
        flags = ("put back",) if wanted == NONE_FLAGGED else ()
        register = ("resume", "register", "register aside", "stop recording")
        return (*register, *flags, "leave"), (), ()
    stand = {BARE: (), COVERED: ("cover",), FLAGGED: ("put back",)}[wanted]
    if slotted:
        return (), ("register", "stop recording", *(stand or ("cover",))), ("run due", "leave")
    return ("register", "stop recording", *stand, "leave"), (), ()
