// Agents and knowledge from files: loaded when an agent is added, or what it is to know.
import type { AgentInput, AgentServer, KnowledgeInput, KnowledgeOptions } from './agent-input.ts'
import { FollowedJob } from './job.ts'
import type { AddedKnowledge, AgentImported, NewKnowledge } from './types.ts'

/** Adds a source of knowledge and waits until it can be searched. */
export async function addKnowledge(
  { http, files, knowledge }: AgentServer,
  agent: string,
  source: string | KnowledgeInput,
  { background, ...call }: KnowledgeOptions = {},
): Promise<AddedKnowledge> {
  const given = typeof source === 'string' ? { path: source } : source
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
  const id = given.id ?? idOf(name)
  const body = { id, ...(description !== undefined && { description }), ...sent } as NewKnowledge
  const added = await knowledge.add(agent, { ...body, ...(background !== undefined && { background }) }, call)
  if (background || added.status === 'added') return added
  await new FollowedJob(http, added.job_id, call).result()
  const { knowledge_sources } = await knowledge.list(agent, call)
  const found = knowledge_sources.find((each) => each.id === id)
  return { ...added, status: 'added', knowledge_source: found ?? added.knowledge_source }
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
  const given = isPath ? ((await (await import('./read-file.ts')).readConfig(source)) as unknown as AgentInput) : source
  const { id: _id, name: _name, knowledge = [], ...rest } = given
  const { background: _, ...call } = options
  const description = given.description ?? String(given.system_message).slice(0, 200)
  const created = await muxi.agents.import({ config: { ...rest, id: name, description } }, call)
  const folder = isPath ? source.replace(/[^/\\]*$/, '') : ''
  for (const each of knowledge) {
    // Paths are relative to the file, as they are for the server.
    const isRelative = 'path' in each && !/^([/\\]|\w:)/.test(each.path)
    await addKnowledge(muxi, name, isRelative ? { ...each, path: folder + each.path } : each, options)
  }
  return created
}
