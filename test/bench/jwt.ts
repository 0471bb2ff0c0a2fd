import { createHmac, createPublicKey, timingSafeEqual, verify as verifySignature, type KeyObject } from 'node:crypto'
import { availableParallelism, cpus } from 'node:os'
import { createVerifier, type Algorithm } from 'fast-jwt'
import { jwtVerify } from 'jose'
import { forge, inSeconds, IssuerKey, mint } from '../helpers/tokens.js'

/*
 * What the verification of one token costs in CPU time, all threads together, by library and algorithm: it decides how
 * fast a reconnect storm is admitted. `npx tsx test/bench/jwt.ts`; the table in src/auth/README.md is from here.
 */

const ROUNDS = 5
const ROUND_MS = 400
const SECRET = 'a secret of this benchmark that is long enough'
const CLAIMS = { iss: 'https://issuer.example', aud: 'realtime', merchantId: 'acme', exp: inSeconds(3_600), nbf: inSeconds(0) }

type Verify = (token: string) => unknown

/** The least that can be done: what a library does beside the signature is its own cost. */
function byHand (alg: string, key: KeyObject | undefined): Verify {
  return (token) => {
    const dot = token.lastIndexOf('.')
    const input = Buffer.from(token.slice(0, dot))
    const signature = Buffer.from(token.slice(dot + 1), 'base64url')
    const [head, body] = token.split('.', 2).map((part) => JSON.parse(Buffer.from(part, 'base64url').toString()) as Record<string, unknown>)
    const good = key === undefined
      ? timingSafeEqual(createHmac('sha256', SECRET).update(input).digest(), signature)
      : verifySignature(alg === 'EdDSA' ? null : 'sha256', input, { key, dsaEncoding: 'ieee-p1363' }, signature)
    if (!good || head?.alg !== alg || Number(body?.exp) * 1_000 < Date.now()) throw new Error('refused')
  }
}

/** Microseconds of CPU per call, the best of some rounds: whatever else the machine does only adds to it. */
async function measure (verify: Verify, token: string): Promise<number> {
  let best = Infinity
  for (let round = 0; round < ROUNDS; round++) {
    const [before, start] = [process.cpuUsage(), performance.now()]
    let calls = 0
    while (performance.now() - start < ROUND_MS) {
      for (let i = 0; i < 100; i++) await verify(token)
      calls += 100
    }
    const { user, system } = process.cpuUsage(before)
    best = Math.min(best, (user + system) / calls)
  }
  return best
}

/** A library that accepts what it must refuse is not worth measuring. */
async function mustRefuse (verify: Verify, token: string): Promise<void> {
  try {
    await verify(token)
  } catch {
    return // As it should be.
  }
  throw new Error('a forged token was accepted')
}

console.log(`${availableParallelism()} × ${cpus()[0]?.model.trim()}, Node ${process.versions.node}; µs of CPU per verification`)
console.log('|  | jose | fast-jwt | node:crypto by hand |\n|---|---:|---:|---:|')
for (const alg of ['HS256', 'RS256', 'ES256', 'EdDSA'] satisfies Algorithm[]) {
  const issuer = alg === 'HS256' ? undefined : await IssuerKey.create(alg)
  const key = issuer === undefined ? undefined : createPublicKey(issuer.pem)
  const token = await (issuer?.mint(CLAIMS) ?? mint(CLAIMS, SECRET))
  const secret = Buffer.from(SECRET)
  const candidates: Verify[] = [
    async (token) => jwtVerify(token, key ?? secret, { algorithms: [alg] }),
    createVerifier({ key: issuer?.pem ?? SECRET, algorithms: [alg], cache: false }),
    byHand(alg, key),
  ]
  const costs: string[] = []
  for (const verify of candidates) {
    await mustRefuse(verify, forge({ alg }, CLAIMS, 'another secret'))
    costs.push((await measure(verify, token)).toFixed(1))
  }
  console.log(`| ${alg} | ${costs.join(' | ')} |`)
}
