// The workflow of an ingestion in the sandbox: its batches, its failures, and what becomes of a turn that waits for it.
import { ApplicationFailure } from '@temporalio/activity'
import { afterEach, beforeAll, expect, it } from 'vitest'
import type { BatchRef, JobInput } from '../../contracts/job.ts'
import { FAILURE, TASK_QUEUE } from '../../contracts/temporal.ts'
import { reply, untilCancelled, WorkflowSandbox, type Scripted } from '../support/workflow-sandbox.ts'

const PARSING = 4

let sandbox: WorkflowSandbox
beforeAll(async () => {
  sandbox = await WorkflowSandbox.start()
  return () => sandbox.close()
})
afterEach(() => sandbox.script({}))

let jobs = 0
function start(workflow: 'ingestDocument' | 'ingestImage' = 'ingestDocument') {
  const job: JobInput = {
    job_id: `job_${(jobs += 1)}`,
    run: 1,
    agent_id: 'agent',
    conversation_id: '',
    user_hash: 'user',
  }
  return sandbox.client.workflow.start(workflow, {
    taskQueue: TASK_QUEUE,
    workflowId: `job/${job.job_id}`,
    args: [job],
  })
}

const document = (batches: number): Scripted => ({
  beginJob: () => ({ claimed: true, indexed: true }),
  inspectFile: () => ({ pages: batches * 50, batches }),
  parseBatch: ({ batch }) => ({ batch, parsed: true }),
  indexBatch: ({ batch }) => ({ batch, chunks: 3 }),
  publishJob: () => ({ chunks: batches * 3 }),
  finishJob: () => undefined,
})
/** In order; concurrent ones start in any order. */
const batchesOf = (name: 'parseBatch' | 'indexBatch') =>
  sandbox
    .inputs(name)
    .map(({ batch }: BatchRef) => batch)
    .toSorted((one, next) => one - next)
const unreadable = () =>
  ApplicationFailure.create({
    message: 'The document is damaged',
    type: FAILURE.final,
    nonRetryable: true,
    details: [{ code: 'unprocessable', message: 'The document is damaged' }],
  })

it('every batch is parsed, then every batch is indexed, and all of it is published at once', async () => {
  sandbox.script(document(6))
  expect(await (await start()).result()).toEqual({ status: 'completed' })
  expect(batchesOf('parseBatch')).toEqual([1, 2, 3, 4, 5, 6])
  expect(batchesOf('indexBatch')).toEqual([1, 2, 3, 4, 5, 6])
  const names = sandbox.called.map(({ name }) => name)
  expect(names.lastIndexOf('parseBatch')).toBeLessThan(names.indexOf('indexBatch'))
  expect(names.slice(-1)).toEqual(['publishJob'])
})

it('a document that was read when it was inspected has no batches to parse', async () => {
  sandbox.script({ ...document(2), inspectFile: () => ({ pages: 60, batches: 2, parsed: true }) })
  expect(await (await start()).result()).toEqual({ status: 'completed' })
  expect(batchesOf('parseBatch')).toEqual([])
  expect(batchesOf('indexBatch')).toEqual([1, 2])
})

it(`${PARSING} batches are parsed at a time`, async () => {
  const letGo = Promise.withResolvers<void>()
  sandbox.script({
    ...document(8),
    parseBatch: async ({ batch }) => {
      await letGo.promise
      return { batch, parsed: true }
    },
  })
  const handle = await start()
  await expect.poll(() => batchesOf('parseBatch'), { interval: 10 }).toHaveLength(PARSING)
  letGo.resolve()
  await handle.result()
  expect(batchesOf('parseBatch')).toEqual([1, 2, 3, 4, 5, 6, 7, 8])
})

it('a batch that cannot be read ends the others, and the job fails with the reason', async () => {
  const others = Promise.withResolvers<void>()
  let under = 0
  sandbox.script({
    ...document(8),
    parseBatch: async ({ batch }) => {
      if (batch === 2) {
        await others.promise
        throw unreadable()
      }
      under += 1
      if (under === PARSING - 1) others.resolve()
      return untilCancelled()
    },
  })
  await expect((await start()).result()).rejects.toMatchObject({ cause: { type: 'unprocessable' } })
  expect(batchesOf('parseBatch')).toEqual([1, 2, 3, 4])
  expect(sandbox.inputs('finishJob')).toMatchObject([
    { status: 'failed', failure: { code: 'unprocessable', message: 'The document is damaged' } },
  ])
  expect(sandbox.inputs('indexBatch')).toEqual([])
})

