// MCP servers of agents over the API: added, looked at, removed, refused; and what they do besides answering.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { isAlive } from '../support/is-alive.ts'
import { killWithUs } from '../support/children.ts'
import { freePort } from '../support/free-port.ts'
import { openStage, type Answer, type Muxi, type Stage } from '../support/stage.ts'
import { EVERYTHING, FAULTY, MEMORY, NODE } from '../support/mcp-servers.ts'
import { keeps } from './requirements.ts'

const AGENT = '/api/v1/agents/scripted'
const SERVERS = `${AGENT}/mcp_servers`

let stage: Stage
let muxi: Muxi
let manager = ''
beforeAll(async () => {
  stage = await openStage({
    env: {
      MUXI_MCP_COMMANDS: NODE,
      MUXI_API_ENV: 'MCP_SHARED',
      MCP_SHARED: 'shared-9c4e',
      MUXI_LIMIT_TOOL_OUTPUT_CHARACTERS: '1000',
    },
  })
  muxi = await stage.start('all')
  const made = await stage.call(muxi.url, '/api/v1/keys', {
    body: { name: 'manager', scopes: ['manage', 'read', 'chat'] },
  })
  manager = made.body.key
  return () => stage.close()
})

const faulty = (name: string, fault = 'none', more: object = {}) => ({
  name,
  command: NODE,
  args: [FAULTY, fault, stage.countFile],
  ...more,
})
const add = (body: object, key = stage.key): Promise<Answer> =>
  stage.call(muxi.url, SERVERS, { body: { approval: 'never', ...body }, key })
const look = async (name: string) => (await stage.call(muxi.url, `${SERVERS}/${name}`)).body
const remove = (name: string) => stage.call(muxi.url, `${SERVERS}/${name}`, { method: 'DELETE' })

/** Has the model make one call. @returns what it was told */
async function callTool(name: string, given: object = {}): Promise<string> {
  const cue = stage.model.script({ call: [{ name, arguments: given }] }, { say: 'Done.' })
  const conversation_id = await stage.conversation(muxi.url)
  const stream = await stage.chat(muxi.url, cue, { conversation_id })
  await stream.untilFinal()
  const { output } = stream.events.find(({ type }) => type === 'tool_call_end')?.data ?? {}
  return typeof output === 'string' ? output : JSON.stringify(output)
}

/** What a model is offered of a server. */
async function offered(server: string): Promise<string[]> {
  const cue = stage.model.script({ say: 'So many.' })
  await (await stage.chat(muxi.url, cue)).untilFinal()
  const tools = stage.model.requests(cue)[0]!.tools as { function: { name: string } }[]
  return tools.map((tool) => tool.function.name).filter((name) => name.startsWith(`${server}__`))
}

it(keeps('mcp.endpoints', 'a server is added, listed, called and removed, and its program ends'), async () => {
  const added = await add({ name: 'memory', command: `${NODE} "${MEMORY}"` })
  expect([added.status, added.body]).toEqual([
    201,
    { status: 'connected', agent_id: 'scripted', server: { name: 'memory', type: 'command', connected: true } },
  ])
  expect((await add({ name: 'memory', command: `${NODE} "${MEMORY}"` })).status).toBe(409)
  const { body: list } = await stage.call(muxi.url, SERVERS)
  expect(list.mcp_servers).toMatchObject([
    { name: 'memory', type: 'command', connected: true, stats: { active_requests: 0, pid: expect.any(Number) } },
  ])
  expect((await stage.call(muxi.url, AGENT)).body.mcp_servers).toEqual([
    { name: 'memory', type: 'command', connected: true, state: 'connected' },
  ])
  expect(await callTool('memory__read_graph')).toContain('entities')
  const { stats, available_tools } = await look('memory')
  expect(available_tools).toContainEqual(expect.objectContaining({ name: 'read_graph', drifted: false }))
  expect(stats).toMatchObject({ reconnects: 0, last_error: null, connect_time: expect.any(String) })
  expect((await remove('memory')).body).toEqual({
    status: 'disconnected',
    agent_id: 'scripted',
    server: { name: 'memory' },
  })
  await expect.poll(() => isAlive(stats.pid)).toBe(false)
  expect((await remove('memory')).status).toBe(404)
})

