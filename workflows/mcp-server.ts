// The actor of one MCP server: a worker owns the connection; when that worker dies, another takes over, until the server is
// removed.
import {
  CancellationScope,
  continueAsNew,
  isCancellation,
  setCurrentDetails,
  setHandler,
  workflowInfo,
} from '@temporalio/workflow'
import type { McpServerRef } from '../contracts/mcp.ts'
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
      // An owner that was declared dead is not waited for. If it is alive, it finds that the server has another owner.
      if (!isCancellation(error) || CancellationScope.current().consideredCancelled) throw error
      setCurrentDetails('Its worker was lost')
    }
    if (workflowInfo().continueAsNewSuggested) await continueAsNew<typeof mcpServer>(ref)
  }
}
