// Search in a user's own messages, of agents with and without long-term memory.
import { beforeAll, expect, it } from 'vitest'
import { openStage, type Muxi, type Stage } from '../support/stage.ts'
import { keeps } from './requirements.ts'

let stage: Stage
let muxi: Muxi

const offline = { system_message: 'x', model: { provider: 'offline', model: 'offline' } }

beforeAll(async () => {
  const keeper = { ...offline, description: 'Remembers.', memory: { long_term: true } }
  const clerk = { ...offline, description: 'Forgets.', memory: { long_term: false } }
  stage = await openStage({ agents: { keeper, clerk } })
  muxi = await stage.start('all')
  return () => stage.close()
})

interface Result {
  conversation_id: string
  message_id: string
  snippet: string
  created_at: string
  similarity: number
}

async function search(query: string, more: { key?: string; agent_id?: string; user_id?: string; limit?: string } = {}) {
  const { key = stage.key, ...fields } = more
  const answer = await stage.call(muxi.url, `/api/v1/search?${new URLSearchParams({ query, ...fields })}`, { key })
  return { status: answer.status, results: answer.body.results as Result[] }
}

it(keeps('search.messages', 'of all agents, with the part that was found, and of no other user'), async () => {
  const make = async (user_id: string) =>
    (await stage.call(muxi.url, '/api/v1/keys', { body: { name: user_id, scopes: ['chat'], user_id } })).body.key
  const [anna, bert] = [await make('anna'), await make('bert')]
  const say = async (agent: string, content: string, key: string) =>
    (await stage.call(muxi.url, `/api/v1/agents/${agent}/chat`, { body: { content }, key })).body
  const long = `${'Nothing here matters much. '.repeat(60)}The lighthouse keeper counts the ships. ${'And on it goes. '.repeat(60)}`
  const told = await say('clerk', long, anna)
  await say('keeper', 'My boat is moored at pier seven.', anna)
  await say('keeper', 'The lighthouse is mine.', bert)
  await expect.poll(() => stage.rows('select turn_id from memory_outbox')).toEqual([])

  const { results } = await search('lighthouse keepers', { key: anna })
  const [first] = results
  expect(first).toMatchObject({ conversation_id: told.conversation_id, similarity: 1 })
  expect(first!.snippet).toContain('The lighthouse keeper counts the ships.')
  expect(first!.snippet.length).toBeLessThan(260)
  expect(results.every(({ snippet }) => !snippet.includes('is mine'))).toBe(true)
  const page = await stage.call(
    muxi.url,
    `/api/v1/conversations/${told.conversation_id}/messages?around=${first!.message_id}`,
    { key: anna },
  )
  expect(page.body.messages.some(({ id }: { id: string }) => id === first!.message_id)).toBe(true)

  const moored = (await search('pier seven', { key: anna })).results[0]!
  expect(moored.snippet).toContain('moored at pier seven')
  for (const { similarity } of results) expect(similarity >= 0 && similarity <= 1).toBe(true)
  expect((await search('pier seven', { key: anna, agent_id: 'clerk' })).results).toEqual([])
  expect((await search('pier seven', { key: bert })).results).toEqual([])
  // Similar parts of words only: not about the same.
  expect((await search('My old sailing vessel', { key: anna })).results).toEqual([])
  expect((await search('pier', { key: anna, user_id: 'bert' })).status).toBe(403)
  expect((await search('lighthouse', { user_id: 'bert', limit: '1' })).results).toHaveLength(1)
})
