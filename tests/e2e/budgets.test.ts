// Daily budgets in the whole product: on SQLite in one process, which makes head starts, and on Postgres with an API and a worker.
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { HeldReply } from '../support/held-reply.ts'
import { openStage, type Muxi, type Stage } from '../support/stage.ts'
import { keeps } from './requirements.ts'

const model = { provider: 'openai', model: 'gpt-4.1-mini' }
const agents = {
  chain: {
    description: 'Has a second model.',
    system_message: 'You help.',
    model: { ...model, fallbacks: [{ provider: 'openai', model: 'gpt-4.1' }] },
  },
  leader: { description: 'Asks.', system_message: 'You ask.', model, agent_tools: ['chain'] },
  rememberer: {
    description: 'Remembers.',
    system_message: 'You remember.',
    model,
    memory: { buffer: 10, long_term: true, extract_user_info: true },
  },
}
/** About 500 tokens. */
const LONG = 'word '.repeat(400)

for (const database of ['sqlite', 'postgres'] as const) {
  describe(database, () => {
    let stage: Stage
    let api: Muxi
    let processes: Muxi[] = []
    const start = async () => {
      processes = []
      for (const role of database === 'sqlite' ? (['all'] as const) : (['api', 'worker'] as const))
        processes.push(await stage.start(role))
      api = processes[0]!
    }
    beforeAll(async () => {
      stage = await openStage({
        agents,
        database,
        env: { MUXI_ENGINE_SWEEP_MS: '500', MUXI_DEFAULT_AGENT: 'scripted' },
      })
      await start()
    })
    afterEach(async () => {
      stage.model.assertUsed()
      await stage.check()
    })
    afterAll(() => stage.close())

    let users = 0
    /** A key of a user of its own. */
    async function makeKey(budget?: object, fields: object = {}) {
      const user_id = `spender ${(users += 1)}`
      const body = { name: 'spends', scopes: ['chat'], user_id, ...(budget && { budget }), ...fields }
      const made = await stage.call(api.url, '/api/v1/keys', { body })
      expect(made.status, made.text).toBe(201)
      return { id: made.body.id as string, key: made.body.key as string, user_id }
    }
    const send = (key: string, content: string, { path = '/agents/scripted/chat', ...fields } = {}) =>
      stage.call(api.url, `/api/v1${path}`, { key, body: { content, ...fields } })
    const budgetOf = async (key: string) => (await stage.call(api.url, '/api/v1/key', { key })).body.budget
    const put = (path: string, body: object) => stage.call(api.url, `/api/v1${path}`, { method: 'PUT', body })

    function expectRefused(answer: Awaited<ReturnType<typeof send>>, details: object): void {
      expect([answer.status, answer.body.error.code], answer.text).toEqual([429, 'budget_exceeded'])
      expect(answer.body.error.details).toMatchObject(details)
      const { resets_at } = answer.body.error.details
      expect(resets_at).toMatch(/T00:00:00\.000Z$/)
      const seconds = (Date.parse(resets_at) - Date.now()) / 1_000
      expect(Math.abs(Number(answer.headers.get('retry-after')) - seconds)).toBeLessThan(10)
    }

    it(keeps('budgets.acceptance', 'of a key, over a restart of everything, until the budget is raised'), async () => {
      const { id, key } = await makeKey({ daily_tokens: 300 })
      const cue = stage.model.script({ say: LONG }, { say: 'More.' })
      const first = await send(key, `Hello ${cue}`)
      expect(first.status, first.text).toBe(200)
      const { spent } = await budgetOf(key)
      const { input_tokens, output_tokens } = first.body.usage
      expect(spent).toMatchObject({ requests: 1, tokens: input_tokens + output_tokens })
      expect(spent.cost_usd).toBeCloseTo(first.body.usage.cost_usd, 8)
      const details = { budget: 'key', limit: 'daily_tokens', daily_tokens: 300, spent: spent.tokens, reserved: 0 }
      expectRefused(await send(key, `Again ${cue}`), details)
      expect((await stage.call(api.url, '/api/v1/turns', { key })).body.turns).toHaveLength(1)

      for (const child of processes) await child.kill()
      await start()
      expectRefused(await send(key, `Again ${cue}`), details)
      const raised = await put(`/keys/${id}/budget`, { daily_tokens: 1_000_000 })
      expect(raised.body).toMatchObject({ daily_tokens: 1_000_000, daily_cost_usd: null, source: 'own', spent })
      expect((await send(key, `Again ${cue}`)).status).toBe(200)
    })

    it(keeps('budgets.acceptance', 'of a user, with whatever key, in cost; over the WebSocket too'), async () => {
      const { key, user_id } = await makeKey()
      const path = `/users/${encodeURIComponent(user_id)}/budget`
      const made = await put(path, { daily_cost_usd: 0.0001 })
      expect(made.status, made.text).toBe(200)
      const cue = stage.model.script({ say: LONG })
      expect((await send(stage.key, `Hello ${cue}`, { user_id } as object)).status).toBe(200)
      const details = { budget: 'user', limit: 'daily_cost_usd', daily_cost_usd: 0.0001 }
      expectRefused(await send(key, 'Again'), details)
      const { body } = await stage.call(api.url, `/api/v1${path}`, { key })
      expect(body).toMatchObject({ daily_cost_usd: 0.0001, daily_tokens: null, source: 'own', spent: { requests: 1 } })
      const socket = await stage.socket(api.url, key)
      socket.send('chat', '1', { agent_id: 'scripted', content: 'Again' })
      const { data } = await socket.waitFor(({ type }) => type === 'error')
      expect(data).toMatchObject({ code: 'budget_exceeded', details })
      socket.close()
      expect((await stage.call(api.url, `/api/v1${path}`, { method: 'DELETE' })).status).toBe(200)
      const again = stage.model.script({ say: 'Yes.' })
      expect((await send(key, `Again ${again}`)).status).toBe(200)
    })

    it.runIf(database === 'sqlite')(
      keeps('budgets.acceptance', 'of every user, as the operator has set it, unless the user has an own budget'),
      async () => {
        const { key, user_id } = await makeKey()
        const path = `/users/${encodeURIComponent(user_id)}/budget`
        const limited = await stage.start('api', { env: { MUXI_BUDGET_DAILY_TOKENS_PER_USER: '0' } })
        expectRefused(await send(key, 'Hello'), { budget: 'user', limit: 'daily_tokens', daily_tokens: 0 })
        const { body } = await stage.call(api.url, `/api/v1${path}`)
        expect(body).toMatchObject({ daily_tokens: 0, source: 'default' })
        await put(path, { daily_tokens: null })
        const cue = stage.model.script({ say: 'Yes.' })
        expect((await send(key, `Hello ${cue}`)).status).toBe(200)
        await limited.kill()
        await (await stage.start('api')).kill()
        expect((await stage.call(api.url, '/api/v1/users/another/budget')).body.daily_tokens).toBeNull()
      },
    )

    it(keeps('budgets.mid-turn', 'at once, without a second model'), async () => {
      const { key } = await makeKey({ daily_tokens: 400 })
      const cue = stage.model.script({ say: LONG, call: [{ name: 'current_time', arguments: {} }] })
      const stream = await stage.chat(api.url, `Hello ${cue}`, { key, agent: 'chain' })
      await stream.untilFinal()
      expect(stream.events.at(-1)).toMatchObject({
        type: 'error',
        data: { code: 'budget_exceeded', details: { budget: 'key', limit: 'daily_tokens', daily_tokens: 400 } },
      })
      expect(stream.text).toBe(LONG)
      const turnId = stream.events[0]!.data.turn_id as string
      const turn = await stage.turn(api.url, turnId)
      expect(turn).toMatchObject({ status: 'failed', error: { code: 'budget_exceeded' } })
      expect(turn.message.agent_response.content).toBe(LONG)
      const { body: log } = await stage.call(api.url, `/api/v1/turns/${turnId}/log`)
      const calls = log.entries.filter(({ kind }: { kind: string }) => kind === 'model_call')
      expect(calls.map(({ status }: { status: string }) => status)).toEqual(['completed', 'failed'])
      expect(calls[1].error).toMatchObject({ reason: 'budget_exceeded' })
      const { spent } = await budgetOf(key)
      expect(spent.tokens).toBe(log.totals.input_tokens + log.totals.output_tokens)
    })

    it(keeps('budgets.parallel', 'the others are refused'), async () => {
      const { key, user_id } = await makeKey({ daily_tokens: 1_000 })
      const held = new HeldReply(2)
      const cue = stage.model.script({ say: 'The one.', held })
      const conversations = await Promise.all(
        Array.from({ length: 10 }, () => stage.conversation(api.url, { user_id })),
      )
      const turns = conversations.map((conversation_id) =>
        send(key, `Hello ${cue}`, { conversation_id } as object).finally(() => {
          ended += 1
          if (ended === 9) held.release()
        }),
      )
      let ended = 0
      const answers = await Promise.all(turns)
      expect(answers.filter(({ status }) => status === 200)).toHaveLength(1)
      for (const answer of answers.filter(({ status }) => status !== 200))
        expectRefused(answer, { budget: 'key', limit: 'daily_tokens' })
      expect(stage.model.calls(cue)).toBe(1)
      expect((await budgetOf(key)).reserved).toEqual({ tokens: 0, cost_usd: 0 })
    })

    it(keeps('budgets.hidden', 'the choice of the agent, and what is extracted from a message'), async () => {
      const { key } = await makeKey()
      const cue = stage.model.script(
        { say: JSON.stringify({ agent_id: 'rememberer', confidence: 0.9 }) },
        { say: 'Noted.' },
        { say: '{"name": "Ida"}' },
      )
      const { status, body, text } = await send(key, `My name is Ida. ${cue}`, { path: '/chat' })
      expect(status, text).toBe(200)
      await expect.poll(async () => (await budgetOf(key)).spent.requests, { timeout: 20_000 }).toBe(3)
      await expect.poll(async () => (await budgetOf(key)).reserved.tokens, { timeout: 20_000 }).toBe(0)
      const rows = await stage.rows(
        'select step, agent_id, input_tokens + output_tokens as tokens from model_usage where stream_id = ? order by step',
        body.turn_id,
      )
      expect(rows.map(({ step, agent_id }) => [Number(step), agent_id])).toEqual([
        [-1, 'rememberer'],
        [0, 'auto'],
        [1, 'rememberer'],
      ])
      expect((await budgetOf(key)).spent.tokens).toBe(rows.reduce((sum, { tokens }) => sum + Number(tokens), 0))
    })

    it(keeps('budgets.hidden', 'the turns of agents that are asked by agents'), async () => {
      const { key } = await makeKey()
      const asked = stage.model.script({ say: 'It is 42.' })
      const call = { name: 'ask_chain', arguments: { message: `What is it? ${asked}` } }
      const cue = stage.model.script({ say: 'I ask. ', call: [call] }, { say: '42.' })
      const { status, text } = await send(key, `Ask. ${cue}`, { path: '/agents/leader/chat' })
      expect(status, text).toBe(200)
      expect((await budgetOf(key)).spent.requests).toBe(3)
    })

    it(keeps('budgets.memory', 'without what a model would have extracted'), async () => {
      const { key, user_id } = await makeKey({ daily_tokens: 300 })
      const cue = stage.model.script({ say: LONG })
      const { body } = await send(key, `The key is under the stone. ${cue}`, { path: '/agents/rememberer/chat' })
      const query = `query=stone&user_id=${encodeURIComponent(user_id)}`
      const search = () => stage.call(api.url, `/api/v1/agents/rememberer/memory/search?${query}`)
      await expect.poll(async () => (await search()).body.results.length, { timeout: 20_000 }).toBeGreaterThan(0)
      const { body: log } = await stage.call(api.url, `/api/v1/turns/${body.turn_id}/log`)
      const writes = log.entries.filter(({ kind }: { kind: string }) => kind === 'memory_write')
      expect(writes).toMatchObject([
        { name: 'extract_user_info', status: 'failed', error: { message: expect.stringContaining('daily budget') } },
        { name: 'long_term', status: 'completed' },
      ])
    })

    it(keeps('budgets.usage', 'with the scope read; a chat key only what its own user has'), async () => {
      const { id, key, user_id } = await makeKey()
      const cue = stage.model.script({ say: 'One.' })
      const { body } = await send(key, `Hello ${cue}`)
      const { input_tokens, output_tokens } = body.usage
      const spent = { requests: 1, input_tokens, output_tokens, cost_usd: expect.closeTo(body.usage.cost_usd, 8) }
      const usage = async (query: string, as = stage.key) => {
        const answer = await stage.call(api.url, `/api/v1/usage?${query}`, { key: as })
        expect(answer.status, answer.text).toBe(200)
        return answer.body.usage as { id: string }[]
      }
      const of = (found: { id: string }[], name: string) => found.find((each) => each.id === name)
      expect(of(await usage('group_by=key&limit=100'), id)).toMatchObject(spent)
      expect(of(await usage('group_by=user&limit=100'), user_id)).toMatchObject(spent)
      expect(await usage('group_by=user', key)).toMatchObject([{ id: user_id, ...spent }])
      expect(await usage('group_by=agent&period=last_30d', key)).toMatchObject([{ id: 'scripted', ...spent }])
      expect(await usage('group_by=model', key)).toMatchObject([{ id: 'openai:gpt-4.1-mini', ...spent }])
      expect((await stage.call(api.url, '/api/v1/usage?group_by=key', { key })).status).toBe(403)
      const { body: keys } = await stage.call(api.url, '/api/v1/keys?limit=100')
      expect(keys.keys.find((each: { id: string }) => each.id === id).budget.spent.requests).toBe(1)
    })

    it(keeps('budgets.job', 'and a retry of it goes on where it failed'), async () => {
      const { id, key } = await makeKey({ daily_tokens: 0 }, { scopes: ['chat', 'manage'] })
      const cue = stage.model.script({ say: 'It is about a lamp.' })
      const file_id = await stage.upload(api.url, `lamp ${cue}.txt`, 'The lamp burns whale oil.', key)
      const body = { kind: 'document', file_id, agent_id: 'scripted', options: { summarize: true } }
      const job = await stage.call(api.url, '/api/v1/jobs', { key, body })
      const jobId = job.body.id as string
      await (await stage.followJob(api.url, jobId)).untilFinal()
      const failed = (await stage.call(api.url, `/api/v1/jobs/${jobId}`)).body
      expect(failed).toMatchObject({ status: 'failed', error: { code: 'budget_exceeded', details: { budget: 'key' } } })
      await put(`/keys/${id}/budget`, { daily_tokens: 100_000 })
      await stage.call(api.url, `/api/v1/jobs/${jobId}/retry`, { key, method: 'POST' })
      await expect
        .poll(async () => (await stage.call(api.url, `/api/v1/jobs/${jobId}`)).body.status, { timeout: 20_000 })
        .toBe('completed')
      expect((await budgetOf(key)).spent.requests).toBe(1)
    })
  })
}
