/**
 * Microseconds on the machine's monotonic clock. Its zero is the same in all processes of a machine, so what one
 * process publishes can be timed by another; wall clocks are stepped and slewed.
 */
export const micros = (): number => Number(process.hrtime.bigint() / 1_000n)
