import t from 'tap'
import { checkClaims } from '../src/auth/token.js'

/* When a token runs out, to the millisecond. All else that is checked of it is tested through the front door, in jwt.test.ts. */

const EXP = 1_800_000_000
const NOTHING = { issuer: undefined, audience: undefined }

t.test('a token runs out when it says so, or after the leeway where that let it in', async (t) => {
  const expiresAt = (now: number) => checkClaims({ exp: EXP }, NOTHING, now)
  t.equal(expiresAt(EXP * 1_000 - 60_000), EXP * 1_000)
  t.equal(expiresAt(EXP * 1_000 - 1), EXP * 1_000)
  t.equal(expiresAt(EXP * 1_000), EXP * 1_000 + 5_000)
  t.equal(expiresAt(EXP * 1_000 + 4_999), EXP * 1_000 + 5_000)
  t.throws(() => expiresAt(EXP * 1_000 + 5_000), { code: 'RTF_TOKEN_EXPIRED' })
})

t.test('a token begins when it says so, but for the leeway', async (t) => {
  const from = (now: number) => checkClaims({ exp: EXP + 60, nbf: EXP }, NOTHING, now)
  t.equal(from(EXP * 1_000 - 5_000), (EXP + 60) * 1_000)
  t.throws(() => from(EXP * 1_000 - 5_001), { code: 'RTF_BAD_TOKEN', message: /not valid yet/ })
})
