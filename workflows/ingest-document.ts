// One document: inspect it, parse it in batches of pages, index them under a hidden generation, then publish everything at
// once.
import { setCurrentDetails } from '@temporalio/workflow'
import type { JobInput } from '../contracts/job.ts'
import { inspectFile, parseBatch } from './activities.ts'
import { eachBatch } from './each-batch.ts'
import { ingestion } from './ingestion.ts'

/** Batches of one document that are parsed concurrently. */
const PARSING = 4

export function ingestDocument(job: JobInput): Promise<{ status: string }> {
  return ingestion(job, async ({ ref }) => {
    // Earlier histories do not say whether all batches are parsed: `parsed` is undefined there.
    const { pages, batches, parsed } = await inspectFile(ref)
    setCurrentDetails(`Parsing ${pages} pages`)
    await eachBatch(parsed ? 0 : batches, PARSING, (batch) =>
      parseBatch.executeWithOptions({ summary: `Batch ${batch} of ${batches}` }, [{ ...ref, batch }]),
    )
    return { batches, what: `${pages} pages` }
  })
}
