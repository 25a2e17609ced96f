// One image: prepared for models, described by a model that takes images if there is one, read by OCR, and both texts
// indexed.
import { setCurrentDetails } from '@temporalio/workflow'
import type { JobInput } from '../contracts/job.ts'
import { describeImage, prepareImage, readImage } from './activities.ts'
import { ingestion } from './ingestion.ts'

export function ingestImage(job: JobInput): Promise<{ status: string }> {
  return ingestion(job, async ({ ref }) => {
    setCurrentDetails('Preparing the picture')
    const { describe } = await prepareImage(ref)
    if (describe) {
      setCurrentDetails('Describing the picture')
      await describeImage(ref)
    }
    setCurrentDetails('Reading the text in the picture')
    await readImage(ref)
    return { batches: 1, what: 'a picture' }
  })
}
