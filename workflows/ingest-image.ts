// One image: prepared for models, described by the first of the models that take images, read by OCR, and both texts
// indexed.
import { setCurrentDetails } from '@temporalio/workflow'
import type { JobInput } from '../contracts/job.ts'
import { describeImage, prepareImage, readImage } from './activities.ts'
import { ingestion } from './ingestion.ts'
import { askChain } from './model-chain.ts'

export function ingestImage(job: JobInput): Promise<{ status: string }> {
  return ingestion(job, async ({ ref }) => {
    setCurrentDetails('Preparing the picture')
    // In histories without their number one model is asked.
    const { describe, models = 1 } = await prepareImage(ref)
    if (describe) {
      setCurrentDetails('Describing the picture')
      await askChain(models, (model) => describeImage({ ...ref, model }))
    }
    setCurrentDetails('Reading the text in the picture')
    await readImage(ref)
    return { batches: 1, what: 'a picture' }
  })
}
