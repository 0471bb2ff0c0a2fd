import type { FastifyRequest } from 'fastify'
import { BadMerchantId, MerchantMissing } from '../errors.js'
import { isMerchantId } from '../message.js'
import type { Identity, ListenQuery, Strategy } from './strategy.js'

/** AUTH_MODE=none: everybody may listen to the merchant they name. Never in production; config.ts sees to it. */
export const openStrategy: Strategy = {
  outlived: true,
  async authenticate (request: FastifyRequest): Promise<Identity> {
    const { merchantId } = request.query as ListenQuery
    if (merchantId === undefined || merchantId === '') throw new MerchantMissing()
    if (!isMerchantId(merchantId)) throw new BadMerchantId()
    return { merchantId }
  },
}
