// Retention on both databases: unreferenced files, partial uploads of a crash, log entries.
import { mkdirSync, readdirSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { pino } from 'pino'
import { describe, expect, it } from 'vitest'
import { resumeEvents } from '../../api/services/events.ts'
import { followJob } from '../../api/services/jobs.ts'
import type { StoredEvent } from '../../contracts/events.ts'
import { shownText } from '../../contracts/text.ts'
import { addEvents } from '../../db/event-rows.ts'
import { ensureDefaultConversation } from '../../db/queries/default-conversations.ts'
import { newId } from '../../contracts/ids.ts'
import { createHiddenConversation } from '../../db/queries/child-turns.ts'
import { createOwnConversation } from '../../db/queries/own-conversations.ts'
import { insertTurnRequest } from '../../db/queries/turn-requests.ts'
import { deleteFile, findFile, insertFile } from '../../db/queries/files.ts'
import { finishJob } from '../../db/queries/job-ends.ts'
import { claimJob, findJob, insertJob } from '../../db/queries/jobs.ts'
import { startLogEntry } from '../../db/queries/log.ts'
import { beginRemoval, forgetNote, listNoted, noteBlob } from '../../db/queries/noted-blobs.ts'
import { forgetOld } from '../../db/queries/retention.ts'
import { claimTurn } from '../../db/queries/turn-starts.ts'
import { findTurn, insertTurn, type Attachment } from '../../db/queries/turns.ts'
import { addPiece, findUpload, insertUpload, newUploadId, pieceOwner } from '../../db/queries/uploads.ts'
import type { FilesTable } from '../../db/schema.ts'
import type { Storage } from '../../db/storage.ts'
import { sweepConversations } from '../../workers/sweep-conversations.ts'
import { sweepFiles } from '../../workers/sweep-files.ts'
import { dialects } from '../support/dialects.ts'
import { aTurn, end, insert, inTx } from '../support/turn-rows.ts'

const DAY_MS = 86_400_000
const log = pino({ level: 'silent' })
const soon = () => AbortSignal.timeout(20_000)

async function store(storage: Storage, name: string, days: number, content = name): Promise<FilesTable> {
  const received = await storage.blobs.receive(Readable.from([Buffer.from(content)]))
  await received.keep('u')
  const { sha256, size } = received
  const file = await insertFile(storage.db, { user_id: 'u', key_id: null, name, type: 'text/plain', size, sha256 })
  const created_at = new Date(Date.now() - days * DAY_MS).toISOString()
  await storage.db.updateTable('files').set({ created_at }).where('id', '=', file.id).execute()
  return file
}

async function attach(storage: Storage, { sha256, size, name }: FilesTable): Promise<void> {
  const attachments: Attachment[] = [{ type: 'image', name, media_type: 'image/png', sha256, size }]
  await inTx(storage, async (tx) => {
    const conversation = await ensureDefaultConversation(tx, 'a', 'u')
    await insertTurn(tx, aTurn(conversation, { agent_id: 'a', user_id: 'u', content: '', attachments }), 'active')
  })
}

/** A conversation that a request has brought, so many days ago, with one that is hidden in it. */
async function bring(storage: Storage, days: number): Promise<{ id: string; turn_id: string }> {
  const id = newId('conv')
  const turn = aTurn(id)
  await inTx(storage, async (tx) => {
    await createOwnConversation(tx, { id, agent_id: 'agent', user_id: 'user' })
    await insertTurn(tx, turn, 'active')
    await insertTurnRequest(tx, turn.turn_id, JSON.stringify({ instructions: 'Be brief.', messages: [], tools: [] }))
    await createHiddenConversation(tx, { conversation_id: id, user_id: 'user' }, 'other')
  })
  const created_at = new Date(Date.now() - days * DAY_MS).toISOString()
  await storage.db.updateTable('conversations').set({ created_at }).where('id', '=', id).execute()
  return { id, turn_id: turn.turn_id }
}

for (const dialect of dialects) {
  describe(dialect.name, () => {
    it('removes conversations that requests have brought after their time, unless a turn of them runs', async () => {
      const storage = await (await dialect.fresh()).open()
      const [old, young, running] = [await bring(storage, 91), await bring(storage, 89), await bring(storage, 91)]
      for (const { turn_id } of [old, young]) await end(storage, turn_id, 'completed')
      const shown = await inTx(storage, (tx) => ensureDefaultConversation(tx, 'agent', 'user'))
      const created_at = new Date(0).toISOString()
      await storage.db.updateTable('conversations').set({ created_at }).where('id', '=', shown).execute()
      await sweepConversations({ storage, vectors: { discard: async () => undefined }, log }, 90, soon())
      const left = await storage.db.selectFrom('conversations').select(['id', 'hidden_in']).execute()
      expect(new Set(left.map(({ id, hidden_in }) => hidden_in ?? id))).toEqual(new Set([young.id, running.id, shown]))
      expect(left).toHaveLength(5)
      const requests = await storage.db.selectFrom('turn_requests').select('turn_id').execute()
      expect(requests.map(({ turn_id }) => turn_id).toSorted()).toEqual([young.turn_id, running.turn_id].toSorted())
    })

    it('removes files after their time, unless a job or a message refers to them or their bytes', async () => {
      const storage = await (await dialect.fresh()).open()
      const [old, young, read, shown] = [
        await store(storage, 'old', 8),
        await store(storage, 'young', 6),
        await store(storage, 'read', 8),
        await store(storage, 'shown', 8),
      ]
      const [twin, kept] = [await store(storage, 'twin', 8, 'the same'), await store(storage, 'kept', 1, 'the same')]
      await inTx(storage, (tx) => insertJob(tx, { file: read, key_id: null }))
      await attach(storage, shown)
      await sweepFiles({ storage, log }, 7, soon())
      const left = await Promise.all([old, young, read, shown, twin, kept].map(({ id }) => findFile(storage.db, id)))
      expect(left.map((file) => file?.name)).toEqual([undefined, 'young', 'read', 'shown', undefined, 'kept'])
      const bytes = await Promise.all(
        [old, young, read, shown, kept].map(({ sha256 }) => storage.blobs.has('u', sha256)),
      )
      expect(bytes).toEqual([false, true, true, true, true])
    })

    it('removes uploads without new bytes for a day, and keeps the pieces of those that go on', async () => {
      const storage = await (await dialect.fresh()).open()
      const { db, blobs } = storage
      const begin = async (content: string) => {
        const id = newUploadId()
        await insertUpload(db, id, { user_id: 'u', key_id: null, name: 'n', size: 100, metadata: {} })
        const sha256 = await blobs.put(pieceOwner(id), Buffer.from(content))
        await addPiece(db, { upload_id: id, start: 0, size: content.length, sha256 })
        return { id, sha256 }
      }
      const uploads = [await begin('abandoned'), await begin('goes on')]
      const long = new Date(Date.now() - 2 * DAY_MS).toISOString()
      await db.updateTable('uploads').set({ updated_at: long }).where('id', '=', uploads[0]!.id).execute()
      // Pieces may be older than the time after which bytes without a row are removed.
      await db.updateTable('noted_blobs').set({ noted_at: long }).execute()
      expect(await findUpload(db, uploads[0]!.id)).toBe(undefined)
      await sweepFiles({ storage, log }, 7, soon())
      const left = await Promise.all(uploads.map(({ id, sha256 }) => blobs.has(pieceOwner(id), sha256)))
      expect(left).toEqual([false, true])
      expect(await db.selectFrom('upload_pieces').select('upload_id').execute()).toEqual([
        { upload_id: uploads[1]!.id },
      ])
      expect((await findUpload(db, uploads[1]!.id))?.received).toBe(7)
    })

    it('removes bytes that never got a row, or whose last row went before them, and keeps those that are referred to', async () => {
      const { db, blobs, ...storage } = await (await dialect.fresh()).open()
      const all = { ...storage, db, blobs }
      const orphan = await blobs.put('u', Buffer.from('a crash came before the row'))
      const kept = await store(all, 'kept', 1)
      const shown = await store(all, 'shown', 1)
      await attach(all, shown)
      await db.deleteFrom('files').where('id', '=', shown.id).execute()
      const deleted = await store(all, 'deleted', 1)
      await inTx(all, (tx) => deleteFile(tx, deleted))
      const left = async () => {
        await sweepFiles({ storage: all, log }, 7, soon())
        return Promise.all([orphan, kept.sha256, shown.sha256, deleted.sha256].map((sha256) => blobs.has('u', sha256)))
      }
      expect(await left()).toEqual([true, true, true, true])
      await db
        .updateTable('noted_blobs')
        .set({ noted_at: new Date(Date.now() - 2 * DAY_MS).toISOString() })
        .execute()
      expect(await left()).toEqual([false, true, true, false])
      expect(await db.selectFrom('noted_blobs').selectAll().execute()).toEqual([])
    })

    it('keeps bytes that arrive while the same ones are being removed, once that is over', async () => {
      const storage = await (await dialect.fresh()).open()
      const { db, blobs } = storage
      const bytes = Buffer.from('the same')
      const sha256 = await blobs.put('u', bytes)
      const [noted] = await listNoted(db, new Date(Date.now() + DAY_MS).toISOString(), 10)
      expect(await beginRemoval(db, noted!)).toBe(true)
      expect(await beginRemoval(db, noted!)).toBe(false)
      const again = blobs.put('u', bytes)
      expect(await noteBlob(db, { owner: 'u', sha256 })).toBe(false)
      await blobs.delete('u', sha256)
      await forgetNote(db, noted!)
      await again
      expect(await blobs.has('u', sha256)).toBe(true)
    })

    it('removes more files than a page holds', async () => {
      const storage = await (await dialect.fresh()).open()
      const before = await store(storage, 'first', 8)
      await attach(storage, before)
      for (let n = 0; n < 120; n += 1) await store(storage, `old ${n}`, 8)
      await sweepFiles({ storage, log }, 7, soon())
      expect(await storage.db.selectFrom('files').select('name').execute()).toEqual([{ name: 'first' }])
    })

    it('removes partial uploads after a day, and none that may be in progress', async () => {
      const database = await dialect.fresh()
      const storage = await database.open()
      const incoming = join(database.options.data_dir, 'blobs', 'incoming')
      mkdirSync(incoming, { recursive: true })
      for (const name of ['left', 'growing']) writeFileSync(join(incoming, name), 'half')
      const yesterday = new Date(Date.now() - 1.1 * DAY_MS)
      utimesSync(join(incoming, 'left'), yesterday, yesterday)
      await sweepFiles({ storage, log }, 7, soon())
      expect(readdirSync(incoming)).toEqual(['growing'])
    })

    it('forgets what messages brought with the event logs of their turns', async () => {
      const storage = await (await dialect.fresh()).open()
      const [old, young, running] = [await bring(storage, 8), await bring(storage, 6), await bring(storage, 8)]
      for (const { turn_id } of [old, young]) await end(storage, turn_id, 'completed')
      const updated_at = new Date(Date.now() - 8 * DAY_MS).toISOString()
      await storage.db.updateTable('event_streams').set({ updated_at }).where('stream_id', '=', old.turn_id).execute()
      await forgetOld(storage.db, { event_log_days: 7, log_days: 90, audit_days: 90, embedding_days: 30 }, soon())
      const requests = await storage.db.selectFrom('turn_requests').select('turn_id').execute()
      expect(requests.map(({ turn_id }) => turn_id).toSorted()).toEqual([young.turn_id, running.turn_id].toSorted())
    })

    it('gives a reader of a forgotten event log the whole text and the end, whatever number it knows', async () => {
      const storage = await (await dialect.fresh()).open()
      const { db } = storage
      const turn_id = await insert(storage, await ensureDefaultConversation(db, 'agent', 'user'))
      await inTx(storage, async (tx) => {
        await claimTurn(tx, turn_id, 'run')
        const texts = Array.from({ length: 30 }, (_, index) => `word-${index} `)
        const additions = texts.map((content) => ({
          event: { type: 'content' as const, data: { step: 1, content } },
        }))
        await addEvents(tx, turn_id, undefined, additions)
      })
      await end(storage, turn_id, 'cancelled')
      const file = await store(storage, 'document', 0)
      const { id: job_id } = await inTx(storage, (tx) => insertJob(tx, { file, key_id: null }))
      await inTx(storage, (tx) => claimJob(tx, { job_id, run: 1 }, 'run'))
      await inTx(storage, (tx) => finishJob(tx, { job_id, run: 1, status: 'cancelled' }))
      const turn = (await findTurn(db, turn_id))!
      const job = (await findJob(db, job_id))!
      const read = async (events: AsyncGenerator<StoredEvent[]> | undefined) => {
        const found: StoredEvent[] = []
        for await (const batch of events ?? []) found.push(...batch)
        return found
      }
      const ofTurn = async (after: number) => read(await resumeEvents(storage, turn, after, soon()))
      const whole = shownText(await ofTurn(0)).text
      expect(whole).toMatch(/^word-0 .*word-29 $/)
      const updated_at = new Date(Date.now() - 8 * DAY_MS).toISOString()
      await db.updateTable('event_streams').set({ updated_at }).execute()
      await forgetOld(db, { event_log_days: 7, log_days: 90, audit_days: 90, embedding_days: 30 }, soon())

      const synthetic = await ofTurn(0)
      expect(synthetic.map(({ id, type }) => [id, type])).toEqual([
        [1, 'accepted'],
        [2, 'message_start'],
        [3, 'content'],
        [4, 'cancelled'],
      ])
      for (const after of [3, 4, 10, 33, 5_000]) {
        const events = await ofTurn(after)
        expect(events.map(({ id, type }) => [id, type])).toEqual([
          [after + 1, 'content_reset'],
          [after + 2, 'cancelled'],
        ])
        expect(shownText(events).text).toBe(whole)
        const ofJob = await read(await followJob(storage, job, after, soon()))
        expect(ofJob).toMatchObject([{ id: after + 1, type: 'cancelled', data: { id: job_id } }])
      }
    })

    it('forgets entries of the execution log, however many', async () => {
      const { db } = await (await dialect.fresh()).open()
      const entry = { stream_id: 't', kind: 'recall' as const, name: 'n', workflow_id: 'w', attempt: 1, input: {} }
      await db.transaction().execute(async (tx) => {
        for (let n = 0; n < 1_201; n += 1) await startLogEntry(tx, { ...entry, activity_id: String(n) })
      })
      const started_at = new Date(Date.now() - 91 * DAY_MS).toISOString()
      await db.updateTable('log_entries').set({ started_at }).where('activity_id', '!=', '7').execute()
      expect(
        await forgetOld(db, { event_log_days: 7, log_days: 90, audit_days: 90, embedding_days: 30 }, soon()),
      ).toMatchObject({
        entries: 1_200,
      })
      expect(await db.selectFrom('log_entries').select('activity_id').execute()).toEqual([{ activity_id: '7' }])
    })
  })
}
