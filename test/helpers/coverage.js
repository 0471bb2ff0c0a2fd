import { mkdirSync, writeFileSync } from 'node:fs'
import { Session } from 'node:inspector'

// Loaded into a process of ours (node --import) while tap measures coverage: at its end, it says what of dist has run.
const session = new Session()
session.connect()
session.post('Profiler.enable')
session.post('Profiler.startPreciseCoverage', { callCount: true, detailed: true })
const dist = new URL('../../dist/', import.meta.url)
const folder = new URL('../../.tap/coverage/', import.meta.url)

process.on('exit', () => {
  session.post('Profiler.takePreciseCoverage', (error, coverage) => {
    if (error !== null) throw error
    mkdirSync(folder, { recursive: true })
    const result = coverage.result.filter(({ url }) => url.startsWith(dist.href))
    writeFileSync(new URL(`${process.pid}-${Date.now()}.json`, folder), JSON.stringify({ result }))
  })
})
