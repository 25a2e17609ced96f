// What would be code, markup or a control sequence elsewhere is data here: in every text that is stored and returned, in paths and in the log.
import { afterAll, beforeAll, expect, it } from 'vitest'
import { openStage, type Answer, type CallOptions, type Muxi, type Stage } from '../support/stage.ts'
import { keeps } from './requirements.ts'

const PAYLOADS = [
  `'; DROP TABLE turns; --`,
  `" OR 1=1 /* %' ESCAPE '\\`,
  `<script>alert(1)</script><img src=x onerror=alert(1)>`,
  `</textarea><svg/onload=alert(1)>\${7*7}{{7*7}}`,
  `../../../../etc/passwd`,
  `x\r\nset-cookie: planted=1\r\n\r\n<b>`,
  `first\n{"level":50,"msg":"planted entry"}`,
  `\u001b[31mred\u001b[0m\u0007\u009b2J`,
  `\u202egnp.exe\u2066 $(id) \`id\` | id; id`,
]

let stage: Stage
let muxi: Muxi
beforeAll(async () => {
  stage = await openStage({ env: { MUXI_LOG_LEVEL: 'debug' } })
  muxi = await stage.start('all')
})
afterAll(() => stage.close())

/** Every answer says that it is JSON and nothing else. */
async function call(path: string, options?: CallOptions): Promise<Answer> {
  const answer = await stage.call(muxi.url, `/api/v1${path}`, options)
  expect([path, answer.headers.get('content-type'), answer.headers.get('x-content-type-options')]).toEqual([
    path,
    expect.stringMatching(/^application\/json\b/),
    'nosniff',
  ])
  expect(answer.headers.get('set-cookie')).toBeNull()
  return answer
}

async function make(path: string, body: object): Promise<Answer['body']> {
  const { status, body: made, text } = await call(path, { body })
  expect(status, text).toBe(201)
  return made
}

it(keeps('attack.injection', 'titles, names, descriptions, contents, memories and arguments of tools'), async () => {
  const turnsBefore = (await call('/turns')).body.turns.length
  for (const [n, payload] of PAYLOADS.entries()) {
    const id = `agent-${n}`
    const model = { provider: 'offline', model: 'offline' }
    await make('/agents', { id, description: payload, system_message: payload, model })
    expect((await call(`/agents/${id}`)).body).toMatchObject({ description: payload, system_message: payload })

    const conversation = await make('/conversations', { agent_id: id, title: payload, user_id: `user-${n}` })
    expect((await call(`/conversations/${conversation.id}`)).body.title).toBe(payload)
    expect((await make('/keys', { name: payload, scopes: ['chat'] })).name).toBe(payload)

    const knowledge = { note: payload }
    await make(`/users/user-${n}/context_memory`, { knowledge })
    expect((await call(`/users/user-${n}/context_memory`)).body.knowledge).toEqual(knowledge)

    const tool = { name: 'current_time', arguments: { timezone: payload } }
    const content = `${stage.model.script({ call: [tool] }, { say: payload })} ${payload}`
    const turn = await call('/agents/scripted/chat', { body: { content, user_id: `user-${n}` } })
    expect(turn.body.agent_response, turn.text).toMatchObject({
      content: payload,
      tool_calls: [{ parameters: { timezone: payload } }],
    })
    expect((await call(`/turns/${turn.body.turn_id}`)).body.message.user_message.content).toBe(content)
    expect((await call(`/turns/${turn.body.turn_id}/log`)).text).toContain(JSON.stringify(payload).slice(1, -1))

    const found = await call(`/conversations?${new URLSearchParams({ user_id: payload })}`)
    expect([200, 400]).toContain(found.status)
  }
  expect((await call('/turns')).body.turns.length).toBe(turnsBefore + PAYLOADS.length)
})

it(
  keeps('attack.injection', 'names of files lose their paths and control characters, and stay in their header'),
  async () => {
    for (const payload of PAYLOADS) {
      const body = { name: payload, content: Buffer.from('Tea').toString('base64') }
      const { status, body: file, text } = await call('/files', { body })
      expect([201, 400], text).toContain(status)
      if (status !== 201) continue
      // oxlint-disable-next-line no-control-regex -- they are what is looked for
      expect(file.name).not.toMatch(/[\u0000-\u001f/]/)
      const bytes = await stage.call(muxi.url, `/api/v1/files/${file.id}/content`)
      expect(bytes.headers.get('content-disposition')).toMatch(
        /^attachment; filename="[^"\r\n]*"; filename\*=UTF-8''[\w.!~%-]*$/,
      )
      expect(bytes.headers.get('set-cookie')).toBeNull()
      expect(bytes.headers.get('content-security-policy')).toContain('sandbox')
    }
  },
)

it(keeps('attack.injection', 'paths and ids lead nowhere else'), async () => {
  const names = [
    '..%2f..%2fetc%2fpasswd',
    '%2e%2e%2f%2e%2e%2fetc',
    'a%00b',
    '%00',
    '..%5c..%5cwin',
    'a%0d%0ab',
    "'%20OR%201=1--",
    '%ff%fe',
  ]
  for (const name of names) {
    for (const path of [
      `/agents/${name}`,
      `/turns/${name}`,
      `/conversations/${name}`,
      `/files/${name}`,
      `/users/${name}/context_memory`,
      `/jobs/${name}`,
    ]) {
      const { status, text } = await call(path)
      expect([200, 400, 404], `${path} ${text}`).toContain(status)
      expect(text).not.toContain('root:')
    }
    const page = await stage.call(muxi.url, `/${name}`)
    expect([400, 404], name).toContain(page.status)
  }
})

it(keeps('attack.injection', 'and each line of the log is one JSON object without control characters'), () => {
  const lines = muxi.stderr().split('\n').filter(Boolean)
  for (const line of lines) {
    // oxlint-disable-next-line no-control-regex -- they are what is looked for
    expect(line).not.toMatch(/[\u0000-\u0008\u000b-\u001f]/)
    if (line.startsWith('{')) expect(JSON.parse(line)).toHaveProperty('level')
  }
  expect(muxi.logs().map(({ msg }) => msg)).not.toContain('planted entry')
})
