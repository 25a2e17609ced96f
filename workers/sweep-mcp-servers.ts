// Starts the actors of MCP servers without an owner; removes servers of deleted agents.
import type { Client } from '@temporalio/client'
import { deleteServer, listOrphanedServers, listUnheldServers } from '../db/queries/mcp-servers.ts'
import type { Storage } from '../db/storage.ts'
import type { mcpServer } from '../workflows/index.ts'
import { mcpServerStart } from '../workflows/labels.ts'

/** One pass over all servers; starting a running actor does nothing. */
export async function sweepMcpServers(
  { client, storage: { db } }: { client: Client; storage: Storage },
  signal: AbortSignal,
): Promise<void> {
  for (const ref of await listOrphanedServers(db)) {
    await db.transaction().execute((tx) => deleteServer(tx, ref))
  }
  for (const ref of await listUnheldServers(db)) {
    signal.throwIfAborted()
    await client.workflow.start<typeof mcpServer>('mcpServer', mcpServerStart(ref))
  }
}
