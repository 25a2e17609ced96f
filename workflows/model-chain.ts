// The chain of models that answer for an agent, asked in order.
import { ActivityFailure, isCancellation } from '@temporalio/workflow'
import { FAILURE } from '../contracts/temporal.ts'
import { failureOf } from './failures.ts'

/**
 * Asks one model after the other, from 0. The next one is asked after a failure that may pass and used up its attempts; a final one
 * (a wrong key, an unknown model, a refused request) ends the chain.
 * @param endsChain whether a final failure does: histories that were recorded before it did are replayed
 */
export async function askChain<T>(
  models: number,
  ask: (model: number) => Promise<T>,
  endsChain: () => boolean = () => true,
): Promise<T> {
  for (let model = 0; ; model += 1) {
    try {
      return await ask(model)
    } catch (error) {
      if (!(error instanceof ActivityFailure) || isCancellation(error) || model + 1 >= models) throw error
      if (failureOf(error)?.type === FAILURE.final && endsChain()) throw error
    }
  }
}
