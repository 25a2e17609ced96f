// MCP servers that want a sign-in: operators and users sign in, calls wait for them, tokens are per user, refreshed once, and never exposed.
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, beforeEach, expect, it } from 'vitest'
import { freePort } from '../support/free-port.ts'
import { OAuthMcpServer, ScriptedBrowser } from '../support/oauth-mcp-server.ts'
import { openStage, type Muxi, type Stage } from '../support/stage.ts'
import { keeps } from './requirements.ts'

const SERVERS = '/api/v1/agents/scripted/mcp_servers'

let stage: Stage
let server: OAuthMcpServer
let api: Muxi
let worker: Muxi
let port: number
beforeAll(async () => {
  server = await OAuthMcpServer.start()
  port = await freePort()
  stage = await openStage({ env: { MUXI_PUBLIC_URL: `http://127.0.0.1:${port}` } })
  await startAll()
  return async () => {
    await stage.close()
    await server.close()
  }
})

beforeEach(() => {
  server.answers = 'yes'
})

async function startAll(): Promise<void> {
  api = await stage.start('api', { port })
  worker = await stage.start('worker')
}

const look = async () => (await stage.call(api.url, `${SERVERS}/guarded`)).body
const isConnected = async () => (await look()).connected

/** Has the model make calls in a user's name, all at once. */
async function chat(user_id: string, ...calls: { name: string; arguments?: object }[]) {
  const cue = stage.model.script({ call: calls.map((call) => ({ arguments: {}, ...call })) }, { say: 'Done.' })
  const conversation_id = await stage.conversation(api.url, { user_id })
  return stage.chat(api.url, cue, { conversation_id, user_id })
}

const outputs = (stream: { events: { type: string; data: Record<string, unknown> }[] }) =>
  stream.events.filter(({ type }) => type === 'tool_call_end').map(({ data }) => data['output'])

it(keeps('mcp.sign-in.operator', 'a server that wants a sign-in says where, and is connected after it'), async () => {
  const added = await stage.call(api.url, SERVERS, { body: { name: 'guarded', url: server.url, approval: 'never' } })
  expect([added.status, added.body]).toEqual([
    201,
    {
      status: 'needs_sign_in',
      agent_id: 'scripted',
      server: { name: 'guarded', type: 'http', connected: false },
      sign_in_url: expect.stringContaining(`http://127.0.0.1:${port}/oauth/sign-in/`),
    },
  ])
  const { state, sign_in_url, stats } = await look()
  expect([state, sign_in_url, stats.last_error]).toEqual(['needs_sign_in', added.body.sign_in_url, null])
  const reader = await stage.call(api.url, '/api/v1/keys', { body: { name: 'reader', scopes: ['read'] } })
  const { body } = await stage.call(api.url, `${SERVERS}/guarded`, { key: reader.body.key })
  expect([body.state, body.sign_in_url]).toEqual(['needs_sign_in', undefined])
  const refused = server.counts.refused
  const page = await new ScriptedBrowser('operator').open(sign_in_url)
  expect([page.status, page.text]).toEqual([200, expect.stringContaining('You are signed in to guarded')])
  await expect.poll(isConnected).toBe(true)
  expect((await look()).available_tools.map(({ name }: { name: string }) => name)).toEqual(['whoami', 'count', 'admin'])
  // It was not asked again and again meanwhile.
  expect(server.counts.refused).toBe(refused)
  expect((await new ScriptedBrowser().open(sign_in_url)).status).toBe(410)
})

it(
  keeps('mcp.sign-in.call', 'a call waits for its user to sign in, over a restart of every process, and is made once'),
  async () => {
    const stream = await chat('ada', { name: 'guarded__count', arguments: { label: 'a' } })
    const { data } = await stream.waitFor('approval_required')
    expect(data).toMatchObject({ kind: 'sign_in', name: 'count', server: 'guarded', url: expect.any(String) })
    const turnId = String(stream.events[0]!.data['turn_id'])
    expect(await stage.turn(api.url, turnId)).toMatchObject({
      status: 'awaiting_approval',
      approvals: [{ kind: 'sign_in', url: data['url'] }],
    })
    await Promise.all([api.kill(), worker.kill()])
    process.kill(stage.temporal!.pid, 'SIGKILL')
    await stage.temporal!.ended
    await stage.restartTemporal()
    await startAll()
    const page = await new ScriptedBrowser('ada').open(String(data['url']))
    expect([page.status, page.text]).toEqual([200, expect.stringContaining('the conversation goes on')])
    const again = await stage.follow(api.url, turnId)
    await again.untilFinal()
    expect(outputs(again)).toEqual(['count for ada'])
    expect(server.calls.filter((call) => call === 'ada: count a')).toHaveLength(1)
    expect(again.events.map(({ type }) => type)).toContain('approval_decided')
  },
)

