/** Numbers as they are read at a glance: three digits, and what they are of. */

/** Between a number and its unit, where no line breaks. */
const NBSP = '\u00a0'

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
export const rate = orDash((value) => value >= 1e6 ? `${short(value / 1e6)}${NBSP}M` : value >= 1e5 ? `${short(value / 1e3)}${NBSP}k` : value >= 100 ? formats[0].format(value) : short(value))
export const milliseconds = orDash((value) => value >= 1_000 ? `${short(value / 1_000)}${NBSP}s` : `${short(value)}${NBSP}ms`)
export const percent = orDash((value) => `${formats[value >= 10 ? 0 : 1].format(value)}${NBSP}%`)
export const bytes = orDash((value) => value >= 1e9 ? `${short(value / 1e9)}${NBSP}GB` : value >= 1e6 ? `${short(value / 1e6)}${NBSP}MB` : value >= 1e3 ? `${short(value / 1e3)}${NBSP}kB` : `${formats[0].format(value)}${NBSP}B`)

/** How long something has lasted, in whole ones of the greatest unit that there is one of. */
export function duration (ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1_000))
  const units = [['d', 86_400], ['h', 3_600], ['min', 60]] as const
  const [unit, size] = units.find(([, size]) => seconds >= size) ?? ['s', 1]
  return `${Math.floor(seconds / size)}${NBSP}${unit}`
}

export const clock = (seconds: number): string => new Date(seconds * 1_000).toLocaleTimeString('en-GB')
export const day = (ms: number): string => new Date(ms).toLocaleString('en-GB', { day: 'numeric', month: 'short', hour: '2-digit', minute: '2-digit' })
