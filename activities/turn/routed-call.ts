// Whether a model of a chain is asked in a step: not while its circuit is open, not beyond the limits of its agent.
import { ProviderFailure } from '../../providers/failure.ts'
import type { Provider } from '../../providers/provider.ts'
import type { ChainModel, ModelRegistry } from '../../providers/registry.ts'
import { watchedOf } from '../../providers/registry.ts'
import { usualCost } from '../metered-call.ts'

interface Routed {
  model: ChainModel
  /** The agent's own key, when it has one. */
  api_key: string | undefined
  /** Whether no model of the chain is left after it. */
  isLast: boolean
  /** Estimated. */
  input_tokens: number
}

/** The provider, or one in its place that fails without sending anything, so that the next model of the chain is asked at once. */
export function routedCall(
  provider: Provider,
  { health }: Pick<ModelRegistry, 'health'>,
  { model, api_key, isLast, input_tokens }: Routed,
): Provider {
  const { max_cost_usd, max_first_token_ms } = model
  const cost = usualCost(model, input_tokens)
  // Where the price is not known, nothing is known to be too dear.
  if (max_cost_usd !== undefined && cost !== undefined && cost > max_cost_usd)
    return refusing(
      provider.name,
      isLast ? 'final' : 'retry',
      `was not asked: the call would cost more than ${max_cost_usd} USD`,
    )
  // The last one is asked whatever its state: there is no other.
  if (isLast) return provider
  if (!health.admits(watchedOf(model, api_key)))
    return refusing(provider.name, 'retry', 'was not asked: it has failed several times in a row')
  return max_first_token_ms === undefined ? provider : withinFirstToken(provider, max_first_token_ms)
}

function refusing(name: string, kind: 'final' | 'retry', how: string): Provider {
  const failure = () =>
    new ProviderFailure(kind, `The model ${how}`, { provider: name, how, goes_on: true, is_unsent: true })
  return { name, generate: () => Promise.reject(failure()) }
}

/** A model that has not begun to answer in time is given up for the next one. */
function withinFirstToken(provider: Provider, ms: number): Provider {
  return {
    name: provider.name,
    async generate(request, onDelta, signal) {
      const how = `did not begin to answer within ${ms} ms`
      const tooLate = new ProviderFailure('retry', `The model ${how}`, { provider: provider.name, how, goes_on: true })
      const late = new AbortController()
      const timer = setTimeout(() => late.abort(tooLate), ms)
      try {
        return await provider.generate(
          request,
          (delta) => {
            clearTimeout(timer)
            return onDelta(delta)
          },
          AbortSignal.any([signal, late.signal]),
        )
      } catch (error) {
        if (!late.signal.aborted || signal.aborted) throw error
        throw tooLate
      } finally {
        clearTimeout(timer)
      }
    },
  }
}
