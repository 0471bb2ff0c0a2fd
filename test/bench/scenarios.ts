import type { Story } from './event.js'

interface Named {
  readonly name: string
  readonly says: string
}

/** Many messages or many clients, by this service with history and without, and by the old design. */
export interface LoadScenario extends Named {
  readonly kind: 'load'
  readonly clients: number
  /** Clients and messages are dealt out to so many merchants in turn. */
  readonly merchants: number
  readonly messagesPerSecond: number
  /** How long is measured. */
  readonly seconds: number
  /** One of so many messages is timed, at each of its clients. */
  readonly sampleEvery: number
}

/** Clients with a token each, who all come at once. */
export interface StormScenario extends Named {
  readonly kind: 'storm'
  readonly clients: number
}

/** Clients of one merchant, of whom some hardly read. */
export interface SlowScenario extends Named {
  readonly kind: 'slow'
  readonly clients: number
  /** Of these; without them, it is measured too. */
  readonly slow: number
  /** A slow client reads so much. */
  readonly bytesPerSecond: number
  readonly messagesPerSecond: number
  readonly story: Story
  /** How long is measured. */
  readonly seconds: number
  readonly sampleEvery: number
}

/** Messages for merchants that have no client here, as most have none on any one of many instances. */
export interface RememberScenario extends Named {
  readonly kind: 'remember'
  /** Messages are dealt out to them in turn. */
  readonly merchants: number
  /** Through Redis. */
  readonly messagesPerSecond: number
  /** How long is measured through Redis. */
  readonly seconds: number
  /** So often is measured in the process alone, with history and without. */
  readonly turns: number
  readonly secondsPerTurn: number
}

/** Workflows that ran or might have, whose end is foretold while they are replayed. */
export interface EtaScenario extends Named {
  readonly kind: 'eta'
}

export type Scenario = LoadScenario | StormScenario | SlowScenario | RememberScenario | EtaScenario

export const scenarios: readonly Scenario[] = [
  { kind: 'load', name: 'broadcast', says: '4,000 clients of one merchant, 10 messages/s', clients: 4_000, merchants: 1, messagesPerSecond: 10, seconds: 20, sampleEvery: 1 },
  // 97 is prime, so that what is timed does not keep step with the publisher's ticks.
  { kind: 'load', name: 'burst', says: '500 clients of one merchant, 2,000 messages/s', clients: 500, merchants: 1, messagesPerSecond: 2_000, seconds: 10, sampleEvery: 97 },
  { kind: 'load', name: 'spread', says: '4,000 merchants with one client each, 5,000 messages/s', clients: 4_000, merchants: 4_000, messagesPerSecond: 5_000, seconds: 10, sampleEvery: 1 },
  { kind: 'load', name: 'idle', says: '15,000 clients, heartbeats only', clients: 15_000, merchants: 15_000, messagesPerSecond: 0, seconds: 15, sampleEvery: 1 },
  { kind: 'storm', name: 'storm', says: '10,000 clients with a token (HS256) and a merchant of their own each, all at once; twice', clients: 10_000 },
  {
    kind: 'slow',
    name: 'slow',
    says: '1,000 clients of one merchant, 500 messages/s, 2 of them completions, the others progress of 20 orders; without and with 100 clients that read 1 KB/s',
    clients: 1_000,
    slow: 100,
    bytesPerSecond: 1_024,
    messagesPerSecond: 500,
    story: { orders: 20, completionEvery: 250 },
    seconds: 20,
    sampleEvery: 97,
  },
  {
    kind: 'remember',
    name: 'remember',
    says: '10,000 merchants without clients, 50,000 messages/s through Redis, or by a loop in the process, as many as it takes',
    merchants: 10_000,
    messagesPerSecond: 50_000,
    seconds: 10,
    turns: 5,
    secondsPerTurn: 1,
  },
  { kind: 'eta', name: 'eta', says: 'how long workflows will still take, said while recorded and synthetic ones are replayed; with a plot' },
]
