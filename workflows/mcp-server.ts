// The actor of one MCP server: somebody holds the connection, and when they are gone somebody else does, until it is removed.
import {
  CancellationScope,
  continueAsNew,
  isCancellation,
  setCurrentDetails,
  setHandler,
  workflowInfo,
} from '@temporalio/workflow'
import type { McpServerRef } from '../contracts/engine.ts'
import { superviseMcpServer } from './activities.ts'
import { holderLost } from './messages.ts'

export async function mcpServer(ref: McpServerRef): Promise<void> {
  let scope: CancellationScope | undefined
  setHandler(holderLost, () => scope?.cancel())
  for (;;) {
    scope = new CancellationScope()
    try {
      const how = await scope.run(() => superviseMcpServer.executeWithOptions({ summary: ref.name }, [ref]))
      if (how === 'removed') return
      setCurrentDetails(how === 'changed' ? 'Its configuration has changed' : 'Another worker has taken it')
    } catch (error) {
      // A holder that was found dead is not waited for. Should it live, it finds that the server has been taken.
      if (!isCancellation(error) || CancellationScope.current().consideredCancelled) throw error
      setCurrentDetails('Its worker was lost')
    }
    if (workflowInfo().continueAsNewSuggested) await continueAsNew<typeof mcpServer>(ref)
  }
}
