// Agents and knowledge from files: loaded when an agent is added, or what it is to know.
import type { AgentInput, AgentServer, KnowledgeInput, KnowledgeOptions } from './agent-input.ts'
import { FollowedJob } from '../jobs/job.ts'
import type { AddedKnowledge, AgentImported, NewKnowledge } from '../types.ts'

/** Adds a source of knowledge and waits until it can be searched. */
export async function addKnowledge(
  server: AgentServer,
  agent: string,
  source: string | KnowledgeInput,
  options: KnowledgeOptions = {},
): Promise<AddedKnowledge> {
  const given = typeof source === 'string' ? { path: source } : source
  return addSource(server, agent, await sourceOf(server, given, options), options)
}

/** A source as the server takes it, its file uploaded. */
async function sourceOf(
  { files }: AgentServer,
  given: KnowledgeInput,
  { background: _, ...call }: KnowledgeOptions,
): Promise<NewKnowledge> {
  const { description } = given
  let sent: object
  let name = description
  if ('content' in given) sent = { source_type: 'content', content: given.content }
  else if ('file_id' in given) sent = { source_type: 'upload', file_id: given.file_id }
  else {
    const named = 'name' in given ? { name: given.name } : {}
    const file = await files.create('path' in given ? given.path : given.file, { ...call, ...named })
    sent = { source_type: 'upload', file_id: file.id }
    name = file.name.replace(/\.\w+$/, '')
  }
  return { id: given.id ?? idOf(name), ...(description !== undefined && { description }), ...sent } as NewKnowledge
}

async function addSource(
  { http, knowledge }: AgentServer,
  agent: string,
  source: NewKnowledge,
  { background, ...call }: KnowledgeOptions,
): Promise<AddedKnowledge> {
  const added = await knowledge.add(agent, { ...source, ...(background !== undefined && { background }) }, call)
  if (background || added.status === 'added') return added
  await new FollowedJob(http, added.job_id, call).result()
  for await (const each of knowledge.list(agent, { limit: 100 }, call))
    if (each.id === source.id) return { ...added, status: 'added', knowledge_source: each }
  return { ...added, status: 'added' }
}

/** An id made of a name: lower case letters, digits and `-`. */
function idOf(name = ''): string {
  const id = name.toLowerCase().replace(/[^a-z0-9]+/g, '-')
  return id.replace(/^-/, '').slice(0, 64).replace(/-$/, '') || 'knowledge'
}

/** Creates an agent from a configuration or the path of one (YAML or JSON), and uploads the files of its knowledge. */
export async function addAgent(
  muxi: AgentServer,
  name: string,
  source: string | AgentInput,
  options: KnowledgeOptions = {},
): Promise<AgentImported> {
  const isPath = typeof source === 'string'
  const given = isPath
    ? ((await (await import('../files/read-file.ts')).readConfig(source)) as unknown as AgentInput)
    : source
  const { id: _id, name: _name, knowledge = [], ...rest } = given
  // A key is that of one request.
  const { background, idempotencyKey: _key, ...call } = options
  const description = given.description ?? String(given.system_message).slice(0, 200)
  const folder = isPath ? source.replace(/[^/\\]*$/, '') : ''
  // First all files: when one cannot be read, there is no agent without its knowledge.
  const sources: NewKnowledge[] = []
  for (const each of knowledge) {
    // Paths are relative to the file, as they are for the server.
    const isRelative = 'path' in each && !/^([/\\]|\w:)/.test(each.path)
    sources.push(await sourceOf(muxi, isRelative ? { ...each, path: folder + each.path } : each, call))
  }
  const created = await muxi.agents.import({ config: { ...rest, id: name, description } }, call)
  for (const each of sources) await addSource(muxi, name, each, { ...call, background })
  return created
}
