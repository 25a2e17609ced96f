// Recorded histories of every workflow are replayed with today's code: a change that would break running workflows is seen here.
// `node tests/support/record-histories.ts <release>` records a new set; keep one folder for each release.
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Worker } from '@temporalio/worker'
import { expect, test } from 'vitest'
import { INSTALLED_CACHE, workflowBundle } from '../../workers/workflow-bundle.ts'
import * as workflows from '../../workflows/index.ts'

const HISTORIES = fileURLToPath(new URL('../histories/', import.meta.url))

const recorded = readdirSync(HISTORIES, { recursive: true, encoding: 'utf8' })
  .filter((file) => file.endsWith('.json'))
  .map((file) => {
    const { workflowId, history } = JSON.parse(readFileSync(join(HISTORIES, file), 'utf8')) as {
      workflowId: string
      history: Recorded
    }
    return { file, workflowId, history }
  })

type Recorded = { events: { workflowExecutionStartedEventAttributes?: { workflowType?: { name?: string } } }[] }

test('every workflow has a recorded history', () => {
  const types = recorded.map(
    ({ history }) => history.events[0]?.workflowExecutionStartedEventAttributes?.workflowType?.name,
  )
  expect(Object.keys(workflows).filter((name) => !types.includes(name))).toEqual([])
})

test('every recorded history replays with the code of today', async () => {
  const bundle = await workflowBundle(INSTALLED_CACHE)
  const results = Worker.runReplayHistories({ workflowBundle: bundle }, recorded as never)
  const broken: string[] = []
  for await (const { workflowId, error } of results) if (error) broken.push(`${workflowId}: ${error.message}`)
  expect(broken).toEqual([])
})
