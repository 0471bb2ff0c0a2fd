export interface Scenario {
  readonly name: string
  readonly says: string
  readonly clients: number
  /** Clients and messages are dealt out to so many merchants in turn. */
  readonly merchants: number
  readonly messagesPerSecond: number
  /** How long is measured. */
  readonly seconds: number
  /** One of so many messages is timed, at each of its clients. */
  readonly sampleEvery: number
}

export const scenarios: readonly Scenario[] = [
  { name: 'broadcast', says: '4,000 clients of one merchant, 10 messages/s', clients: 4_000, merchants: 1, messagesPerSecond: 10, seconds: 20, sampleEvery: 1 },
  // 97 is prime, so that what is timed does not keep step with the publisher's ticks.
  { name: 'burst', says: '500 clients of one merchant, 2,000 messages/s', clients: 500, merchants: 1, messagesPerSecond: 2_000, seconds: 10, sampleEvery: 97 },
  { name: 'spread', says: '4,000 merchants with one client each, 5,000 messages/s', clients: 4_000, merchants: 4_000, messagesPerSecond: 5_000, seconds: 10, sampleEvery: 1 },
  { name: 'idle', says: '15,000 clients, heartbeats only', clients: 15_000, merchants: 15_000, messagesPerSecond: 0, seconds: 15, sampleEvery: 1 },
]
