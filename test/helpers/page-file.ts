import type { Test } from 'tap'

/** A page's file is served as it should be, whichever page it is of. */
export async function servesPageFile (t: Test, url: string, type: string): Promise<void> {
  const answer = await fetch(url)
  t.equal(answer.status, 200)
  t.equal(answer.headers.get('content-type'), type)
  t.equal(answer.headers.get('x-content-type-options'), 'nosniff')
  t.equal(answer.headers.get('cache-control'), 'no-cache')
  const policy = new Map(answer.headers.get('content-security-policy')!.split('; ').map((each) => [each.split(' ', 1)[0], each]))
  t.equal(policy.get('default-src'), "default-src 'none'")
  t.equal(policy.get('script-src'), "script-src 'self'")
  t.equal(policy.get('style-src'), "style-src 'self'")
  t.equal(policy.get('connect-src'), "connect-src 'self'")
  t.equal(policy.get('frame-ancestors'), "frame-ancestors 'none'")
  const body = await answer.text()
  t.notMatch(body, 'sourceMappingURL')

  const head = await fetch(url, { method: 'HEAD' })
  t.equal(head.status, 200)
  t.equal(head.headers.get('content-length'), String(Buffer.byteLength(body)))
  const known = await fetch(url, { headers: { 'if-none-match': answer.headers.get('etag')! } })
  t.equal(known.status, 304)
  t.equal(await known.text(), '')
  const other = await fetch(url, { headers: { 'if-none-match': '"another"' } })
  t.equal(other.status, 200)
  const posted = await fetch(url, { method: 'POST' })
  t.equal(posted.status, 405)
  t.equal(posted.headers.get('allow'), 'GET, HEAD')
}
