// Runs batches with bounded concurrency.
import { CancellationScope } from '@temporalio/workflow'

/** Runs batches 1 to n in order with bounded concurrency; the first failure cancels the others. */
export async function eachBatch(
  count: number,
  width: number,
  work: (batch: number) => Promise<unknown>,
): Promise<void> {
  const scope = new CancellationScope()
  await scope.run(async () => {
    let next = 1
    const lane = async () => {
      while (next <= count) await work(next++)
    }
    const lanes = Array.from({ length: Math.min(width, count) }, lane)
    try {
      await Promise.all(lanes)
    } catch (error) {
      scope.cancel()
      await Promise.allSettled(lanes)
      throw error
    }
  })
}
