// What the sweeper asks of Temporal.
import { WorkflowNotFoundError, type Client } from '@temporalio/client'

export async function isOpen(client: Client, id: string): Promise<boolean> {
  return orWhenNotFound(async () => (await client.workflow.getHandle(id).describe()).status.name === 'RUNNING')
}

/** The answer about a workflow; false when there is none. */
export async function orWhenNotFound(ask: () => Promise<boolean>): Promise<boolean> {
  try {
    return await ask()
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) return false
    throw error
  }
}
