// A summary by map and reduce: the parts of a text in parallel, then level by level until one is left.
import { patched, setCurrentDetails } from '@temporalio/workflow'
import type { JobRef } from '../contracts/job.ts'
import { indexSummary, planSummary, summarizePart } from './activities.ts'
import { eachBatch } from './each-batch.ts'
import { askChain } from './model-chain.ts'

/** Parts that are summarized concurrently. */
const SUMMARIZING = 3
/** In histories without it the next model was asked after a final failure too. */
const FINAL_ENDS_CHAIN = 'final-failure-ends-chain'
/** After all tasks that a user waits for. */
const priority = { priorityKey: 4 }

export async function summarize(ref: JobRef, indexed: boolean): Promise<void> {
  const { parts, models } = await planSummary.executeWithOptions({ priority }, [ref])
  for (const [index, count] of parts.entries()) {
    const level = index + 1
    const last = level === parts.length
    setCurrentDetails(level === 1 ? `Summarizing ${count} parts` : `Summarizing ${parts[index - 1]} summaries`)
    await eachBatch(count, SUMMARIZING, (part) =>
      askChain(
        models,
        (model) =>
          summarizePart.executeWithOptions({ summary: `Part ${part} of ${count}, level ${level}`, priority }, [
            { ...ref, level, part, last, model },
          ]),
        () => patched(FINAL_ENDS_CHAIN),
      ),
    )
  }
  if (indexed && parts.length > 0) await indexSummary.executeWithOptions({ priority }, [ref])
}
