// Calls that reach another agent: their limits.

/** How deep agents may ask each other below the turn of a client. */
export const MAX_DEPTH = 3
/** How often a turn may be handed over. */
export const MAX_HANDOFFS = 5
/** Turns below that of a client which may run at once. */
export const MAX_AT_ONCE = 32
