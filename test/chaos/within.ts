/** Something has not come about in time. */
export class Overdue extends Error {
  override name = 'Overdue'
}

/**
 * What is promised, if it comes within so many milliseconds.
 * @param missing says, when it has not come, what is missing.
 * @throws {Overdue} after that.
 */
export async function within<T> (ms: number, promised: Promise<T>, missing: () => string): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const overdue = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => { reject(new Overdue(`after ${(ms / 1_000).toFixed(0)} s, ${missing()}`)) }, ms)
  })
  try {
    return await Promise.race([promised, overdue])
  } finally {
    clearTimeout(timer)
  }
}
