// What every client must do, remote or embedded: the resources of the API, called as users call them.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { ConflictError, type Muxi, NotFoundError } from '../../client/index.ts'
import type { ScriptedModel } from './scripted-model.ts'

/** What the suite needs around a client. */
export interface ClientStage {
  app: Muxi
  /** Behind the agent `scripted`. */
  model: Pick<ScriptedModel, 'script'>
  /** For files of this machine. */
  folder: string
  /** An MCP server whose tool `count` needs an approval. */
  approved: { name: string; command: string; args: string[] }
}

const MB = 2 ** 20
const SOURCE = 'The ferry to Ven leaves at nine, from the northern pier.'

/** Defines the tests. @param stage known when they run */
export function clientSuite(stage: () => ClientStage): void {
  const write = (name: string, content: string | Uint8Array) => {
    const path = join(stage().folder, name)
    writeFileSync(path, content)
    return path
  }
  const all = async <T>(items: AsyncIterable<T>) => {
    const found: T[] = []
    for await (const item of items) found.push(item)
    return found
  }

  it('an agent comes from a file, learns files and texts, answers, and is changed and deleted', async () => {
    const { app } = stage()
    write('ferry.txt', SOURCE)
    const path = write(
      'guide.yaml',
      [
        'name: ignored',
        'system_message: You know the harbour.',
        'model: { provider: offline, model: offline }',
        'memory: { buffer: 10, long_term: true }',
        'knowledge: [{ path: ferry.txt, description: Timetables }]',
      ].join('\n'),
    )
    expect(await app.addAgent('guide', path)).toMatchObject({ id: 'guide', status: 'created' })
    await expect(app.add_agent('guide', path)).rejects.toBeInstanceOf(ConflictError)
    const guide = app.getAgent('guide')
    expect(await guide.addKnowledge({ content: 'Ven has two lighthouses.', description: 'Lights' })).toMatchObject({
      status: 'added',
      knowledge_source: { id: 'lights' },
    })
    const added = await guide.add_knowledge({
      path: write('Pier News.txt', 'The pier is closed in May.'),
      description: 'News',
    })
    expect(added).toMatchObject({ status: 'added', knowledge_source: { id: 'pier-news' } })
    const { knowledge_sources } = await guide.knowledge.list()
    expect(knowledge_sources.map(({ id }) => id).toSorted()).toEqual(['ferry', 'lights', 'pier-news'])
    const { results } = await guide.knowledge.search({ query: 'ferry to Ven' })
    expect(results[0]!.content).toContain('nine')
    const reply = await guide.chat('Hello')
    expect(String(reply)).toBe(reply.agent_response!.content)
    expect(reply).toMatchObject({ agent_id: 'guide', status: 'completed', approvals: [] })
    await app.agents.update('guide', { description: 'Knows ferries' })
    expect(await app.agents.get('guide')).toMatchObject({ description: 'Knows ferries', version: 2 })
    expect(await app.agents.export('guide')).toMatchObject({ system_message: 'You know the harbour.' })
    expect((await all(app.agents.list({ limit: 1 }))).map(({ id }) => id)).toContain('guide')
    await app.agents.delete('guide')
    const missing = (await app.agents.get('guide').catch((error: unknown) => error)) as NotFoundError
    expect(missing).toBeInstanceOf(NotFoundError)
    expect(missing.requestId).toMatch(/^req_/)
  })

  it('a conversation is told in replies and events, and read in pages', async () => {
    const { app, model } = stage()
    const conversation = await app.conversations.create({ agent_id: 'scripted', user_id: 'anna' })
    const more = { agentName: 'scripted', userId: 'anna', conversationId: conversation.id }
    const reply = await app.chat(model.script({ say: 'The tide is low.' }), more)
    expect(String(reply)).toBe('The tide is low.')
    let streamed = ''
    for await (const event of app.chat(model.script({ say: 'The tide is high.', piece: 3 }), { ...more, stream: true }))
      streamed += String(event)
    expect(streamed).toBe('The tide is high.')
    const messages = await all(app.conversations.messages(conversation.id, { limit: 1 }))
    expect(messages.filter(({ role }) => role === 'assistant').map(({ content }) => content)).toEqual([
      'The tide is high.',
      'The tide is low.',
    ])
    const exchanges = await all(app.agents.exchanges('scripted', { user_id: 'anna', limit: 1 }))
    expect(exchanges.at(-1)).toMatchObject({ id: reply.id })
    expect(await app.turns.follow(reply.turn_id).text()).toBe('The tide is low.')
    expect(await app.turns.get(reply.turn_id)).toMatchObject({ status: 'completed' })
    const { entries } = await app.turns.log(reply.turn_id)
    expect(await all(app.turns.followLog(reply.turn_id))).toEqual(entries)
    expect((await app.turns.list({ user_id: 'anna' })).turns).toHaveLength(2)
    expect((await app.logs.list({ user_id: 'anna' })).entries.length).toBeGreaterThan(0)
    expect((await app.search({ query: 'tide', user_id: 'anna' })).results.length).toBeGreaterThan(0)
    expect(await app.conversations.export(conversation.id, { format: 'md' })).toContain('The tide is low.')
    expect(await app.conversations.update(conversation.id, { title: 'Tides' })).toMatchObject({ title: 'Tides' })
    expect(await app.conversations.delete(conversation.id)).toMatchObject({ status: 'deleted', message_count: 4 })
  })

  it('a reply that waits for an approval says so, and goes on once it is decided', async () => {
    const { app, model, approved } = stage()
    await app.mcpServers.add('scripted', { ...approved, approval: 'always' })
    const count = { name: `${approved.name}__count`, arguments: { label: 'client' } }
    const turn = app.chat(model.script({ call: [count] }, { say: 'Counted.' }), {
      agentName: 'scripted',
      userId: 'bert',
      stream: true,
    })
    for await (const { type } of turn) if (type === 'approval_required') break
    const { approvals } = await app.approvals.list({ status: 'waiting', user_id: 'bert' })
    expect(approvals).toMatchObject([{ turn_id: turn.id, name: 'count' }])
    await app.approvals.decide(turn.id!, approvals[0]!.id, { decision: 'approve' })
    expect(await turn.text()).toBe('Counted.')
    expect(await app.mcpServers.get('scripted', approved.name)).toMatchObject({ connected: true })
    await app.mcpServers.remove('scripted', approved.name)
  })

  it('files are uploaded in every form, large ones in pieces with progress, and become text', async () => {
    const { app } = stage()
    const bytes = new TextEncoder().encode(SOURCE)
    const inputs = [bytes, bytes.buffer, new Blob([bytes]), new Blob([bytes]).stream(), write('ferry.txt', SOURCE)]
    for (const input of inputs) {
      const file = await app.files.create(input, { name: 'ferry.txt' })
      expect(file).toMatchObject({ name: 'ferry.txt', size: bytes.length })
      expect(await (await app.files.content(file.id)).text()).toBe(SOURCE)
    }
    const large = new Uint8Array(10 * MB).map((_, index) => index % 251)
    const steps: number[] = []
    const onProgress = ({ sent }: { sent: number }) => steps.push(sent)
    const path = write('large.bin', large)
    for (const input of [path, new Blob([large]), new Blob([large]).stream()]) {
      const file = await app.files.create(input, { name: 'large.bin', size: large.length, onProgress })
      expect(file.size).toBe(large.length)
      const stored = Buffer.from(await (await app.files.content(file.id)).arrayBuffer())
      expect(stored.equals(large)).toBe(true)
      expect(steps.splice(0)).toEqual([8 * MB, 10 * MB])
      await app.files.delete(file.id)
    }
    const unknown = await app.files.create(new Blob([large]).stream(), { name: 'unknown.bin' })
    expect(unknown).toMatchObject({ name: 'unknown.bin', size: large.length })
    const file = await app.files.create(write('ferry.txt', SOURCE))
    const job = await app.jobs.create({ kind: 'document', file_id: file.id })
    expect(await app.jobs.follow(job.id).result()).toMatchObject({ pages: 1 })
    expect(await app.jobs.text(job.id, { format: 'txt' })).toContain('northern pier')
    expect(await app.jobs.text(job.id, { format: 'json' })).toMatchObject({ job_id: job.id })
  })

  it('users, memories, keys and budgets', async () => {
    const { app } = stage()
    await app.users.addContext('carl', { knowledge: { name: 'Carl', home: { city: 'Malmö' } } })
    await app.users.updateContext('carl', { knowledge: { home: { street: 'Pier 1' } } })
    expect((await app.users.getContext('carl')).knowledge).toEqual({
      name: 'Carl',
      home: { city: 'Malmö', street: 'Pier 1' },
    })
    expect(await app.users.deleteContext('carl', { fields: 'home.city' })).toMatchObject({
      fields_deleted: ['home.city'],
    })
    expect((await app.memory.list('scripted', { user_id: 'carl' })).memories).toEqual([])
    expect(await app.getAgent('scripted').memory.clear({ user_id: 'carl' })).toMatchObject({ status: 'cleared' })
    const key = await app.keys.create({ name: 'shop', scopes: ['chat'], user_id: 'carl' })
    expect((await app.keys.rotate(key.id)).key).not.toBe(key.key)
    await app.budgets.setOfKey(key.id, { daily_tokens: 1_000 })
    expect(await app.budgets.ofKey(key.id)).toMatchObject({ daily_tokens: 1_000, source: 'own' })
    expect((await app.budgets.usage({ group_by: 'user' })).usage).toBeInstanceOf(Array)
    expect((await all(app.keys.list({ limit: 1 }))).map(({ id }) => id)).toContain(key.id)
    await app.keys.delete(key.id)
    await expect.poll(async () => (await app.audit.list()).entries.length).toBeGreaterThan(0)
    expect(await app.keys.own()).toMatchObject({ scopes: expect.arrayContaining(['admin']) })
    expect(await app.system.health()).toEqual({ status: 'ok' })
    expect(await app.system.status()).toMatchObject({ status: 'healthy' })
  })

  it('changes of lists come as they happen, until the signal', async () => {
    const { app } = stage()
    const leave = new AbortController()
    let subscribed: () => void = () => {}
    const ready = new Promise<void>((resolve) => {
      subscribed = resolve
    })
    const changes = app.changes({ topics: ['conversations'], signal: leave.signal, onSubscribed: () => subscribed() })
    const first = changes.next()
    await ready
    const { id } = await app.conversations.create({ user_id: 'dora' })
    expect((await first).value).toMatchObject({ topic: 'conversations', id, op: 'created', item: { user_id: 'dora' } })
    leave.abort(new Error('left'))
    await expect(changes.next()).rejects.toThrow('left')
  })
}