const failing = (type: string) =>
  ApplicationFailure.create({
    message: 'The model failed',
    type,
    nonRetryable: true,
    details: [{ code: 'upstream_error', message: 'The model failed' }],
  })
/** A document that is summarized by two models, of which the first fails. */
const summarized = (type: string): Scripted => ({
  ...document(1),
  beginJob: () => ({ claimed: true, indexed: false, summarize: true }),
  planSummary: () => ({ parts: [1], models: 2 }),
  summarizePart: ({ model }) => {
    if (model === 0) throw failing(type)
    return { characters: 10 }
  },
})

it('the next model of the chain is asked for a summary after failures that may pass', async () => {
  sandbox.script(summarized(FAILURE.retry))
  expect(await (await start()).result()).toEqual({ status: 'completed' })
  expect(sandbox.inputs('summarizePart').map(({ model }) => model)).toEqual([0, 1])
})

it('a final failure of a model ends the chain of a summary, and the job', async () => {
  sandbox.script(summarized(FAILURE.final))
  await expect((await start()).result()).rejects.toMatchObject({ cause: { type: 'upstream_error' } })
  expect(sandbox.inputs('summarizePart').map(({ model }) => model)).toEqual([0])
  expect(sandbox.inputs('finishJob')).toMatchObject([{ status: 'failed', failure: { code: 'upstream_error' } }])
})

/** A picture that two models see, of which the first fails. */
const described = (type: string): Scripted => ({
  ...document(1),
  prepareImage: () => ({ describe: true, models: 2 }),
  describeImage: ({ model }) => {
    if (model === 0) throw failing(type)
    return { characters: 10 }
  },
  readImage: () => ({ characters: 10 }),
})

it('the next model that takes pictures is asked for a description after failures that may pass', async () => {
  sandbox.script(described(FAILURE.retry))
  expect(await (await start('ingestImage')).result()).toEqual({ status: 'completed' })
  expect(sandbox.inputs('describeImage').map(({ model }) => model)).toEqual([0, 1])
})

it('a final failure of a model ends the chain of a description, and the job', async () => {
  sandbox.script(described(FAILURE.final))
  await expect((await start('ingestImage')).result()).rejects.toMatchObject({ cause: { type: 'upstream_error' } })
  expect(sandbox.inputs('describeImage').map(({ model }) => model)).toEqual([0])
})

it('a job that is cancelled ends its batches and is recorded as cancelled', async () => {
  sandbox.script({ ...document(8), parseBatch: untilCancelled })
  const handle = await start()
  await expect.poll(() => batchesOf('parseBatch').length, { interval: 10 }).toBe(PARSING)
  await handle.cancel()
  await expect(handle.result()).rejects.toMatchObject({ cause: { name: 'CancelledFailure' } })
  expect(sandbox.inputs('finishJob')).toMatchObject([{ status: 'cancelled' }])
})

it('a job that another run has taken is left alone', async () => {
  sandbox.script({ ...document(1), beginJob: () => ({ claimed: false }) })
  expect(await (await start()).result()).toEqual({ status: 'over' })
  expect(sandbox.called.map(({ name }) => name)).toEqual(['beginJob'])
})

it('what is attached is read before the model is asked, and one that cannot be read does not fail the turn', async () => {
  sandbox.script({
    ...document(1),
    claimTurn: () => ({ claimed: true }),
    inspectFile: ({ job_id }) => {
      if (job_id === 'attached_2') throw unreadable()
      return { pages: 50, batches: 1 }
    },
    callModel: ({ turn_id, step }) => reply(turn_id, step),
  })
  const attached = ['attached_1', 'attached_2'].map((id) => ({ id, kind: 'document' as const }))
  const handle = await sandbox.startTurn({ jobs: attached })
  expect(await handle.result()).toEqual({ status: 'completed' })
  const names = sandbox.called.map(({ name }) => name)
  expect([names[0], names.at(-1)]).toEqual(['claimTurn', 'callModel'])
  expect(names).toEqual(expect.arrayContaining(['publishJob', 'finishJob']))
})

it('every history that these tests have left replays', async () => {
  expect(await sandbox.replay()).toEqual([])
})
