import { resolve } from 'node:path'

/** Whether tap measures coverage. */
const measured = process.env._TAPJS_PROCESSINFO_COVERAGE_ === '1'

/** The command of Node.js past tap's hooks, for what is not ours or is compiled anew, which would confuse the coverage. */
export const PLAIN_NODE = ['env', '-u', 'NODE_OPTIONS', process.execPath] as const

/**
 * The command by which a process of ours is started. It goes past tap's hooks, which every child would have by
 * NODE_OPTIONS: with them, a service takes twice as long to start. What it covers is counted nevertheless.
 */
export const NODE: readonly [string, ...string[]] = [...PLAIN_NODE, ...(measured ? ['--import', resolve('test/helpers/coverage.js')] : [])]
