// Loaded into a service (node --expose-gc --import): on SIGWINCH it says what its heap holds when all garbage is gone.
process.on('SIGWINCH', () => {
  globalThis.gc()
  process.stdout.write(`${JSON.stringify({ level: 30, msg: 'garbage collected', heapUsed: process.memoryUsage().heapUsed })}\n`)
})
