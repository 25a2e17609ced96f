// Messages and jobs repeated under their Idempotency-Key while Temporal is unreachable, on both databases.
import { Client, Connection } from '@temporalio/client'
import { pino } from 'pino'
import { describe, expect, it, onTestFinished } from 'vitest'
import { acceptMessage } from '../../api/services/chat.ts'
import { createJob } from '../../api/services/jobs.ts'
import type { AttachmentInput } from '../../contracts/schemas/chat.ts'
import { resolveAgent } from '../../contracts/schemas/agent.ts'
import { syncFileAgents } from '../../db/queries/agents.ts'
import { createConversation } from '../../db/queries/conversations.ts'
import { deleteFile, insertFile } from '../../db/queries/files.ts'
import { claimJob, listJobs } from '../../db/queries/jobs.ts'
import { claimTurn, markAccepted } from '../../db/queries/turn-starts.ts'
import { findTurn, listTurns } from '../../db/queries/turns.ts'
import type { Storage } from '../../db/storage.ts'
import { ModelRegistry } from '../../providers/registry.ts'
import { turnDescriber, turnStarter } from '../../workers/turn-starter.ts'
import type { VectorStore } from '../../vectors/store.ts'
import { principal } from '../support/accepting.ts'
import { OFFLINE } from '../support/call-model.ts'
import { dialects, type TestDialect, type TestStorage } from '../support/dialects.ts'
import { indexOf } from '../support/search-index.ts'
import { freePort } from '../support/free-port.ts'
import { end, inTx } from '../support/turn-rows.ts'

const NEVER = { code: 'unavailable', message: 'never accepted' } as const
const log = pino({ level: 'silent' })
const limits = {
  attachments: 1,
  content_bytes: 100,
  carried_bytes: 100,
  turns_per_user: 10,
  turns_per_key: 10,
  user_bytes: 0,
}

async function open(dialect: TestDialect) {
  const database = await dialect.fresh()
  const [a, b] = [await database.open(), await database.open()]
  const agent = resolveAgent({ id: 'agent', description: 'Helps.', system_message: 'Help.' }, 'agent')
  await syncFileAgents(a.db, a.box, [{ id: 'agent', config: agent, secrets: {}, file: 'agent.yaml' }])
  const conversation = await createConversation(a.db, { agent_id: 'agent', user_id: 'user' })
  // Without the SDK's own retries, whose timers outlive the connection.
  const connection = Connection.lazy({ address: `127.0.0.1:${await freePort()}`, interceptors: [] })
  onTestFinished(() => connection.close())
  const client = new Client({ connection })
  const models = new ModelRegistry(OFFLINE)
  const start = (storage: Storage) =>
    turnStarter(
      { client, eager: () => false },
      turnDescriber({
        storage,
        models,
        limits: { steps_per_turn: 8, turn_seconds: 60, tokens_per_turn: 100_000 },
      }),
    )
  /** @returns the turn's id, or the code with which it was refused */
  const send = (storage: Storage, content = 'Hello', attachments: AttachmentInput[] = []) =>
    acceptMessage(
      { storage, client, limits, log, headStarts: undefined, vectors: {} as VectorStore, startTurn: start(storage) },
      principal,
      {
        agent_id: 'agent',
        request: { content, conversation_id: conversation.id, attachments },
        idempotency_key: 'once',
        route: 'chat/agent',
      },
    ).then(
      ({ turn_id }) => turn_id,
      ({ code }: { code: string }) => code,
    )
  const turns = async () => (await listTurns(a.db, { limit: 10 })).map(({ id }) => id).toReversed()
  return { a, b, client, send, turns }
}

for (const dialect of dialects) {
  describe(dialect.name, () => {
    it('starts another turn, once, after one that was never accepted, and keeps one that was', async () => {
      const { a, b, send, turns } = await open(dialect)
      expect(await send(a)).toBe('unavailable')
      const [first = ''] = await turns()
      expect(await send(b)).toBe('unavailable')
      expect(await turns()).toEqual([first])

      await end(b, first, 'failed', NEVER, ['pending'])
      expect(await send(a, 'Something else')).toBe('conflict')
      expect(await turns()).toEqual([first])
      expect(await Promise.all([a, b, a, b].map((storage) => send(storage)))).toEqual(Array(4).fill('unavailable'))
      const [, second = '', ...more] = await turns()
      expect([second, more]).toEqual([expect.stringMatching(/^turn_/), []])

      // Temporal starts the first one too late, and accepts the second.
      expect(await inTx(b, (tx) => claimTurn(tx, first, 'run'))).toBeUndefined()
      expect((await findTurn(a.db, first))?.status).toBe('failed')
      await inTx(b, (tx) => markAccepted(tx, second))
      expect(await send(a)).toBe(second)
      await end(b, second, 'failed', { code: 'internal_error', message: 'lost' })
      expect(await send(b)).toBe(second)
      expect(await turns()).toEqual([first, second])
    })

    it('gives the same turn after its attached file was deleted, and tells another body from it', async () => {
      const { a, b, send, turns } = await open(dialect)
      const of = { user_id: 'user', key_id: 'key_1', name: 'n.png', type: 'image/png', size: 1, sha256: 's' }
      const file = await insertFile(a.db, of)
      const attachments = [{ type: 'image/png', name: 'n.png', file_id: file.id }]
      await send(a, 'Look', attachments)
      const [turn = ''] = await turns()
      await inTx(b, (tx) => markAccepted(tx, turn))
      await inTx(a, (tx) => deleteFile(tx, file))
      expect(await Promise.all([send(a, 'Look', attachments), send(b, 'Look', attachments)])).toEqual([turn, turn])
      expect(await send(a, 'Look again', attachments)).toBe('conflict')
      expect(await turns()).toEqual([turn])
    })

    it('does not fail as never accepted a turn that is accepted concurrently', async () => {
      const { a, b, send, turns } = await open(dialect)
      await send(a)
      const [id = ''] = await turns()
      const [accepted, ended] = await Promise.all([
        inTx(a, (tx) => markAccepted(tx, id)),
        end(b, id, 'failed', NEVER, ['pending']),
      ])
      expect([accepted === undefined, ended?.events.length]).toEqual(
        (await findTurn(a.db, id))?.status === 'queued' ? [false, undefined] : [true, 2],
      )
    })

    it('never deletes a job under a key whose id a client may have got', async () => {
      const { a, b, client } = await open(dialect)
      const of = { user_id: 'user', key_id: 'key_1', name: 'n', type: 'text/plain', size: 1, sha256: 's' }
      const { id: file_id } = await insertFile(a.db, of)
      const begin = (storage: TestStorage, key?: string) =>
        createJob({ storage, client, index: indexOf(storage) }, principal, { kind: 'document', file_id }, key).then(
          ({ id }) => id,
          ({ code }: { code: string }) => code,
        )
      const jobs = async () => (await listJobs(a.db, { limit: 10 })).map(({ id }) => id)
      expect(await begin(a)).toBe('unavailable')
      expect(await jobs()).toEqual([])
      expect(await Promise.all([begin(a, 'once'), begin(b, 'once')])).toEqual(['unavailable', 'unavailable'])
      const [job = '', ...more] = await jobs()
      expect([job, more]).toEqual([expect.stringMatching(/^job_/), []])
      await inTx(b, (tx) => claimJob(tx, { job_id: job, run: 1 }, 'run'))
      expect(await begin(a, 'once')).toBe(job)
    })
  })
}
