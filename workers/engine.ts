// Queries of the sweeper to Temporal.
import { WorkflowNotFoundError, type Client } from '@temporalio/client'

export async function isOpen(client: Client, id: string): Promise<boolean> {
  return (await stateOf(client, id)) === 'open'
}

/** Whether a workflow runs, has ended, or is not known. */
export async function stateOf(client: Client, id: string): Promise<'open' | 'closed' | 'none'> {
  try {
    return (await client.workflow.getHandle(id).describe()).status.name === 'RUNNING' ? 'open' : 'closed'
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) return 'none'
    throw error
  }
}

/** The result of a request about a workflow; false when there is no such workflow. */
export async function orWhenNotFound(ask: () => Promise<boolean>): Promise<boolean> {
  try {
    return await ask()
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) return false
    throw error
  }
}
