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

interface Circuit {
  failures: number
  openedAt: number
  openMs: number
  isProbing: boolean
  /** Whether its latest call ended without the first piece of an answer. */
  isSilent: boolean
  first_token_ms: number | undefined
}

/** The time to the first piece that a model counts with whose latest call had none, in milliseconds. */
const SILENT_MS = 60_000

export class ModelHealth {
  readonly #circuits = new Map<string, Circuit>()
  readonly #now: () => number

  /** @param now only tests use another clock */
  constructor(now = () => performance.now()) {
    this.#now = now
  }

  /** Whether a model is to be asked while there is another one to ask. */
  admits(key: string): boolean {
    const state = this.#stateOf(this.#circuits.get(key))
    return state === 'closed' || (state === 'half_open' && !this.#circuits.get(key)!.isProbing)
  }

  /** Every model that was asked, by its name. */
  list(): Record<string, ModelState> {
    return Object.fromEntries(
      [...this.#circuits].map(([key, circuit]) => {
        const { failures, first_token_ms } = circuit
        const state = this.#stateOf(circuit)
        return [
          key,
          { state, failures, ...(first_token_ms !== undefined && { first_token_ms: Math.round(first_token_ms) }) },
        ]
      }),
    )
  }

  /** Average time to the first piece of an answer, in milliseconds; undefined of a model that has not answered. */
  firstTokenOf(key: string): number | undefined {
    const circuit = this.#circuits.get(key)
    return circuit?.isSilent ? SILENT_MS : circuit?.first_token_ms
  }

  /** The provider, whose calls are counted. @param keyOf names a model of it */
  watch(provider: Provider, keyOf: (model: string) => string): Provider {
    return {
      name: provider.name,
      generate: async (request, onDelta, signal) => {
        const circuit = this.#of(keyOf(request.model))
        const startedAt = this.#now()
        let isFirst = true
        const isProbe = this.#stateOf(circuit) === 'half_open'
        if (isProbe) circuit.isProbing = true
        try {
          const result = await provider.generate(
            request,
            (delta) => {
              if (isFirst) this.#answered(circuit, this.#now() - startedAt)
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
            // Else a model that never answers would stay unmeasured, and be tried first in every turn.
            if (isFirst) circuit.isSilent = true
            // A refused request says nothing about the model's state.
            if (reason.kind !== 'final') this.#failed(circuit, isProbe)
          }
          throw error
        } finally {
          if (isProbe) circuit.isProbing = false
        }
      },
    }
  }

  #of(key: string): Circuit {
    const known = this.#circuits.get(key)
    if (known) return known
    const made = {
      failures: 0,
      openedAt: 0,
      openMs: OPEN_MS,
      isProbing: false,
      isSilent: false,
      first_token_ms: undefined,
    }
    this.#circuits.set(key, made)
    const [oldest] = this.#circuits.keys()
    if (this.#circuits.size > MOST_MODELS) this.#circuits.delete(oldest!)
    return made
  }

  #stateOf(circuit: Circuit | undefined): ModelState['state'] {
    if (!circuit || circuit.failures < FAILURES_TO_OPEN) return 'closed'
    return this.#now() - circuit.openedAt < circuit.openMs ? 'open' : 'half_open'
  }

  #answered(circuit: Circuit, ms: number): void {
    circuit.isSilent = false
    const before = circuit.first_token_ms
    circuit.first_token_ms = before === undefined ? ms : before * (1 - LATEST) + ms * LATEST
  }

  #failed(circuit: Circuit, isProbe: boolean): void {
    circuit.failures += 1
    if (circuit.failures < FAILURES_TO_OPEN) return
    if (isProbe) circuit.openMs = Math.min(circuit.openMs * 2, MAX_OPEN_MS)
    circuit.openedAt = this.#now()
  }
}
