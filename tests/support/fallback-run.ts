// Turns of one conversation over a chain of three vendors under random faults: each ends once, and its cost is the sum of its calls.
import { ApplicationFailure } from '@temporalio/common'
import { expect } from 'vitest'
import { FAILURE } from '../../contracts/temporal.ts'
import { isFinal } from '../../contracts/events.ts'
import { resolveAgent } from '../../contracts/schemas/agent.ts'
import { shownText } from '../../contracts/text.ts'
import { readAllEvents } from '../../db/event-rows.ts'
import { createAgent } from '../../db/queries/agents.ts'
import { createConversation } from '../../db/queries/conversations.ts'
import { findTurn, insertTurn } from '../../db/queries/turns.ts'
import { markAccepted } from '../../db/queries/turn-starts.ts'
import { ModelRegistry } from '../../providers/registry.ts'
import { callModels, OFFLINE } from './call-model.ts'
import type { TestStorage } from './dialects.ts'
import { seeded } from './seeded.ts'
import { aTurn, end, inTx } from './turn-rows.ts'
import { PROTOCOLS, type Protocol, type RawAnswer, type WireDouble } from './wire-double.ts'

const CHAIN = (['openai', 'anthropic', 'gemini'] as const).map((name) => PROTOCOLS.find((each) => each.name === name)!)
const PRICE = { input: 7, output: 11 }
/** Of an answer: every double counts three tokens in and two out. */
const COST = (3 * PRICE.input + 2 * PRICE.output) / 1e6
const MOST_ATTEMPTS = 5

/** @returns how many turns ended how */
export async function runFallbacks(storage: TestStorage, double: WireDouble, turns: number, seed: number) {
  const random = seeded(seed)
  const [first, ...fallbacks] = CHAIN.map((protocol) => ({
    provider: protocol.name as 'openai' | 'anthropic' | 'gemini',
    model: `of-${protocol.name}`,
    base_url: double.rawUrl(protocol),
  }))
  const own_models = Object.fromEntries(CHAIN.map(({ name }) => [`${name}:of-${name}`, { price: PRICE }]))
  const models = new ModelRegistry({ ...OFFLINE, own_models, guardedFetch: (url, init) => fetch(url, init) })
  const call = callModels(storage, models)
  const config = resolveAgent(
    { description: 'd', system_message: 's', model: { ...first!, fallbacks }, memory: { buffer: 6 } },
    'agent',
  )
  await inTx(storage, (tx) => createAgent(tx, storage.box, { id: 'agent', config, secrets: {} }))
  const { id: conversation } = await createConversation(storage.db, { agent_id: 'agent', user_id: 'user', title: 't' })
  const ended = { completed: 0, failed: 0, answered_by: new Set<string>() }

  for (let n = 0; n < turns; n += 1) {
    const turn = aTurn(conversation, { content: `Question ${n}` })
    const { turn_id } = turn
    await inTx(storage, async (tx) => {
      await insertTurn(tx, turn, 'active')
      await markAccepted(tx, turn_id, false)
    })
    const before = double.requests.length
    const answered = await answer(turn_id, n)
    const row = (await findTurn(storage.db, turn_id))!
    const events = await readAllEvents(storage.db, turn_id)
    expect(
      events.filter(({ type }) => isFinal(type)),
      'ends',
    ).toHaveLength(1)
    expect(events.map(({ id }) => id)).toEqual(events.map((_, index) => index + 1))
    const rows = await storage.db.selectFrom('model_usage').selectAll().where('stream_id', '=', turn_id).execute()
    expect(rows, 'a row for each request that was sent, and no other').toHaveLength(double.requests.length - before)
    expect(rows.map(({ status }) => status)).not.toContain('sent')
    const sum = rows.reduce((total, { cost_usd }) => total + Number(cost_usd), 0)
    ended[answered ? 'completed' : 'failed'] += 1
    expect(row.status).toBe(answered ? 'completed' : 'failed')
    if (!answered) continue
    ended.answered_by.add(answered.name)
    expect(shownText(events).text).toBe(`${answered.name} answers ${n}`)
    expect((JSON.parse(row.usage!) as { cost_usd: number }).cost_usd).toBeCloseTo(sum, 12)
    expect(
      Number(rows.find(({ provider, status }) => provider === answered.name && status === 'completed')!.cost_usd),
    ).toBe(COST)
  }
  return ended

  /** Asks one model after the other as the workflow does. @returns whose answer it was */
  async function answer(turnId: string, n: number): Promise<Protocol | undefined> {
    for (const [place, protocol] of CHAIN.entries()) {
      for (let attempt = 1; attempt <= MOST_ATTEMPTS; attempt += 1) {
        double.next(randomAnswer(protocol, n))
        try {
          await call(turnId, attempt, place)
          return protocol
        } catch (error) {
          if (!(error instanceof ApplicationFailure)) throw error
          const isOver = error.type === FAILURE.final || (error.nonRetryable && place === CHAIN.length - 1)
          if (isOver) {
            await end(storage, turnId, 'failed', { code: 'upstream_error', message: error.message })
            return undefined
          }
          if (error.nonRetryable) break
        }
      }
    }
    return undefined
  }

  function randomAnswer(protocol: Protocol, n: number): RawAnswer {
    const text = [`${protocol.name} ans`, `wers ${n}`]
    const faults: RawAnswer[] = [
      { status: 429, headers: { 'retry-after': '1' }, body: '{"error":{"message":"Slow down"}}' },
      { status: 500, body: 'oops' },
      { status: 529, body: '{"error":{"message":"Overloaded"}}' },
      { events: protocol.text(text, false), ending: 'cut' },
      { events: [...protocol.text(text, false), '{"half":'] },
      { events: [...protocol.text(text, false), protocol.reported] },
      { events: [] },
    ]
    // The first vendor is down for a while, at random times.
    const share = protocol === CHAIN[0] && n % 20 > 13 ? 1 : 0.45
    if (random() < 0.01)
      return protocol.wrongKey.status === 401
        ? { status: 401, body: '{"error":{"message":"no"}}' }
        : { events: protocol.refusal }
    return random() < share ? faults[Math.floor(random() * faults.length)]! : { events: protocol.text(text) }
  }
}
