/* The state, in static memory: see state.h.
 *
 * Law: no code. Each struct in it has an owner, the file named beside it in state.h.
 */
#include "state.h"

struct channel channel;
struct state state;
