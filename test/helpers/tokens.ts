import { createHmac } from 'node:crypto'
import { exportJWK, exportSPKI, generateKeyPair, SignJWT, type CryptoKey, type JWK, type JWTHeaderParameters } from 'jose'

export type Claims = Record<string, unknown>

/** A NumericDate (RFC 7519 §2) so many seconds from now. */
export function inSeconds (seconds: number): number {
  return Math.floor(Date.now() / 1_000) + seconds
}

/** A token as a well-behaved issuer makes it. */
export async function mint (claims: Claims, secret: string, header: JWTHeaderParameters = { alg: 'HS256' }): Promise<string> {
  return new SignJWT(claims).setProtectedHeader(header).sign(Buffer.from(secret))
}

/** A token that no library would make, signed by HMAC with whatever is at hand, or not at all. */
export function forge (header: unknown, payload: unknown, secret?: string, hash = 'sha256'): string {
  const [head, body] = [header, payload].map((part) => Buffer.from(typeof part === 'string' ? part : JSON.stringify(part)).toString('base64url'))
  const input = `${head}.${body}`
  return `${input}.${secret === undefined ? '' : createHmac(hash, secret).update(input).digest('base64url')}`
}

/** A key pair of an issuer that publishes the public half. */
export class IssuerKey {
  readonly jwk: JWK
  readonly pem: string
  readonly #alg: string
  readonly #key: CryptoKey

  private constructor (alg: string, key: CryptoKey, jwk: JWK, pem: string) {
    this.#alg = alg
    this.#key = key
    this.jwk = jwk
    this.pem = pem
  }

  /** @param published what the key set says beside the key itself, such as its `kid`. */
  static async create (alg: string, published: JWK = {}, modulusLength = 2_048): Promise<IssuerKey> {
    const { publicKey, privateKey } = await generateKeyPair(alg, { extractable: true, modulusLength })
    return new IssuerKey(alg, privateKey, { ...await exportJWK(publicKey), ...published }, await exportSPKI(publicKey))
  }

  async mint (claims: Claims, header: Partial<JWTHeaderParameters> = {}): Promise<string> {
    const { kid } = this.jwk
    return new SignJWT(claims).setProtectedHeader({ alg: this.#alg, ...(kid !== undefined && { kid }), ...header }).sign(this.#key)
  }
}
