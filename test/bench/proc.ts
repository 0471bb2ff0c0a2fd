import { readFileSync } from 'node:fs'

/** Processor time that a process has used, in microseconds. */
export interface CpuTime {
  readonly user: number
  readonly system: number
}

/** USER_HZ: what /proc counts in, on every Linux that Node runs on. */
const MICROS_PER_TICK = 10_000
/** What /proc/net/sockstat counts in, but for some ARM machines. */
const PAGE_BYTES = 4_096

export function cpuTimeOf (pid: number): CpuTime {
  const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
  // Fields are counted from behind the command, which may contain spaces and ends with the last parenthesis.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return { user: Number(fields[11]) * MICROS_PER_TICK, system: Number(fields[12]) * MICROS_PER_TICK }
}

/** Processor time that anything on this machine has used, or that its hypervisor gave to others, in microseconds. */
export function cpuTimeOfAll (): number {
  const [user, nice, system, , , irq, softIrq, steal] = readFileSync('/proc/stat', 'latin1').split('\n', 1)[0]!.split(/\s+/).slice(1).map(Number) as [number, number, number, number, number, number, number, number]
  return (user + nice + system + irq + softIrq + steal) * MICROS_PER_TICK
}

/** Resident memory, in bytes. */
export function rssOf (pid: number): number {
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))?.[1]) * 1024
}

/** What the kernel holds for whatever is open, in bytes: its own records, and what is in the buffers of TCP sockets. */
export function kernelMemory (): number {
  const slab = Number(/^Slab:\s+(\d+) kB$/m.exec(readFileSync('/proc/meminfo', 'latin1'))?.[1]) * 1024
  const pages = Number(/^TCP:.* mem (\d+)$/m.exec(readFileSync('/proc/net/sockstat', 'latin1'))?.[1])
  return slab + pages * PAGE_BYTES
}

/** How often this machine has dropped a client's attempt to connect because the listening socket's queue was full. */
export function listenOverflows (): number {
  const [names = [], values = []] = readFileSync('/proc/net/netstat', 'latin1').split('\n').filter((line) => line.startsWith('TcpExt:')).map((line) => line.split(' '))
  return Number(values[names.indexOf('ListenOverflows')])
}

/** How many file descriptors a process may have; those that this one starts inherit it. */
export function fileLimit (): number {
  return Number(/^Max open files\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'latin1'))?.[1] ?? Infinity)
}
