// Plants credentials and a person's words, uses the product in every way, and then searches everything that it left behind.
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { Client, Connection } from '@temporalio/client'
import { beforeAll, expect, it, vi } from 'vitest'
import { HeldReply } from '../support/held-reply.ts'
import { MODEL_KEY, openStage, type Muxi, type Stage } from '../support/stage.ts'
import { manyWords } from '../support/words.ts'
import { keeps } from './requirements.ts'

const AGENT_KEY = 'sk-agent-planted-51c0e9a77d'
const POSTED_KEY = 'sk-posted-planted-0b83f2d6aa'
const CREDENTIALS = [MODEL_KEY, AGENT_KEY, POSTED_KEY]
const PERSON = 'anna-planted@example.org'
/** A person's words, the model's, and those of a tool call: none of them may stand in Temporal or in a log. */
const WORDS = [
  'my planted secret is a blue heron',
  'planted reply of the model',
  'planted tool label',
  'planted system message',
  PERSON,
]
const [ASKED, REPLIED, LABEL, SYSTEM] = WORDS as [string, string, string, string]

let stage: Stage
let muxi: Muxi
/** Every payload in every history, decoded, and whole histories as text. */
let payloads: string[]
let keysSent: string[]
let histories: string

beforeAll(async () => {
  const agent = { description: 'Has its own key.', system_message: SYSTEM }
  const model = { provider: 'openai', model: 'gpt-4.1-mini', api_key: AGENT_KEY }
  stage = await openStage({
    agents: { keyed: { ...agent, model } },
    env: { MUXI_LOG_LEVEL: 'trace' },
  })
  muxi = await stage.start('all')
  const posted = { ...agent, id: 'posted', model: { ...model, base_url: stage.model.baseUrl, api_key: POSTED_KEY } }
  expect((await stage.call(muxi.url, '/api/v1/agents', { body: posted })).status).toBe(201)
  const say = async (agentId: string, cue: string) => {
    const stream = await stage.chat(muxi.url, `${ASKED} ${cue}`, { agent: agentId, user_id: PERSON })
    await stream.untilFinal()
    return stream
  }
  // A model may repeat the key it was sent in its complaint.
  for (const [agentId, key] of Object.entries({ scripted: MODEL_KEY, keyed: AGENT_KEY, posted: POSTED_KEY })) {
    const tools = [
      { name: 'count', arguments: { label: `${LABEL} ${agentId}` } },
      { name: 'count', arguments: `{"label": "${LABEL}` },
    ]
    await say(
      agentId,
      stage.model.script({ say: `${REPLIED}.`, call: tools }, { fail: 500 }, { say: `${REPLIED} again` }),
    )
    await say(
      agentId,
      stage.model.script({ fail: 401, words: `Incorrect API key ${key}: ${ASKED}${' '.repeat(1_900)}${key}` }),
    )
    const failing = [{ name: 'count', arguments: { label: `${LABEL} ${agentId} failing`, fail: true } }]
    await say(agentId, stage.model.script({ call: failing }, { fail: 400, words: `${ASKED} ${key}` }))
  }
  const cancelled = await stage.chat(
    muxi.url,
    `${ASKED} ${stage.model.script({ say: manyWords(REPLIED, 50), held: new HeldReply() })}`,
    { user_id: PERSON },
  )
  await cancelled.waitFor('content')
  // The text of a head start comes before the activity.
  const statusOf = async () => (await stage.turn(muxi.url, cancelled.events[0]!.data.turn_id)).status
  await vi.waitFor(async () => expect(await statusOf()).toBe('running'), 20_000)
  await stage.call(muxi.url, `/api/v1/turns/${cancelled.events[0]!.data.turn_id}/cancel`, { method: 'POST' })
  keysSent = [...new Set(stage.model.served.map(({ authorization }) => authorization))].toSorted()
  stage.model.assertUsed()
  ;({ payloads, histories } = await readHistories())
  return () => stage.close()
})

async function readHistories(): Promise<{ payloads: string[]; histories: string }> {
  const connection = await Connection.connect({ address: stage.temporal!.address })
  const client = new Client({ connection })
  const found: string[] = []
  let text = ''
  for await (const { workflowId, runId, memo, searchAttributes } of client.workflow.list()) {
    const history = await client.workflow.getHandle(workflowId, runId).fetchHistory()
    text += JSON.stringify({ workflowId, memo, searchAttributes })
    // Bytes stand as bytes in the object: as text they can be searched.
    text += JSON.stringify(history, (_, value: unknown) =>
      value instanceof Uint8Array ? Buffer.from(value).toString('utf8') : value,
    )
    collect(history, found)
  }
  await connection.close()
  return { payloads: found, histories: text }
}

