// An agent that was made over the API is changed: the configuration with a merge patch applied is checked as a whole, and
// becomes its next version. Turns that have begun keep theirs.
import { separateSecrets } from '../../contracts/agent-secrets.ts'
import { MuxiError, wrongField } from '../../contracts/failures.ts'
import { canonicalJson } from '../../contracts/json.ts'
import { mergePatch } from '../../contracts/merge-patch.ts'
import { AgentSchema, resolveAgent, type AgentInput } from '../../contracts/schemas/agent.ts'
import type { AgentPatch } from '../../contracts/schemas/agent-patch.ts'
import { schemaFaults } from '../../contracts/schemas/faults.ts'
import { addAgentVersion, getAgentOrThrow, type AgentRow } from '../../db/queries/agents.ts'
import type { Principal } from '../../db/queries/keys.ts'
import {
  checkAddresses,
  checkMemory,
  checkModel,
  checkOtherAgents,
  checkServers,
  refuse,
  resolveSecrets,
  withoutServers,
} from './agent-checks.ts'
import type { ApiContext } from './context.ts'
import { readAgent } from './read-agent.ts'
import { putServersOf, startServersOf, type DescribedAgent } from './mcp-servers.ts'

const DOING = 'change the agent'
/** How often a change is applied to what another one has made of the agent meanwhile. */
const MOST_TRIES = 20

/** @throws MuxiError bad_request, forbidden, not_found, conflict, unprocessable */
export async function changeAgent(
  context: ApiContext,
  principal: Principal,
  id: string,
  patch: AgentPatch,
): Promise<AgentRow> {
  const { db, box } = context.storage
  for (const key of ['id', 'name'] as const)
    if ((patch[key] ?? id) !== id) throw wrongField(DOING, key, `left out or '${id}', because an id never changes`)
  for (let tries = 1; tries <= MOST_TRIES; tries += 1) {
    const agent = await getAgentOrThrow(db, id)
    refuseFileAgent(DOING, agent)
    const described = await describeChange(context, principal, agent, patch)
    if (!described) return agent
    const replaces = patch.mcp_servers !== undefined
    const changed = await db.transaction().execute(async (tx) => {
      const own = { ...described, secrets: withoutServers(described.secrets) }
      const row = await addAgentVersion(tx, box, own, agent.version)
      if (row && replaces) await putServersOf(tx, box, described, 'all')
      return row
    })
    if (!changed) continue
    if (replaces) await startServersOf(context, described)
    return changed
  }
  throw new MuxiError('conflict', `Cannot ${DOING}: others change it at the same time`)
}

/** @throws MuxiError conflict when the agent is defined by a file */
export function refuseFileAgent(doing: string, { id, source, file }: AgentRow): void {
  if (source === 'file')
    throw new MuxiError('conflict', `Cannot ${doing}: '${id}' is defined by the file '${file}'`, {
      details: { file },
    })
}

/** What a patch makes of an agent; undefined when nothing changes. @throws MuxiError */
async function describeChange(
  context: ApiContext,
  principal: Principal,
  agent: AgentRow,
  { id: _id, name: _name, ...patch }: AgentPatch,
): Promise<DescribedAgent | undefined> {
  const current = await readAgent(context, agent)
  const servers = patch.mcp_servers && (await checkServers(context, DOING, principal, patch.mcp_servers))
  const merged = mergePatch(current, { ...patch, ...(servers && { mcp_servers: servers }) }) as AgentInput
  refuse(DOING, 'unprocessable', schemaFaults(AgentSchema, merged))
  dropForeignKey(current, merged, patch)
  if (canonicalJson(current) === canonicalJson(merged)) return undefined
  checkMemory(DOING, merged)
  const { config, secrets } = separateSecrets(resolveAgent(merged, agent.id, context.memoryDefaults))
  // What is stored has been resolved already.
  const given = separateSecrets({ ...config, ...(patch as Partial<typeof config>) }).secrets
  const isGiven = ([path]: [string, string]) => given[path] !== undefined
  const fresh = Object.fromEntries(Object.entries(secrets).filter(isGiven))
  const resolved = { ...secrets, ...resolveSecrets(context, DOING, config, fresh) }
  if (patch.model !== undefined) await checkAddresses(context, DOING, config)
  if (patch.model !== undefined || servers) checkModel(context, DOING, config, resolved)
  if (patch.agent_tools !== undefined || patch.handoffs !== undefined) await checkOtherAgents(context, DOING, config)
  return { id: agent.id, config, secrets: resolved }
}

/** A stored key is never sent to another provider or address than the one that it was given for. */
function dropForeignKey(current: AgentInput, merged: AgentInput, patch: AgentPatch): void {
  const { model } = merged
  if (!model || patch.model?.api_key !== undefined) return
  const before = current.model
  if (before?.provider !== model.provider || before.base_url !== model.base_url) delete model.api_key
}
