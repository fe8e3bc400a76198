/** Milliseconds since the Unix epoch. Handed to whatever needs the time, so that tests can move it. */
export type Clock = () => number

/** The process's clock; the only place that asks the system for the time. */
export const systemClock: Clock = () => Date.now()
