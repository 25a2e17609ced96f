// The agents that come with muxi, started as `npm start` starts them, without any key: they show what they promise.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeAll, expect, it } from 'vitest'
import { ROOT } from '../support/children.ts'
import { freePort } from '../support/free-port.ts'
import { childrenOf, openStage, type Product, type Stage } from '../support/stage.ts'
import { keeps } from './requirements.ts'

const WITHOUT_KEYS = { OPENAI_API_KEY: '', OPENAI_BASE_URL: '', BRAVE_API_KEY: '', TAVILY_API_KEY: '' }

let stage: Stage
let product: Product
let port: number
const start = () => stage.startProduct({ port, env: { ...WITHOUT_KEYS, MUXI_AGENTS_DIR: join(ROOT, 'agents') } })
beforeAll(async () => {
  stage = await openStage({ withoutTemporal: true })
  port = await freePort()
  product = await start()
  return () => stage.close()
})

afterEach(() => stage.check())

async function connected(agent: string, server: string) {
  const look = async () => (await stage.call(product.url, `/api/v1/agents/${agent}/mcp_servers/${server}`)).body
  await expect.poll(look, { timeout: 30_000 }).toMatchObject({ connected: true })
  return look()
}

it(
  keeps('examples.idle', 'a minute after the start no MCP server has a process, and the tools of all are known'),
  async () => {
    const states = async () => {
      const lists = ['assistant', 'researcher'].map((id) => stage.call(product.url, `/api/v1/agents/${id}/mcp_servers`))
      return (await Promise.all(lists)).map(({ body }) => body.mcp_servers[0].state)
    }
    await expect.poll(states, { timeout: 90_000, interval: 500 }).toEqual(['idle', 'idle'])
    const programs = childrenOf(product.appPid()).map((pid) => readFileSync(`/proc/${pid}/cmdline`, 'utf8'))
    expect(programs.filter((command) => command.includes('mcp/servers'))).toEqual([])
    expect(await stage.rows('select distinct server from mcp_tools order by server')).toEqual([
      { server: 'calculator' },
      { server: 'web' },
    ])
  },
)

it(
  keeps(
    'examples.calculator',
    'the assistant calculates and converts with a process of its own, and the log tells how',
  ),
  async () => {
    const { command, stats, trust_annotations } = await connected('assistant', 'calculator')
    expect({ command, trust_annotations }).toEqual({ command: 'muxi mcp calculator', trust_annotations: true })
    expect(stats.pid).toEqual(expect.any(Number))
    for (const [question, tool, parameters, result] of [
      ['What is 12.5% of 89.90?', 'calculate', { expression: '12.5% * 89.90' }, '11.2375'],
      [
        'What is 12345678901234567890 * 10?',
        'calculate',
        { expression: '12345678901234567890 * 10' },
        '123456789012345678900',
      ],
      ['3 miles in km', 'convert', { value: 3, from: 'miles', to: 'km' }, '4.828032 km'],
    ] as const) {
      const { body } = await stage.call(product.url, '/api/v1/agents/assistant/chat', { body: { content: question } })
      expect(body.agent_response.content).toContain(`The tool answered: ${result}.`)
      expect(body.agent_response.tool_calls[0].output).toBe(result)
      const { entries, totals } = (await stage.call(product.url, `/api/v1/turns/${body.turn_id}/log`)).body
      expect(totals).toMatchObject({ model_calls: 2, tool_calls: 1 })
      expect(entries.filter(({ kind }: { kind: string }) => kind === 'tool_call')).toEqual([
        expect.objectContaining({
          name: expect.stringContaining(tool),
          status: 'completed',
          attempt: 1,
          input: expect.objectContaining(parameters),
          output: result,
          duration_ms: expect.any(Number),
        }),
      ])
    }
  },
)

it(
  keeps(
    'examples.approval',
    'a calculation is asked about, everything is killed, and granted over REST it is made once',
  ),
  async () => {
    const agent = {
      id: 'careful',
      description: 'Asks before it calculates.',
      system_message: 'You calculate with your tools.',
      mcp_servers: [{ name: 'calculator', builtin: 'calculator', approval: 'always' }],
    }
    expect((await stage.call(product.url, '/api/v1/agents', { body: agent })).status).toBe(201)
    await connected('careful', 'calculator')
    const content = 'What is 12.5% of 89.90?'
    const asked = await stage.call(product.url, '/api/v1/agents/careful/chat', { body: { content } })
    expect([asked.status, asked.body]).toMatchObject([
      202,
      {
        status: 'awaiting_approval',
        approvals: [{ kind: 'tool', name: 'calculate', parameters: { expression: '12.5% * 89.90' } }],
      },
    ])
    await product.killAll()
    product = await start()
    const { body } = await stage.call(product.url, '/api/v1/approvals?status=waiting')
    const [{ id, turn_id }] = body.approvals
    expect([turn_id, id]).toEqual([asked.body.turn_id, asked.body.approvals[0].id])
    const approve = { body: { decision: 'approve' } }
    expect((await stage.call(product.url, `/api/v1/turns/${turn_id}/approvals/${id}`, approve)).status).toBe(200)
    await expect
      .poll(() => stage.turn(product.url, turn_id), { timeout: 60_000 })
      .toMatchObject({
        status: 'completed',
        message: { agent_response: { content: expect.stringContaining('11.2375') } },
      })
    const { entries } = (await stage.call(product.url, `/api/v1/turns/${turn_id}/log`)).body
    expect(entries).toMatchObject([
      { kind: 'model_call', attempt: 1, status: 'completed' },
      { kind: 'approval', status: 'completed', output: { decision: 'approve' } },
      {
        kind: 'tool_call',
        attempt: 1,
        status: 'completed',
        input: { expression: '12.5% * 89.90' },
        output: '11.2375',
        duration_ms: expect.any(Number),
      },
      { kind: 'model_call', attempt: 1, status: 'completed' },
    ])
  },
)

it(
  keeps('examples.search', 'the researcher is there without a search service, and its tools say what is missing'),
  async () => {
    const { command, available_tools } = await connected('researcher', 'web')
    expect(command).toBe('muxi mcp search')
    expect(available_tools.map(({ name }: { name: string }) => name)).toEqual(['web_search', 'read_page'])
    const { body } = await stage.call(product.url, '/api/v1/agents/researcher/chat', {
      body: { content: 'Search the web for durable execution' },
    })
    expect(body.agent_response.content).toContain('must be set for the server')
  },
)
