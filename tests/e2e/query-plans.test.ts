// Every statement that turns execute, on both databases: none reads a table as a whole that grows with use.
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { describe, expect, it, onTestFinished } from 'vitest'
import { ROOT } from '../support/children.ts'
import { type Plan, plansOf, type RecordedStatement } from '../support/query-plans.ts'
import { HANG } from '../support/scripted-model.ts'
import { type DatabaseName, openStage, type Stage } from '../support/stage.ts'
import { keeps } from './requirements.ts'

/** Tables that are read as a whole, because they stay small. */
const SMALL: Record<string, string> = {
  agents: 'what an operator configures',
  mcp_workers: 'the worker processes that run',
  collections: 'one row, and one for each model that was used before they were united',
}

const agents = {
  keeper: {
    description: 'Keeps the harbour: ships, tides and piers.',
    system_message: 'You keep the harbour.',
    model: { provider: 'openai', model: 'gpt-4.1-mini' },
    memory: { buffer: { max_size: 2, buffer_multiplier: 10 }, long_term: true, extract_user_info: true },
  },
}

describe.each(['sqlite', 'postgres'] as const)('on %s', (database) => {
  it(keeps('turns.indexed', 'plain, with tools, memory and documents, routed, waiting, cancelled'), async () => {
    const plans = await plansOfTurns(database)
    expect(plans.length).toBeGreaterThan(80)
    const scans = plans.flatMap(({ statement, scanned }) =>
      scanned.filter((table) => SMALL[table] === undefined).map((table) => `${table}: ${statement}`),
    )
    expect(scans).toEqual([])
  })
})

async function plansOfTurns(database: DatabaseName): Promise<Plan[]> {
  const stage = await openStage({ database, agents, env: { MUXI_DEFAULT_AGENT: 'scripted' } })
  onTestFinished(() => stage.close())
  const file = join(stage.folder, 'statements')
  const env = {
    NODE_OPTIONS: `--import=${pathToFileURL(join(ROOT, 'tests/support/record-statements.ts')).href}`,
    MUXI_TEST_STATEMENTS_FILE: file,
  }
  const { url } = await stage.start('all', { env, runtime: 'node' })
  const source = { id: 'tides', content: 'The spring tide reaches the bollard of Saint Elmo.' }
  await stage.call(url, '/api/v1/agents/keeper/knowledge', { body: source })
  writeFileSync(file, '')
  await runTurns(stage, url)
  const recorded = readFileSync(file, 'utf8').split('\n').filter(Boolean)
  return plansOf(
    stage.place(),
    recorded.map((line) => JSON.parse(line) as RecordedStatement),
  )
}

async function runTurns(stage: Stage, url: string): Promise<void> {
  const api = (path: string, body?: object) => stage.call(url, `/api/v1${path}`, { body })
  const ended = async (content: string, more: object = {}, final = 'message_end') => {
    const stream = await stage.chat(url, content, { ...more })
    expect((await stream.untilFinal()).type).toBe(final)
    return stream
  }
  await ended(stage.model.script({ say: 'Plain.' }))
  const calls = [{ name: 'count', arguments: { label: 'one' } }]
  await ended(stage.model.script({ say: 'Counting. ', call: calls }, { say: 'Counted.' }))
  const looks = [{ name: 'search_knowledge', arguments: { query: 'the spring tide' } }]
  const attachments = [
    { type: 'text/plain', name: 'boats.txt', data: Buffer.from('The boat house.').toString('base64') },
  ]
  const stop = stage.model.otherwise({ say: 'The tide is high.' })
  const conversation_id = await stage.conversation(url, { agent_id: 'keeper', user_id: 'anna' })
  const anna = { agent: 'keeper', conversation_id, user_id: 'anna' }
  for (const content of ['Which tide is it?', 'And at Saint Elmo?', 'And the spring tide?']) await ended(content, anna)
  await ended('What does it say?', { ...anna, attachments })
  await expect.poll(() => stage.rows('select turn_id from memory_outbox')).toEqual([])
  for (const more of ['', '&agent_id=keeper']) await api(`/search?query=spring+tide&user_id=anna${more}`)
  await api('/users/anna/context_memory', { knowledge: { name: 'Anna' } })
  await ended(stage.model.script({ say: 'Looking. ', call: looks }, { say: 'Found.' }), anna)
  stop()
  const chosen = { say: JSON.stringify({ agent_id: 'keeper', confidence: 0.9 }) }
  for (const _ of [1, 2]) await ended(stage.model.script(chosen, { say: 'Routed.' }), { agent: 'auto', user_id: 'bob' })
  const held = await stage.conversation(url)
  const first = await stage.chat(url, stage.model.script(HANG), { conversation_id: held })
  const { turn_id } = (await first.waitFor('message_start')).data
  const waiting = await stage.chat(url, stage.model.script({ say: 'At last.' }), { conversation_id: held })
  await api(`/turns/${turn_id}/cancel`, {})
  expect((await waiting.untilFinal()).type).toBe('message_end')
}
