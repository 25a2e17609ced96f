// Embeds everything again with another model: hidden vectors are filled in batches while searches use the former ones, then take
// their place, and the former ones are removed.
import { continueAsNew, setCurrentDetails, workflowInfo } from '@temporalio/workflow'
import type { JobInput } from '../contracts/job.ts'
import { embedChunks, planReembed, removeOldVectors, takeOverVectors } from './activities.ts'
import { runJob } from './ingestion.ts'

export async function reembed(job: JobInput): Promise<{ status: string }> {
  const ended = await runJob(job, async (ref) => {
    const { chunks } = await planReembed(ref)
    setCurrentDetails(`Embedding ${chunks} chunks`)
    do {
      while ((await embedChunks(ref)).left)
        if (workflowInfo().continueAsNewSuggested) await continueAsNew<typeof reembed>(job)
      // What was added meanwhile is embedded first.
    } while (!(await takeOverVectors(ref)).completed)
    setCurrentDetails('Completed: searches use the new vectors')
  })
  // Those of cancelled jobs are removed by the sweeper.
  await removeOldVectors()
  return ended
}