it(keeps('mcp.endpoints', 'a server that cannot be connected is told with the reason, and not kept'), async () => {
  const ended = await add(faulty('ends', 'exits'))
  expect([ended.status, ended.body.error.code]).toEqual([502, 'upstream_error'])
  expect(ended.body.error.message).toContain('it ended (exit code 2): cannot read my configuration')
  const nobody = await add({ name: 'nobody', url: `http://127.0.0.1:${await freePort()}/mcp` })
  expect(nobody.body.error.message).toMatch(/it cannot be reached at http:.*\/mcp \(ECONNREFUSED\)/)
  const silent = await add(faulty('silent', 'silent', { timeouts: { connect: 1 } }))
  expect(silent.body.error.message).toContain('it was not ready within 1 s')
  expect((await stage.call(muxi.url, SERVERS)).body.mcp_servers).toEqual([])
})

it(
  keeps(
    'mcp.builtin',
    'a built-in server is added without a list of programs; only admins set the addresses it connects to',
  ),
  async () => {
    const search = { name: 'web', builtin: 'search', credentials: { BRAVE_API_KEY: 'key-of-a-manager' } }
    for (const more of [{ env: { BRAVE_BASE_URL: 'http://10.0.0.1' } }, { credentials: { SEARXNG_BASE_URL: 'x' } }])
      expect((await add({ ...search, ...more }, manager)).status).toBe(403)
    const injected = await add({ ...search, env: { NODE_OPTIONS: '--inspect' } })
    expect([injected.status, injected.body.error.code]).toEqual([422, 'unprocessable'])
    expect((await add({ ...search, builtin: 'shell' }, manager)).status).toBe(400)
    expect((await add(search, manager)).status).toBe(201)
    expect(await look('web')).toMatchObject({ command: 'muxi mcp search', trust_annotations: true })
    expect(await callTool('web__read_page', { url: muxi.url })).toContain('got a loopback address')
    expect((await remove('web')).status).toBe(200)
  },
)

describe('refusals', () => {
  it(keeps('mcp.refused', 'a program needs the admin scope, and stands on the list of the operator'), async () => {
    const scope = await add(faulty('x'), manager)
    expect([scope.status, scope.body.error.code]).toEqual([403, 'forbidden'])
    const program = await add({ name: 'x', command: 'sh -c "exit 1"' })
    expect([program.status, program.body.error.message]).toEqual([403, expect.stringContaining('MUXI_MCP_COMMANDS')])
    const agent = { id: 'sneaky', description: 'Adds one.', system_message: 'x', mcp_servers: [faulty('x')] }
    expect((await stage.call(muxi.url, '/api/v1/agents', { body: agent, key: manager })).status).toBe(403)
  })

  it(keeps('mcp.refused', 'a link-local address is refused, and a required credential that is missing'), async () => {
    const local = await add({ name: 'x', url: 'http://169.254.169.254/latest' })
    expect([local.status, local.body.error.message]).toEqual([422, expect.stringContaining('link-local')])
    const credential = { id: 'token', param_name: 'TOKEN', required: true, env_fallback: 'PATH' }
    const missing = await add(faulty('x', 'none', { credentials: [credential] }))
    expect([missing.status, missing.body.error.details.fields]).toEqual([
      422,
      [{ path: 'credentials.0.env_fallback', expected: 'a variable of MUXI_API_ENV' }],
    ])
    const lone = await add(faulty('x', 'none', { credentials: [{ ...credential, env_fallback: undefined }] }))
    expect([lone.status, lone.body.error.details.fields]).toEqual([
      422,
      [{ path: 'credentials.0.value', expected: expect.stringContaining("'token' is required") }],
    ])
  })
})

it(
  keeps('mcp.credentials', 'a credential may come from a variable that the operator has opened to the API'),
  async () => {
    const credentials = [{ id: 'token', param_name: 'TOKEN', required: true, env_fallback: 'MCP_SHARED' }]
    expect((await add(faulty('shared', 'none', { credentials }))).status).toBe(201)
    const told = JSON.parse(await callTool('shared__environment')) as Record<string, string>
    expect(told['TOKEN']).toBe('[secret]')
    expect(told).not.toHaveProperty('MCP_SHARED')
    expect(told).not.toHaveProperty('OPENAI_API_KEY')
    await remove('shared')
  },
)

