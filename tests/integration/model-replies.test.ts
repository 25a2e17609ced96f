// What is kept of a model's reply on both databases: its finish reason, its tokens, its parts, and the calls that are not made.
import { describe, expect, it } from 'vitest'
import { resumeEvents } from '../../api/services/events.ts'
import type { AssistantPart, TokenUsage } from '../../contracts/model-messages.ts'
import { resolveAgent } from '../../contracts/schemas/agent.ts'
import { MAX_CALLS } from '../../activities/turn/plan-calls.ts'
import { readAllEvents } from '../../db/event-rows.ts'
import { createAgent } from '../../db/queries/agents.ts'
import { createConversation } from '../../db/queries/conversations.ts'
import { listLogOfTurn } from '../../db/queries/log.ts'
import { findStep, listSteps } from '../../db/queries/steps.ts'
import { claimTurn } from '../../db/queries/turn-starts.ts'
import { findTurn, insertTurn } from '../../db/queries/turns.ts'
import type { GenerateResult, Provider } from '../../providers/provider.ts'
import { ModelRegistry } from '../../providers/registry.ts'
import { callModels, OFFLINE } from '../support/call-model.ts'
import { dialects } from '../support/dialects.ts'
import { aTurn } from '../support/turn-rows.ts'

/** A model that gives one reply. */
class OneReply extends ModelRegistry {
  readonly #reply: GenerateResult
  requests = 0

  constructor(reply: Partial<GenerateResult>) {
    super(OFFLINE)
    this.#reply = { parts: [], finish_reason: 'stop', usage: {}, warnings: [], ...reply }
  }

