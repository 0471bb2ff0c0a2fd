import { InvalidArgumentError } from 'commander'

/** How an option reads a number, within bounds where there are some. */
export function number (least = -Infinity, most = Infinity): (text: string) => number {
  return (text) => {
    const value = text.trim() === '' ? NaN : Number(text)
    if (!(value >= least && value <= most)) throw new InvalidArgumentError(`It takes a number${within(least, most)}.`)
    return value
  }
}

/** How an option reads a whole number, within bounds. */
export function whole (least: number, most: number): (text: string) => number {
  return (text) => {
    const value = /^\d+$/.test(text) ? Number(text) : NaN
    if (!(value >= least && value <= most)) throw new InvalidArgumentError(`It takes a whole number${within(least, most)}.`)
    return value
  }
}

function within (least: number, most: number): string {
  return least === -Infinity ? '' : `, ${least}–${most}`
}
