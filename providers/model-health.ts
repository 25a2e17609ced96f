// The health of models as this process sees it: a circuit breaker for each, and how soon it begins to answer.
import { ProviderFailure } from './failure.ts'
import type { Provider } from './provider.ts'

/** Failures in a row after which a model is not asked for a while. */
const FAILURES_TO_OPEN = 5
/** How long, in milliseconds: doubled each time a probe fails. */
const OPEN_MS = 30_000
const MAX_OPEN_MS = 300_000
/** Weight of the latest call in the average of first tokens. */
const LATEST = 0.3
/** Models that are kept. */
const MOST_MODELS = 1_000

export interface ModelState {
  /** `closed`: it is asked. `open`: it is not. `half_open`: one request is let through, to see. */
  state: 'closed' | 'open' | 'half_open'
  /** In a row. */
  failures: number
  /** Average time to the first piece of an answer. */
  first_token_ms?: number
}

/** A model as one holder of a key sees it: a refused key or a used-up quota says nothing about the calls of others. */
export interface Watched {
  /** `provider:model`, for those who read the states. */
  name: string
  /** The name and the address. */
  server: string
  /** Of an agent with a key of its own; empty for the operator's key. */
  holder: string
}

interface Circuit extends Pick<Watched, 'name'> {
  failures: number
  openedAt: number
  openMs: number
  isProbing: boolean
}

interface Speed {
  /** Whether its latest call ended without the first piece of an answer. */
  isSilent: boolean
  first_token_ms: number | undefined
}

/** The worst first. */
const STATES = ['open', 'half_open', 'closed'] as const

/** The time to the first piece that a model counts with whose latest call had none, in milliseconds. */
const SILENT_MS = 60_000

export class ModelHealth {
  /** By server and holder. */
  readonly #circuits = new Map<string, Circuit>()
  /** By server: how fast it is does not depend on the key. */
  readonly #speeds = new Map<string, Speed>()
  readonly #now: () => number

  /** @param now only tests use another clock */
  constructor(now = () => performance.now()) {
    this.#now = now
  }

  /** Whether a model is to be asked while there is another one to ask. */
  admits(watched: Pick<Watched, 'server' | 'holder'>): boolean {
    const circuit = this.#circuits.get(keyOf(watched))
    const state = this.#stateOf(circuit)
    return state === 'closed' || (state === 'half_open' && !circuit!.isProbing)
  }

  /** Every model that was asked, by its name: of several circuits the worst. */
  list(): Record<string, ModelState> {
    const states = new Map<string, ModelState>()
    for (const [key, circuit] of this.#circuits) {
      const { name, failures } = circuit
      const state = this.#stateOf(circuit)
      const first_token_ms = this.#speeds.get(serverOf(key))?.first_token_ms
      const known = states.get(name)
      if (known && STATES.indexOf(known.state) <= STATES.indexOf(state)) continue
      states.set(name, {
        state,
        failures,
        ...(first_token_ms !== undefined && { first_token_ms: Math.round(first_token_ms) }),
      })
    }
    return Object.fromEntries(states)
  }

  /** Average time to the first piece of an answer, in milliseconds; undefined of a server that has not answered. */
  firstTokenOf(server: string): number | undefined {
    const speed = this.#speeds.get(server)
    return speed?.isSilent ? SILENT_MS : speed?.first_token_ms
  }

  /** The provider, whose calls are counted. @param watchedOf names a model of it */
  watch(provider: Provider, watchedOf: (model: string) => Watched): Provider {
    return {
      name: provider.name,
      generate: async (request, onDelta, signal) => {
        const watched = watchedOf(request.model)
        const circuit = this.#circuitOf(watched)
        const speed = this.#speedOf(watched)
        const startedAt = this.#now()
        let isFirst = true
        const isProbe = this.#stateOf(circuit) === 'half_open'
        if (isProbe) circuit.isProbing = true
        try {
          const result = await provider.generate(
            request,
            (delta) => {
              if (isFirst) measure(speed, this.#now() - startedAt)
              isFirst = false
              return onDelta(delta)
            },
            signal,
          )
          circuit.failures = 0
          circuit.openMs = OPEN_MS
          return result
        } catch (error) {
          // A call that we have stopped says nothing about the model, unless it was stopped because the model is too slow.
          const reason: unknown = signal.aborted ? signal.reason : error
          if (reason instanceof ProviderFailure) {
            // A refused request says nothing about the model's state.
            if (reason.kind !== 'final') this.#failed(circuit, isProbe)
            // Else a model that never answers would stay unmeasured, and be tried first in every turn. What an agent's own key is
            // refused says nothing to others.
            const isOurs = reason.kind !== 'final' || watched.holder === ''
            if (isFirst && isOurs) speed.isSilent = true
          }
          throw error
        } finally {
          if (isProbe) circuit.isProbing = false
        }
      },
    }
  }

  #circuitOf(watched: Watched): Circuit {
    const { name } = watched
    return bounded(this.#circuits, keyOf(watched), {
      name,
      failures: 0,
      openedAt: 0,
      openMs: OPEN_MS,
      isProbing: false,
    })
  }

  #speedOf({ server }: Watched): Speed {
    return bounded(this.#speeds, server, { isSilent: false, first_token_ms: undefined })
  }

  #stateOf(circuit: Circuit | undefined): ModelState['state'] {
    if (!circuit || circuit.failures < FAILURES_TO_OPEN) return 'closed'
    return this.#now() - circuit.openedAt < circuit.openMs ? 'open' : 'half_open'
  }

  #failed(circuit: Circuit, isProbe: boolean): void {
    circuit.failures += 1
    if (circuit.failures < FAILURES_TO_OPEN) return
    if (isProbe) circuit.openMs = Math.min(circuit.openMs * 2, MAX_OPEN_MS)
    circuit.openedAt = this.#now()
  }
}

function measure(speed: Speed, ms: number): void {
  speed.isSilent = false
  const before = speed.first_token_ms
  speed.first_token_ms = before === undefined ? ms : before * (1 - LATEST) + ms * LATEST
}

function keyOf({ server, holder }: Pick<Watched, 'server' | 'holder'>): string {
  return `${server}\n${holder}`
}

function serverOf(key: string): string {
  return key.slice(0, key.indexOf('\n'))
}

/** The entry of a map; a new one may take the place of the oldest. */
function bounded<T>(map: Map<string, T>, key: string, fresh: T): T {
  const known = map.get(key)
  if (known) return known
  map.set(key, fresh)
  const [oldest] = map.keys()
  if (map.size > MOST_MODELS) map.delete(oldest!)
  return fresh
}
