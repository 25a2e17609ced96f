// The live log of a turn that does not end: each entry and each change once, until the reader leaves.
import { expect, it } from 'vitest'
import type { ApiContext } from '../../api/services/context.ts'
import { followLog } from '../../api/services/turns.ts'
import { createConversation } from '../../db/queries/conversations.ts'
import { endLogEntry, startLogEntry } from '../../db/queries/log.ts'
import { dialects } from '../support/dialects.ts'
import { insert, inTx } from '../support/turn-rows.ts'

it('shows each change of a turn that never ends, and stops when its reader leaves', async () => {
  const storage = await (await dialects[0]!.fresh()).open()
  const { id: conversation } = await createConversation(storage.db, { agent_id: 'agent', user_id: 'user' })
  const turnId = await insert(storage, conversation)
  const start = (activity_id: string) =>
    inTx(storage, (tx) =>
      startLogEntry(tx, {
        stream_id: turnId,
        kind: 'tool_call',
        name: 'count',
        workflow_id: 'w',
        activity_id,
        attempt: 1,
      }),
    )
  const first = await start('1')
  const left = new AbortController()
  const log = followLog({ storage } as unknown as ApiContext, turnId, left.signal)
  const next = async () => {
    const { value, done } = await log.next()
    return done ? 'over' : value.map(({ id, status }) => [id, status])
  }
  expect(await next()).toEqual([[first, 'running']])
  await endLogEntry(storage.db, first, { status: 'completed', duration_ms: 1 })
  const second = await start('2')
  expect(await next()).toEqual([
    [first, 'completed'],
    [second, 'running'],
  ])
  const waiting = next()
  left.abort()
  expect(await waiting).toBe('over')
  expect(await next()).toBe('over')
})
