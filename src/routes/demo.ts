import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type, type Static } from '@sinclair/typebox'
import { BadMerchantId, RateExceeded } from '../errors.js'
import { isMerchantId } from '../message.js'
import { onlyMethods } from './only-methods.js'
import { onlyOwnPages } from './own-pages.js'
import { pageFiles, type ReadPageFile } from './page-files.js'

/** What the page has to know of the instance that it comes from. */
export interface DemoInstance {
  readonly broker: string
  readonly channelPrefix: string
  readonly heartbeatMs: number
  /** Whether a listener shows a token; without, anybody names a merchant. */
  readonly needsToken: boolean
  /** Whether a publisher shows a key; the page has none, and starts no orders then. */
  readonly needsKey: boolean
}

export interface DemoOptions {
  readonly instance: DemoInstance
  readonly readFile: ReadPageFile
  /** Starts simulated orders and gives their `poId`s; `undefined` where that would be too many at a time. */
  readonly startOrders: (wanted: Static<typeof WantedOrders>) => readonly string[] | undefined
}

const FILES = [
  ['/', 'index.html', 'text/html; charset=utf-8'],
  ['/demo/page.js', 'page.js', 'text/javascript; charset=utf-8'],
  ['/demo/page.css', 'page.css', 'text/css; charset=utf-8'],
] as const

const WantedOrders = Type.Object({
  merchantId: Type.String(),
  count: Type.Integer({ minimum: 1, maximum: 5 }),
  fail: Type.Boolean(),
  speed: Type.Number({ minimum: 1, maximum: 50 }),
}, { additionalProperties: false })
const MAX_BODY_BYTES = 1_024
/** In about so many seconds one of the orders under way has ended. */
const RETRY_AFTER_S = 5

/** The demo page at `/`, what it is told of the instance, and what its buttons do. For development. */
export const demoRoute: FastifyPluginAsyncTypebox<DemoOptions> = async (app, { instance, readFile, startOrders }) => {
  pageFiles(app, FILES, readFile)

  onlyMethods(app, '/demo/instance', ['GET', 'HEAD'])
  app.get('/demo/instance', async () => instance)

  if (instance.needsKey) return
  onlyMethods(app, '/demo/orders', ['POST'])
  app.post('/demo/orders', {
    schema: { body: WantedOrders },
    bodyLimit: MAX_BODY_BYTES,
    // No page but this one starts any. What is no page at all could as well publish them itself.
    onRequest: onlyOwnPages,
    async handler ({ body }, reply) {
      if (!isMerchantId(body.merchantId)) throw new BadMerchantId()
      const poIds = startOrders(body)
      if (poIds === undefined) {
        reply.header('retry-after', RETRY_AFTER_S)
        throw new RateExceeded('simulated orders at a time')
      }
      return reply.code(202).send({ poIds })
    },
  })
}
