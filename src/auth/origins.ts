const LOCAL = /^https?:\/\/(?:[a-z0-9-]+\.)*(?:localhost|127\.0\.0\.1|\[::1\])(?::\d+)?$/

/** Which web pages may use the service. Requests that no page made carry no `Origin`, and are none of its business. */
export class Origins {
  readonly #listed: ReadonlySet<string>
  readonly #localToo: boolean

  /** @param localToo pages of this machine may, too, where none are listed: for development. */
  constructor (listed: readonly string[], localToo: boolean) {
    this.#listed = new Set(listed)
    this.#localToo = localToo && listed.length === 0
  }

  /** Whether a page of this origin may use the service from another host: what CORS grants. */
  grants (origin: string): boolean {
    return this.#listed.has(origin) || (this.#localToo && LOCAL.test(origin))
  }

  /** Whether a request with this `Origin` to this `Host` may go on: granted, or a page of the service's own host. */
  admits (origin: string, host: string): boolean {
    return this.grants(origin) || isOwn(origin, host)
  }
}

/** Whether pages of this origin are of the host that was asked. */
export function isOwn (origin: string, host: string): boolean {
  return origin === `https://${host}` || origin === `http://${host}`
}
