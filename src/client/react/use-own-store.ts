import { useEffect, useMemo, useRef } from 'react'
import type { RealtimeOptions } from '../client.js'
import type { CredentialRequest } from '../connector.js'
import { RealtimeStore } from './store.js'

/**
 * A store that is connected as long as the component is mounted. Options that say something else make another one; other
 * functions for tokens and tickets do not, the latest are asked.
 * @returns `undefined` without options.
 */
export function useOwnStore (options: RealtimeOptions | undefined): RealtimeStore | undefined {
  const { url, merchantId, topics, getToken, getTicket, credentials, transport, heartbeatMs } = options ?? {}
  const latest = useRef({ getToken, getTicket })
  const byToken = getToken !== undefined
  const byTicket = getTicket !== undefined
  const topicsJson = JSON.stringify(topics)
  const store = useMemo(() => url === undefined
    ? undefined
    : new RealtimeStore({
      url,
      merchantId,
      topics: topicsJson === undefined ? undefined : JSON.parse(topicsJson) as string[],
      getToken: byToken ? async (request: CredentialRequest) => latest.current.getToken!(request) : undefined,
      getTicket: byTicket ? async (request: CredentialRequest) => latest.current.getTicket!(request) : undefined,
      credentials,
      transport,
      heartbeatMs,
    }), [url, merchantId, topicsJson, byToken, byTicket, credentials, transport, heartbeatMs])
  useEffect(() => { latest.current = { getToken, getTicket } })
  useEffect(() => store?.open(), [store])
  return store
}