function collect(value: unknown, found: string[]): void {
  if (value === null || typeof value !== 'object' || value instanceof Uint8Array) return
  const { data, metadata } = value as { data?: unknown; metadata?: unknown }
  if (data instanceof Uint8Array && metadata) found.push(Buffer.from(data).toString('utf8'))
  for (const each of Object.values(value)) collect(each, found)
}

/** Every file below the folder. */
function filesOf(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
}

/** The files that hold one of the texts, in UTF-8, UTF-16 or base64. */
function filesWith(texts: string[], files: string[]): string[] {
  return files.flatMap((file) => {
    const bytes = readFileSync(file)
    return texts
      .filter((text) =>
        [
          Buffer.from(text),
          Buffer.from(text, 'utf16le'),
          Buffer.from(Buffer.from(text).toString('base64').slice(0, -4)),
        ].some((form) => bytes.includes(form)),
      )
      .map((text) => `${file.slice(stage.dataDir.length)}: ${text}`)
  })
}

it('the search would find what it looks for', () => {
  expect(histories).toContain('chatTurn')
  expect(payloads.length).toBeGreaterThan(50)
  expect(payloads.some((payload) => payload.includes('turn_'))).toBe(true)
  expect(filesWith([ASKED, REPLIED], filesOf(stage.dataDir))).not.toEqual([])
  expect(stage.model.served.length).toBeGreaterThan(10)
})

it(
  keeps(
    'secrets.credentials',
    'each key goes to the model it belongs to, and stands in no payload, no log and no file',
  ),
  () => {
    expect(keysSent).toEqual(CREDENTIALS.map((key) => `Bearer ${key}`).toSorted())
    expect(
      CREDENTIALS.filter((key) => histories.includes(key) || payloads.some((payload) => payload.includes(key))),
    ).toEqual([])
    expect(CREDENTIALS.filter((key) => muxi.stderr().includes(key) || muxi.stdout().includes(key))).toEqual([])
    expect(filesWith(CREDENTIALS, filesOf(stage.dataDir))).toEqual([])
  },
)

it(
  keeps(
    'secrets.words',
    'what was said, by whom and to whom, stands in no payload, no history, no log and in no file of Temporal',
  ),
  () => {
    expect(
      WORDS.filter((words) => histories.includes(words) || payloads.some((payload) => payload.includes(words))),
    ).toEqual([])
    expect(WORDS.filter((words) => muxi.stderr().includes(words) || muxi.stdout().includes(words))).toEqual([])
    const elsewhere = filesOf(stage.dataDir).filter((file) => !/muxi\.db(-wal|-shm)?$/.test(file))
    expect(elsewhere.some((file) => file.includes('temporal.db'))).toBe(true)
    expect(filesWith(WORDS, elsewhere)).toEqual([])
  },
)

it(keeps('secrets.words', 'no payload is larger than 2 kB, and only its owner may read the data folder'), () => {
  expect(payloads.filter((payload) => payload.length > 2_048).map((payload) => payload.slice(0, 200))).toEqual([])
  const secretKey = filesOf(stage.dataDir).find((file) => file.endsWith('secret.key'))!
  expect(statSync(secretKey).mode & 0o077).toBe(0)
})

it(keeps('secrets.credentials', 'no answer of the API shows a key'), async () => {
  for (const path of [
    '/api/v1/agents',
    '/api/v1/agents/keyed',
    '/api/v1/agents/posted',
    '/api/v1/keys',
    '/api/v1/turns',
  ]) {
    const { text, status } = await stage.call(muxi.url, path)
    expect([path, status]).toEqual([path, 200])
    expect([...CREDENTIALS, stage.key].filter((key) => text.includes(key))).toEqual([])
  }
  const { body } = await stage.call(muxi.url, '/api/v1/turns')
  expect(body.turns.length).toBeGreaterThan(5)
  for (const { turn_id } of body.turns) {
    for (const path of [`/api/v1/turns/${turn_id}`, `/api/v1/turns/${turn_id}/log`]) {
      const { text } = await stage.call(muxi.url, path)
      expect(CREDENTIALS.filter((key) => text.includes(key.slice(0, -4)))).toEqual([])
    }
  }
})

it('every turn has ended', async () => {
  await expect(stage.check()).resolves.toBeUndefined()
})