it(keeps('mcp.drift', 'a tool that is no longer what it was is flagged, and the new words are offered'), async () => {
  await add(faulty('drifts'))
  expect(await callTool('drifts__changed')).toBe('changed')
  const flagged = async () =>
    (await look('drifts')).available_tools.filter((tool: { drifted: boolean }) => tool.drifted)
  await expect.poll(flagged).toMatchObject([{ name: 'count', description: expect.stringContaining('something else') }])
  await remove('drifts')
})

it(
  keeps('mcp.long-answer', 'an answer that is too long for the model is a file, and its beginning is told'),
  async () => {
    await add({ name: 'everything', command: NODE, args: [EVERYTHING] })
    const message = 'long '.repeat(1_000)
    const told = await callTool('everything__echo', { message })
    expect(told.length).toBeLessThanOrEqual(1_000)
    const file = /file_[0-9a-f]+/.exec(told)?.[0]
    expect((await stage.call(muxi.url, `/api/v1/files/${file}/content`)).text).toContain(message)
    await remove('everything')
  },
)

it(
  keeps(
    'mcp.bounded',
    '500 tools are listed, and it is told that not all are offered, and how to choose; 50 MB are refused',
  ),
  async () => {
    expect((await add(faulty('many', 'many-tools'))).status).toBe(201)
    const { available_tools, warnings } = await look('many')
    expect(available_tools).toHaveLength(500)
    expect(available_tools.filter(({ offered_as }: { offered_as: unknown }) => offered_as !== null)).toHaveLength(120)
    expect(warnings).toEqual([expect.stringMatching(/^380 of its 500 tools are not offered .*'offered_tools'\.$/)])
    expect(muxi.logs()).toContainEqual(
      expect.objectContaining({ mcp_server: 'many', left_out: expect.arrayContaining(['tool_499']) }),
    )
    expect(await offered('many')).toHaveLength(120)
    await remove('many')
    await add(faulty('many', 'many-tools', { offered_tools: ['tool_7', 'tool_49?'] }))
    expect((await look('many')).warnings).toEqual([])
    expect(await offered('many')).toHaveLength(11)
    await remove('many')
    await add(faulty('big'))
    expect(await callTool('big__big')).toContain('the server sent more than 16777216 bytes at once')
    await remove('big')
  },
)

it(
  keeps('mcp.http', 'a restarted server over HTTP has lost the session, and calls continue with another one'),
  async () => {
    const port = await freePort()
    const first = await serve('streamableHttp', port)
    // How long a call waits for a server that is away goes by how long that may take to be ready.
    const remote = { name: 'remote', url: `http://127.0.0.1:${port}/mcp`, timeouts: { connect: 5 } }
    expect((await add(remote, manager)).status).toBe(201)
    expect(await callTool('remote__get-sum', { a: 1, b: 2 })).toContain('3')
    const { stats } = await look('remote')
    first.kill('SIGKILL')
    await once(first, 'exit')
    const second = await serve('streamableHttp', port)
    expect(await callTool('remote__get-sum', { a: 3, b: 4 })).toContain('7')
    const after = (await look('remote')).stats
    expect(after.session_id).not.toBe(stats.session_id)
    expect(after.reconnects).toBe(1)
    second.kill('SIGKILL')
    // Before, its port still takes connections.
    await once(second, 'exit')
    const told = await callTool('remote__get-sum', { a: 5, b: 6 })
    expect(told).toMatch(/^The MCP server 'remote' cannot be called: it cannot be reached .*Nothing was done\.$/)
    await remove('remote')
  },
)

async function serve(kind: string, port: number): Promise<ChildProcess> {
  const server = spawn(NODE, [EVERYTHING, kind], {
    env: { PATH: process.env['PATH'], PORT: String(port) },
    stdio: ['ignore', 'ignore', 'pipe'],
    detached: true,
  })
  server.on('exit', killWithUs(server.pid!))
  onTestFinished(() => void server.kill('SIGKILL'))
  const said = Promise.withResolvers<void>()
  server.stderr.setEncoding('utf8').on('data', (text: string) => /listening/i.test(text) && said.resolve())
  server.on('exit', () => said.reject(new Error('the server ended')))
  await said.promise
  return server
}
