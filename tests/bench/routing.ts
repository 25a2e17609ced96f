// The orchestrator: how often it is right without a model on the example's labelled messages, and what a decision that is kept costs.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { nearestAgent } from '../../activities/turn/nearest-agent.ts'
import { loadAgentFiles } from '../../config/agent-files.ts'
import { syncFileAgents } from '../../db/queries/agents.ts'
import { findKnownRoute, keepRoute, routingKey } from '../../db/queries/routing.ts'
import { openStorage } from '../../db/storage.ts'
import { createEmbedder } from '../../providers/create-embedder.ts'
import { freshDatabase, stopSharedPostgres } from '../support/postgres.ts'
import { ms, percentile, report } from './measure.ts'

const EXAMPLE = fileURLToPath(new URL('../../examples/routing/', import.meta.url))
const PROVIDERS = { openai: {}, anthropic: {}, gemini: {}, xai: {} }
const MEMORY = { long_term: false, database: { sqlite_file: '' } }
const THRESHOLD = 0.5
const embedder = createEmbedder({ openai: {} }, 'local')
const { signal } = new AbortController()

const agents = () => loadAgentFiles(join(EXAMPLE, 'agents'), {}, PROVIDERS, [], MEMORY)
const messages = () =>
  readFileSync(join(EXAMPLE, 'messages.jsonl'), 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as { agent: string; message: string })

export async function routing(): Promise<void> {
  const described = agents().map(({ id, config }) => ({ id, description: config.description }))
  const counts = { right: 0, sure: 0, surelyRight: 0 }
  for (const { agent, message } of messages()) {
    const { id, confidence } = await nearestAgent(message, described, (texts) => embedder.embed(texts, signal), signal)
    if (id === agent) counts.right += 1
    if (confidence < THRESHOLD) continue
    counts.sure += 1
    if (id === agent) counts.surelyRight += 1
  }
  const { right, sure, surelyRight } = counts
  report(
    'routing without a model',
    `${right} of ${messages().length} messages right; ${surelyRight} of the ${sure} it is sure of`,
  )
  const folder = mkdtempSync(join(tmpdir(), 'muxi-bench-'))
  try {
    await known('SQLite', { data_dir: join(folder, 'sqlite') })
    await known('Postgres', { data_dir: join(folder, 'postgres'), database_url: await freshDatabase() })
  } finally {
    await stopSharedPostgres()
    rmSync(folder, { recursive: true, force: true })
  }
}

async function known(name: string, options: Parameters<typeof openStorage>[0]): Promise<void> {
  const storage = await openStorage(options)
  try {
    await syncFileAgents(storage.db, storage.box, agents())
    const asked = messages().map(({ agent, message }) => ({
      agent_id: agent,
      routed: { conversation_id: 'conv_none', content: message, attachments: [] },
    }))
    for (const { agent_id, routed } of asked)
      await keepRoute(storage.db, await routingKey(storage.db, routed, undefined), { agent_id, confidence: 1 })
    const took: number[] = []
    for (const { agent_id, routed } of [...asked, ...asked, ...asked]) {
      const startedAt = performance.now()
      const route = await findKnownRoute(storage.db, routed)
      took.push(performance.now() - startedAt)
      if (route?.agent_id !== agent_id) throw new Error(`not routed as decided: ${routed.content}`)
    }
    report(`${name}: a decision that is kept`, `p50 ${ms(percentile(took, 50))}, p95 ${ms(percentile(took, 95))}`)
  } finally {
    await storage.close()
  }
}
