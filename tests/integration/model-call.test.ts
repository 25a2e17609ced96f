// Two attempts at one step on both databases, two storages as of two workers: in any order, the text is shown and kept once.
import { describe, expect, it, vi } from 'vitest'
import { shownText } from '../../contracts/text.ts'
import { readAllEvents } from '../../db/event-rows.ts'
import { resolveAgent } from '../../contracts/schemas/agent.ts'
import { createAgent } from '../../db/queries/agents.ts'
import { createConversation } from '../../db/queries/conversations.ts'
import { listLogOfTurn } from '../../db/queries/log.ts'
import { findStep, insertStep } from '../../db/queries/steps.ts'
import { claimTurn } from '../../db/queries/turn-starts.ts'
import { insertTurn, lockTurn } from '../../db/queries/turns.ts'
import type { Storage } from '../../db/storage.ts'
import type { Delta, Provider } from '../../providers/provider.ts'
import { ModelRegistry } from '../../providers/registry.ts'
import { callModels, OFFLINE } from '../support/call-model.ts'
import { dialects, type TestStorage } from '../support/dialects.ts'
import { aTurn } from '../support/turn-rows.ts'

/** The offline model, held in each call when it has said everything, until it is let go. */
class HeldModels extends ModelRegistry {
  readonly #letGo = Promise.withResolvers<void>()
  isOpened = false
  /** Everything that it said, once it is held. */
  said: string | undefined

  constructor() {
    super(OFFLINE)
  }

  letGo(): void {
    this.#letGo.resolve()
  }

  override open(...model: Parameters<ModelRegistry['open']>): Provider {
    this.isOpened = true
    const provider = super.open(...model)
    return {
      name: provider.name,
      generate: async (request, onDelta, signal) => {
        let said = ''
        const hear = (delta: Delta) => {
          said += delta.text
          return onDelta(delta)
        }
        const result = await provider.generate(request, hear, signal)
        this.said = said
        await this.#letGo.promise
        return result
      },
    }
  }
}

function begin(storage: TestStorage, turnId: string, attempt: number) {
  const models = new HeldModels()
  const outcome = callModels(storage, models)(turnId, attempt)
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
          config: resolveAgent(
            {
              description: 'Answers.',
              system_message: 'You answer.',
              model: { provider: 'offline', model: 'offline' },
              memory: { buffer: 10 },
            },
            'agent',
          ),
          secrets: {},
        }),
      )
      const { id: conversation_id } = await createConversation(a.db, { agent_id: 'agent', user_id: 'user' })
      return { a, b, turn: () => runningTurn(a, conversation_id) }
    }

    async function runningTurn({ db }: Storage, conversation_id: string): Promise<string> {
      const turn = aTurn(conversation_id)
      await db.transaction().execute(async (tx) => {
        await tx.updateTable('turns').set({ status: 'completed', finished_at: new Date().toISOString() }).execute()
        await insertTurn(tx, turn, 'active')
        await claimTurn(tx, turn.turn_id, 'run')
      })
      return turn.turn_id
    }

    const shown = async ({ db }: Storage, turnId: string) => shownText(await readAllEvents(db, turnId)).text

    /** Resolves when an attempt has said everything and that is committed. */
    const saidAll = ({ models }: { models: HeldModels }, storage: Storage, turnId: string) =>
      vi.waitFor(async () => expect(await shown(storage, turnId)).toBe(models.said), { timeout: 30_000, interval: 2 })

    /** What is kept of the step is what was shown, once. */
    async function expectShownOnce(storage: Storage, turnId: string) {
      const step = await findStep(storage.db, turnId, 1)
      const text = await shown(storage, turnId)
      expect(text).not.toBe('')
      expect(step?.content).toBe(text)
    }

    const statuses = async ({ db }: Storage, turnId: string) =>
      (await listLogOfTurn(db, turnId)).map(({ attempt, status }) => [attempt, status])

    it('refuses to store the text of a superseded attempt, however long ago it wrote', async () => {
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
      await expect(second.outcome).resolves.toMatchObject({ finish: 'ended', status: 'completed' })
      await expectShownOnce(a, id)
      expect(await statuses(a, id)).toEqual([
        [1, 'interrupted'],
        [2, 'completed'],
      ])
    })

    it('shows nothing when an older attempt has stored the step after the newer one had looked for it', async () => {
      const { a, b, turn } = await open()
      const id = await turn()
      const first = begin(a, id, 1)
      await saidAll(first, a, id)
      const content = await shown(a, id)
      const second = await a.db.transaction().execute(async (tx) => {
        await lockTurn(tx, id)
        const second = begin(b, id, 2)
        // By then it has looked for the step, and has yet to take the turn's lock.
        await vi.waitFor(() => expect(second.models.isOpened).toBe(true), 30_000)
        const step = { turn_id: id, step: 1, content, provider: 'offline', model: 'offline' }
        const call = { call_id: 'call_1_1', name: 'tool', server: '', provider_call_id: 'c', arguments: '{}' }
        const writer = { scope: 'step_1', fence: 1 }
        expect(await insertStep(tx, { ...step, input_tokens: 1, output_tokens: 7 }, [call], writer)).toBe(true)
        return second
      })
      await expect(second.outcome).resolves.toMatchObject({
        finish: 'tool_calls',
        calls: [{ call_id: 'call_1_1', name: 'tool' }],
        output_tokens: 7,
      })
      expect(second.models.said).toBeUndefined()
      expect((await readAllEvents(a.db, id)).map(({ type }) => type)).not.toContain('content_reset')
      await expectShownOnce(a, id)
      first.models.letGo()
    })

    it('shows a text once when one attempt ends at the moment at which the next one begins', async () => {
      const { a, b, turn } = await open()
      for (let round = 0; round < 10; round += 1) {
        const id = await turn()
        const first = begin(a, id, 1)
        await saidAll(first, a, id)
        const second = begin(b, id, 2)
        second.models.letGo()
        await vi.waitFor(() => expect(second.models.isOpened).toBe(true), { timeout: 30_000, interval: 1 })
        first.models.letGo()
        await Promise.allSettled([first.outcome, second.outcome])
        await expect(second.outcome).resolves.toMatchObject({ finish: 'ended', status: 'completed' })
        await expectShownOnce(a, id)
      }
    })
  })
}
