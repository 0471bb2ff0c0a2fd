/** Numbers as they are read at a glance: three digits, and what they are of. */

const number = (digits: number) => new Intl.NumberFormat('en', { maximumFractionDigits: digits })
const formats = [number(0), number(1), number(2)] as const

export type Format = (value: number | null | undefined) => string

const orDash = (format: (value: number) => string): Format => (value) => value === null || value === undefined ? '–' : format(value)

/** With as many decimals as make three digits. */
function short (value: number): string {
  const size = Math.abs(value)
  return formats[size >= 100 ? 0 : size >= 10 ? 1 : 2].format(value)
}

export const whole = orDash((value) => formats[0].format(value))
export const rate = orDash((value) => value >= 1e6 ? `${short(value / 1e6)} M` : value >= 1e5 ? `${short(value / 1e3)} k` : value >= 100 ? formats[0].format(value) : short(value))
export const milliseconds = orDash((value) => value >= 1_000 ? `${short(value / 1_000)} s` : `${short(value)} ms`)
export const percent = orDash((value) => `${formats[value >= 10 ? 0 : 1].format(value)} %`)
export const bytes = orDash((value) => value >= 1e9 ? `${short(value / 1e9)} GB` : value >= 1e6 ? `${short(value / 1e6)} MB` : value >= 1e3 ? `${short(value / 1e3)} kB` : `${formats[0].format(value)} B`)

/** How long something has lasted, in the two units that matter. */
export function duration (ms: number): string {
  const seconds = Math.floor(ms / 1_000)
  const parts = [['d', 86_400], ['h', 3_600], ['min', 60], ['s', 1]] as const
  const first = Math.max(0, parts.findIndex(([, size]) => seconds >= size))
  if (seconds < 1) return '0 s'
  return parts.slice(first, first + 2)
    .map(([unit, size], i) => `${Math.floor((i === 0 ? seconds : seconds % parts[first]![1]) / size)} ${unit}`)
    .filter((part, i) => i === 0 || !part.startsWith('0 ')).join(' ')
}

export const clock = (seconds: number): string => new Date(seconds * 1_000).toLocaleTimeString('en-GB')