  override open(): Provider {
    return {
      name: 'scripted',
      generate: async (_, onDelta) => {
        this.requests += 1
        for (const part of this.#reply.parts)
          if (part.type !== 'tool_call') await onDelta({ type: part.type, text: part.text })
        return this.#reply
      },
    }
  }
}

const text: AssistantPart = { type: 'text', text: 'It was a dark and' }
const reasoning: AssistantPart = { type: 'reasoning', text: 'Hm.', metadata: { field: 'reasoning' } }
const call = (id: string, args: string): AssistantPart => ({ type: 'tool_call', id, name: 'count', arguments: args })

for (const dialect of dialects) {
  describe(dialect.name, () => {
    async function prepare() {
      const storage = await (await dialect.fresh()).open()
      const { db, box } = storage
      const model = { provider: 'offline' as const, model: 'offline' }
      const config = resolveAgent(
        { description: 'Answers.', system_message: 'You answer.', model, memory: { buffer: 10 } },
        'agent',
      )
      await db.transaction().execute((tx) => createAgent(tx, box, { id: 'agent', config, secrets: {} }))
      const { id: conversation_id } = await createConversation(db, { agent_id: 'agent', user_id: 'user' })
      const turn = aTurn(conversation_id)
      await db.transaction().execute(async (tx) => {
        await insertTurn(tx, turn, 'active')
        await claimTurn(tx, turn.turn_id, 'run')
      })
      return { storage, db, turn_id: turn.turn_id }
    }

    /** Runs step 1 of a turn with this reply. */
    async function run(reply: Partial<GenerateResult>) {
      const prepared = await prepare()
      const result = await callModels(prepared.storage, new OneReply(reply))(prepared.turn_id)
      return { ...prepared, result }
    }

    it.each([
      ['missing', { input_tokens: 3 }, [3, 5, 'estimated']],
      ['no number', { input_tokens: 3, output_tokens: NaN }, [3, 5, 'estimated']],
      ['null', { input_tokens: null, output_tokens: 1 }, [expect.any(Number), 1, 'estimated']],
      ['negative', { input_tokens: 3, output_tokens: -1 }, [3, 5, 'estimated']],
      ['too large', { input_tokens: 3_000_000_000, output_tokens: 1 }, [expect.any(Number), 1, 'estimated']],
      ['a fraction of no weight', { input_tokens: 3, output_tokens: 1, cached_tokens: 0.5 }, [3, 1, 'completed']],
    ])('a count that is %s is estimated, and the reply and the other counts are kept', async (_, usage, stored) => {
      const { db, result } = await run({ parts: [text], usage: usage as unknown as TokenUsage })
      expect(result).toMatchObject({ status: 'completed' })
      const row = await db.selectFrom('model_usage').selectAll().executeTakeFirstOrThrow()
      expect([row.input_tokens, row.output_tokens, row.status]).toEqual(stored)
    })

    it('a reply that this program cannot handle is asked for five times at most', async () => {
      const { storage, turn_id } = await prepare()
      const call = callModels(storage, new OneReply({ parts: [null as unknown as AssistantPart] }))
      for (let attempt = 1; attempt < 5; attempt += 1) await expect(call(turn_id, attempt)).rejects.toThrow(TypeError)
      await expect(call(turn_id, 5)).rejects.toMatchObject({
        nonRetryable: true,
        type: 'Internal',
        details: [{ code: 'internal_error' }],
      })
    })

    it('a reply that the database refuses is asked for ten times at most, although no failure can be recorded', async () => {
      const { storage, db, turn_id } = await prepare()
      await dialect.refuseUpdates(db, 'model_usage', 'status')
      const model = new OneReply({ parts: [text] })
      const call = callModels(storage, model)
      for (let attempt = 1; attempt <= 10; attempt += 1) await expect(call(turn_id, attempt)).rejects.toThrow(/refused/)
      await expect(call(turn_id, 11)).rejects.toMatchObject({ nonRetryable: true, type: 'Internal' })
      expect(model.requests).toBe(10)
    })

    it.each(['stop', 'length', 'content_filter'] as const)(
      'the finish reason %s outlives the event log',
      async (finish) => {
        const { storage, db, turn_id, result } = await run({ parts: [text], finish_reason: finish })
        expect(result).toMatchObject({ finish: 'ended', status: 'completed' })
        const finalEvent = async () => {
          const turn = (await findTurn(db, turn_id))!
          const events = await resumeEvents(storage, turn, 0, new AbortController().signal)
          for await (const batch of events!) {
            const final = batch.find(({ type }) => type === 'message_end')
            if (final) return final.data
          }
          return undefined
        }
        expect(await finalEvent()).toMatchObject({ finish_reason: finish })
        await db.deleteFrom('event_segments').where('stream_id', '=', turn_id).execute()
        await db.deleteFrom('event_streams').where('stream_id', '=', turn_id).execute()
        expect(await finalEvent()).toMatchObject({ finish_reason: finish })
      },
    )

    it('cached and reasoning tokens stand in the usage row and in the log', async () => {
      const usage = { input_tokens: 100, output_tokens: 20, cached_tokens: 64, reasoning_tokens: 12 }
      const { db, turn_id } = await run({ parts: [text], usage, warnings: ['Something was left out'] })
      expect(await db.selectFrom('model_usage').selectAll().executeTakeFirst()).toMatchObject({
        ...usage,
        status: 'completed',
      })
      const [entry] = await listLogOfTurn(db, turn_id)
      expect(JSON.parse(entry!.usage!)).toEqual(usage)
      expect(JSON.parse(entry!.output!)).toMatchObject({ finish_reason: 'stop', warnings: ['Something was left out'] })
    })

    it('a reply with reasoning keeps its parts for the next step, and one without keeps none', async () => {
      const first = await run({ parts: [reasoning, text, call('a', '{}')], finish_reason: 'tool_calls' })
      const [step] = await listSteps(first.db, first.turn_id)
      expect(step).toMatchObject({ content: 'It was a dark and', calls: [{ call_id: 'call_1_1' }] })
      expect(step!.parts).toEqual([reasoning, text, { type: 'tool_call', call_id: 'call_1_1' }])
      const second = await run({ parts: [text, call('a', '{}')], finish_reason: 'tool_calls' })
      expect((await listSteps(second.db, second.turn_id))[0]!.parts).toBeUndefined()
    })

    it('a call that was cut is stored as refused, shown and logged, and the workflow is not given it', async () => {
      const { storage, db, turn_id, result } = await run({
        parts: [call('a', '{"label":"whole"}'), call('b', '{"label":"cu')],
        finish_reason: 'length',
      })
      expect(result).toMatchObject({ finish: 'tool_calls', calls: [{ call_id: 'call_1_1', name: 'count' }] })
      expect((await findStep(db, turn_id, 1))?.calls).toEqual(result.calls)
      const [step] = await listSteps(db, turn_id)
      const why = expect.stringContaining('length limit')
      expect(step!.calls).toMatchObject([
        { call_id: 'call_1_1', status: 'planned', output: null },
        { call_id: 'call_1_2', status: 'invalid', output: why, started_at: null },
      ])
      const shown: unknown[] = []
      for await (const batch of storage.events.follow(turn_id, 0, AbortSignal.timeout(10_000))) {
        shown.push(
          ...batch.filter(({ type }) => type.startsWith('tool_call')).map(({ type, data }) => ({ type, data })),
        )
        if (shown.length === 2) break
      }
      expect(shown).toEqual([
        { type: 'tool_call_start', data: { id: 'call_1_2', name: 'count', server: '', parameters: '{"label":"cu' } },
        { type: 'tool_call_end', data: { id: 'call_1_2', output: why, is_error: true } },
      ])
      const logged = (await listLogOfTurn(db, turn_id)).map(({ kind, status, name }) => [kind, status, name])
      expect(logged).toEqual([
        ['model_call', 'completed', 'offline'],
        ['tool_call', 'failed', 'count'],
      ])
    })

    it('the parameters of a refused call are shown and logged as they are read, unless they are too deep', async () => {
      const deep = '['.repeat(100_000) + ']'.repeat(100_000)
      const many = Array.from({ length: MAX_CALLS }, (_, index) => call(`a${index}`, '{}'))
      const { db, turn_id } = await run({
        parts: [...many, call('b', '{"label":12345678901234567890}'), call('c', ''), call('d', deep)],
        finish_reason: 'tool_calls',
      })
      const starts = (await readAllEvents(db, turn_id)).filter((event) => event.type === 'tool_call_start')
      const shown = starts.map(({ data }) => JSON.stringify(data.parameters))
      expect(shown).toEqual(['{"label":12345678901234567890}', '{}', JSON.stringify(deep)])
      const logged = (await listLogOfTurn(db, turn_id)).filter(({ kind }) => kind === 'tool_call')
      expect(logged.map(({ input }) => input)).toEqual(shown)
    })

    it('a reply that ends with an error is a failed attempt', async () => {
      await expect(run({ parts: [text], finish_reason: 'error' })).rejects.toMatchObject({ type: 'UpstreamRetry' })
    })
  })
}
