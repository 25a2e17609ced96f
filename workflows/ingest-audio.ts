// One recording: normalized, cut at its silences, its segments transcribed in parallel, joined and indexed by time.
import { setCurrentDetails } from '@temporalio/workflow'
import type { JobInput } from '../contracts/job.ts'
import { prepareRecording, transcribeSegment } from './activities.ts'
import { eachBatch } from './each-batch.ts'
import { ingestion } from './ingestion.ts'

/** Segments of one recording that are transcribed concurrently. */
const TRANSCRIBING = 4

export function ingestAudio(job: JobInput): Promise<{ status: string }> {
  return ingestion(job, async ({ ref }) => {
    setCurrentDetails('Preparing the recording')
    const { segments, seconds } = await prepareRecording(ref)
    setCurrentDetails(`Transcribing ${seconds} s in ${segments} pieces`)
    await eachBatch(segments, TRANSCRIBING, (batch) =>
      transcribeSegment.executeWithOptions({ summary: `Piece ${batch} of ${segments}` }, [{ ...ref, batch }]),
    )
    return { batches: segments, what: `${seconds} s of sound` }
  })
}
