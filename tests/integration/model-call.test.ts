// Two attempts at one step on both databases, two storages as of two workers: whatever their order, the text is told and kept once.
import { DefaultLogger } from '@temporalio/worker'
import { MockActivityEnvironment } from '@temporalio/testing'
import { describe, expect, it, vi } from 'vitest'
import { modelCallActivities } from '../../activities/model-call.ts'
import { newId } from '../../contracts/ids.ts'
import { shownText } from '../../contracts/text.ts'
import { readAllEvents } from '../../db/event-rows.ts'
import { createAgent } from '../../db/queries/agents.ts'
import { createConversation } from '../../db/queries/conversations.ts'
import { listLogOfTurn } from '../../db/queries/log.ts'
import { findStep, insertStep } from '../../db/queries/steps.ts'
import { claimTurn, insertTurn, lockTurn } from '../../db/queries/turns.ts'
import type { Storage } from '../../db/storage.ts'
import type { Provider } from '../../providers/provider.ts'
import { ModelRegistry } from '../../providers/registry.ts'
import { dialects } from '../support/dialects.ts'

const SILENT = new DefaultLogger('ERROR', () => undefined)

/** The offline model, held in each call when it has said everything, until it is let go. */
class HeldModels extends ModelRegistry {
  readonly #letGo = Promise.withResolvers<void>()
  isOpened = false
  /** Everything that it said, once it is held. */
  said: string | undefined

  constructor() {
    super({
      providers: { openai: {}, anthropic: {}, gemini: {}, xai: {} },
      offline_words_per_second: 100_000,
      stall_ms: 60_000,
      guardedFetch: () => Promise.reject(new Error('nothing is to be sent')),
    })
  }

  letGo(): void {
    this.#letGo.resolve()
  }

  override open(...model: Parameters<ModelRegistry['open']>): Provider {
    this.isOpened = true
    const provider = super.open(...model)
    return {
      name: provider.name,
      generate: async (request, onText, signal) => {
        let said = ''
        const hear = (piece: string) => {
          said += piece
          return onText(piece)
        }
        const result = await provider.generate(request, hear, signal)
        this.said = said
        await this.#letGo.promise
        return result
      },
    }
  }
}

function begin(storage: Storage, turnId: string, attempt: number) {
  const models = new HeldModels()
  const activities = modelCallActivities({ ...storage, models, tools: [] })
  const worker = new MockActivityEnvironment({ attempt }, { logger: SILENT })
  const outcome = worker.run(() => activities.callModel({ turn_id: turnId, step: 1, model: 0 }))
  // Each test looks at it, but later than it may fail.
  outcome.catch(() => undefined)
  return { models, outcome }
}

for (const dialect of dialects) {
  describe(dialect.name, () => {
    async function open() {
      const database = await dialect.fresh()
      const [a, b] = [await database.open(), await database.open()]
      await a.db.transaction().execute((tx) =>
        createAgent(tx, a.box, {
          id: 'agent',
          config: {
            description: 'Answers.',
            system_message: 'You answer.',
            model: { provider: 'offline', model: 'offline' },
            memory: { buffer: 10 },
          } as never,
          secrets: {},
        }),
      )
      const { id: conversation_id } = await createConversation(a.db, { agent_id: 'agent', user_id: 'user' })
      return { a, b, turn: () => runningTurn(a, conversation_id) }
    }

    async function runningTurn({ db }: Storage, conversation_id: string): Promise<string> {
      const turn_id = newId('turn')
      await db.transaction().execute(async (tx) => {
        await tx.updateTable('turns').set({ status: 'completed' }).execute()
        await insertTurn(tx, {
          turn_id,
          message_id: newId('msg'),
          user_message_id: newId('msg'),
          conversation_id,
          agent_id: 'agent',
          agent_version: 1,
          user_id: 'user',
          key_id: null,
          on_busy: 'queue',
          content: 'Hello',
          attachments: [],
          response_schema: undefined,
        })
        await claimTurn(tx, turn_id, 'run')
      })
      return turn_id
    }

    const shown = async ({ db }: Storage, turnId: string) => shownText(await readAllEvents(db, turnId)).text

    /** Resolves when an attempt has said everything and that is committed. */
    const saidAll = ({ models }: { models: HeldModels }, storage: Storage, turnId: string) =>
      vi.waitFor(async () => expect(await shown(storage, turnId)).toBe(models.said), { timeout: 10_000, interval: 2 })

    /** What is kept of the step is what was shown, once. */
    async function expectToldOnce(storage: Storage, turnId: string) {
      const step = await findStep(storage.db, turnId, 1)
      const text = await shown(storage, turnId)
      expect(text).not.toBe('')
      expect(step?.content).toBe(text)
    }

    const statuses = async ({ db }: Storage, turnId: string) =>
      (await listLogOfTurn(db, turnId)).map(({ attempt, status }) => [attempt, status])

    it('refuses to store what an attempt has told when a newer one has begun, however quiet it was since', async () => {
      const { a, b, turn } = await open()
      const id = await turn()
      const first = begin(a, id, 1)
      await saidAll(first, a, id)
      const second = begin(b, id, 2)
      await saidAll(second, a, id)
      first.models.letGo()
      await expect(first.outcome).rejects.toThrow('A newer attempt has begun')
      expect(await findStep(a.db, id, 1)).toBeUndefined()
      second.models.letGo()
      await expect(second.outcome).resolves.toMatchObject({ finish: 'answer' })
      await expectToldOnce(a, id)
      expect(await statuses(a, id)).toEqual([
        [1, 'interrupted'],
        [2, 'completed'],
      ])
    })

    it('tells nothing when an older attempt has stored the step after the newer one had looked for it', async () => {
      const { a, b, turn } = await open()
      const id = await turn()
      const first = begin(a, id, 1)
      await saidAll(first, a, id)
      const content = await shown(a, id)
      const second = await a.db.transaction().execute(async (tx) => {
        await lockTurn(tx, id)
        const second = begin(b, id, 2)
        // By then it has looked for the step, and has yet to take the turn's lock.
        await vi.waitFor(() => expect(second.models.isOpened).toBe(true), 10_000)
        const step = { turn_id: id, step: 1, content, provider: 'offline', model: 'offline' }
        await insertStep(tx, { ...step, input_tokens: 1, output_tokens: 7 }, [])
        return second
      })
      await expect(second.outcome).resolves.toMatchObject({ finish: 'answer', output_tokens: 7 })
      expect(second.models.said).toBeUndefined()
      expect((await readAllEvents(a.db, id)).map(({ type }) => type)).not.toContain('content_reset')
      await expectToldOnce(a, id)
      first.models.letGo()
    })

    it('tells a text once when one attempt ends in the moment in which the next one begins', async () => {
      const { a, b, turn } = await open()
      for (let round = 0; round < 10; round += 1) {
        const id = await turn()
        const first = begin(a, id, 1)
        await saidAll(first, a, id)
        const second = begin(b, id, 2)
        second.models.letGo()
        await vi.waitFor(() => expect(second.models.isOpened).toBe(true), { timeout: 10_000, interval: 1 })
        first.models.letGo()
        await Promise.allSettled([first.outcome, second.outcome])
        await expect(second.outcome).resolves.toMatchObject({ finish: 'answer' })
        await expectToldOnce(a, id)
      }
    })
  })
}