it(keeps('mcp.sign-in.user', 'each user calls with tokens of their own'), async () => {
  const ada = await chat('ada', { name: 'guarded__whoami' })
  await ada.untilFinal()
  expect(outputs(ada)).toEqual(['whoami for ada'])
  const ben = await chat('ben', { name: 'guarded__whoami' }, { name: 'guarded__count' })
  const asked = await ben.waitFor('approval_required')
  // One sign-in is enough for all that waits for it.
  await ben.waitFor(() => ben.events.filter(({ type }) => type === 'approval_required').length === 2)
  await new ScriptedBrowser('ben').open(String(asked.data['url']))
  await ben.untilFinal()
  expect(outputs(ben).toSorted()).toEqual(['count for ben', 'whoami for ben'])
})

it(keeps('mcp.sign-in.refresh', 'calls at once with a token that has ended renew it once'), async () => {
  server.expire()
  server.renewals.length = 0
  const calls = Array.from({ length: 6 }, (_, index) => ({ name: 'guarded__count', arguments: { label: `r${index}` } }))
  const [one, two] = await Promise.all([chat('ada', ...calls.slice(0, 3)), chat('ada', ...calls.slice(3))])
  await Promise.all([one!.untilFinal(), two!.untilFinal()])
  expect([...outputs(one!), ...outputs(two!)]).toEqual(Array.from({ length: 6 }, () => 'count for ada'))
  expect(server.renewals.filter((subject) => subject !== 'operator')).toEqual(['ada'])
})

it(keeps('mcp.sign-in.more', 'a call that requires more scopes asks for them, a limited number of times'), async () => {
  const stream = await chat('ada', { name: 'guarded__admin' })
  const { data } = await stream.waitFor('approval_required')
  await new ScriptedBrowser('ada').open(String(data['url']))
  await stream.untilFinal()
  expect(outputs(stream)).toEqual(['admin for ada'])
})

it(
  keeps('mcp.sign-in.refused', 'who refuses to sign in, or answers for another, is told, and so is the call'),
  async () => {
    const stream = await chat('cleo', { name: 'guarded__count', arguments: { label: 'never' } })
    const url = String((await stream.waitFor('approval_required')).data['url'])
    server.answers = 'wrong issuer'
    const wrong = await new ScriptedBrowser('cleo').open(url)
    expect([wrong.status, wrong.text]).toEqual([502, expect.stringContaining('the answer must come from')])
    server.answers = 'server_error'
    expect((await new ScriptedBrowser('cleo').open(url)).text).toContain('Try again')
    // Nor does an answer count that was made up, used before, or brought by another browser.
    server.answers = 'yes'
    const callback = `http://127.0.0.1:${port}/oauth/callback`
    expect((await new ScriptedBrowser().open(`${callback}?state=guessed&code=x`)).status).toBe(400)
    expect((await new ScriptedBrowser().open(wrong.url)).status).toBe(400)
    const visit = await fetch(url, { redirect: 'manual' })
    const stolen = await fetch(visit.headers.get('location') ?? '', { redirect: 'manual' })
    expect((await fetch(stolen.headers.get('location') ?? '')).status).toBe(403)
    server.answers = 'access_denied'
    const denied = await new ScriptedBrowser('cleo').open(url)
    expect([denied.status, denied.text]).toEqual([403, expect.stringContaining('access_denied')])
    await stream.untilFinal()
    expect(outputs(stream)).toEqual([
      expect.stringContaining('The user did not sign in: the authorization server answered'),
    ])
    expect(server.calls.join()).not.toContain('never')
    expect((await new ScriptedBrowser('cleo').open(url)).status).toBe(410)
  },
)

it(
  keeps('mcp.sign-in.secret', 'tokens, codes and our secret with the authorization server stand nowhere'),
  async () => {
    const rows = await stage.rows('select * from log_entries')
    const events = await stage.rows('select * from event_segments')
    const signIns = await stage.rows('select * from mcp_sign_ins')
    const grants = await stage.rows('select * from mcp_grants')
    const told = [JSON.stringify([rows, events, signIns, grants]), api.stdout(), api.stderr(), worker.stderr()]
    const files = readdirSync(stage.dataDir).filter((name) => /^(muxi|temporal)\.db/.test(name))
    expect(files.length).toBeGreaterThan(1)
    for (const name of files) told.push(readFileSync(join(stage.dataDir, name), 'latin1'))
    const found = server.secrets.filter((secret) => told.some((text) => text.includes(secret)))
    expect([server.secrets.length > 5, found]).toEqual([true, []])
  },
)
