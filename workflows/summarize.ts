// A summary by map and reduce: the parts of a text in parallel, then level after level until one is left.
import { ActivityFailure, isCancellation, setCurrentDetails } from '@temporalio/workflow'
import type { JobRef } from '../contracts/engine.ts'
import { indexSummary, planSummary, summarizePart } from './activities.ts'
import { eachBatch } from './each-batch.ts'

/** Parts that are summarized concurrently. */
const SUMMARIZING = 3
/** After everything that a user waits for. */
const priority = { priorityKey: 4 }

export async function summarize(ref: JobRef, indexed: boolean): Promise<void> {
  const { parts, models } = await planSummary.executeWithOptions({ priority }, [ref])
  for (const [index, count] of parts.entries()) {
    const level = index + 1
    const last = level === parts.length
    setCurrentDetails(level === 1 ? `Summarizing ${count} parts` : `Summarizing ${parts[index - 1]} summaries`)
    await eachBatch(count, SUMMARIZING, (part) =>
      withFallback(models, (model) =>
        summarizePart.executeWithOptions({ summary: `Part ${part} of ${count}, level ${level}`, priority }, [
          { ...ref, level, part, last, model },
        ]),
      ),
    )
  }
  if (indexed && parts.length > 0) await indexSummary.executeWithOptions({ priority }, [ref])
}

/** Calls the models of a chain in order, the next one after a final failure. */
async function withFallback<T>(models: number, ask: (model: number) => Promise<T>): Promise<T> {
  for (let model = 0; ; model += 1) {
    try {
      return await ask(model)
    } catch (error) {
      if (!(error instanceof ActivityFailure) || isCancellation(error) || model + 1 >= models) throw error
    }
  }
}
