// An agent that was made over the API is deleted: its turns are cancelled, its MCP servers end, and its secrets, its knowledge and
// what it remembers are removed. Conversations and the log stay. Every step may be repeated.
import { setTimeout as delay } from 'node:timers/promises'
import { mapAll } from '../../contracts/map-all.ts'
import { MuxiError } from '../../contracts/failures.ts'
import { deleteAgentRow, getAgentOrThrow, lockAgents } from '../../db/queries/agents.ts'
import { listDeletedAgents } from '../../db/queries/deleted-agents.ts'
import { listSources } from '../../db/queries/knowledge.ts'
import { listMemoryOwners } from '../../db/queries/memories.ts'
import { deleteServer, listServers } from '../../db/queries/mcp-servers.ts'
import { listUnfinishedTurns } from '../../db/queries/users.ts'
import { refuseFileAgent } from './change-agent.ts'
import type { ApiContext } from './context.ts'
import { removeSource } from './knowledge.ts'
import { clearMemories } from './memory.ts'
import { cancelTurn } from './turns.ts'

/** @throws MuxiError not_found, conflict when it is defined by a file */
export async function deleteAgent(context: ApiContext, id: string): Promise<void> {
  const { db } = context.storage
  await db.transaction().execute(async (tx) => {
    await lockAgents(tx)
    refuseFileAgent('delete the agent', await getAgentOrThrow(tx, id))
    await deleteAgentRow(tx, id)
    // Their supervisors detect the removal, and stop them with their programs.
    for (const { name } of await listServers(tx, id)) await deleteServer(tx, { agent_id: id, name })
  })
  await forgetAgent(context, id)
}

/** Ends what a deleted agent does, and removes what it knows. */
export async function forgetAgent(context: ApiContext, id: string): Promise<void> {
  const { db } = context.storage
  const turns = await listUnfinishedTurns(db, { agent_id: id })
  await mapAll(turns, (turn) => cancelTurn(context, turn).catch(unlessOver))
  for (const source of await listSources(db, id)) await removeSource(context, id, source.id).catch(unlessOver)
  for (const user_id of await listMemoryOwners(db, id)) await clearMemories(context, { agent_id: id, user_id })
}

/** Finishes deletions that were interrupted. @param only of these ids; left out: of all */
export async function forgetDeletedAgents(context: ApiContext, only?: ReadonlySet<string>): Promise<void> {
  const deleted = await listDeletedAgents(context.storage.db)
  for (const id of deleted.filter((each) => only?.has(each) ?? true))
    await forgetAgent(context, id).catch((error: unknown) =>
      context.log.warn({ err: error, agent_id: id }, 'what a deleted agent has left could not be removed yet'),
    )
}

/** The same at once and then at every interval until the signal aborts. */
export async function runAgentDeletions(context: ApiContext, interval_ms: number, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    await forgetDeletedAgents(context).catch((error: unknown) =>
      context.log.warn({ err: error }, 'deleted agents could not be read; the next pass tries again'),
    )
    await delay(interval_ms, undefined, { signal }).catch(() => undefined)
  }
}

/** Another process does the same. */
function unlessOver(error: unknown): void {
  if (!(error instanceof MuxiError) || (error.code !== 'conflict' && error.code !== 'not_found')) throw error
}
