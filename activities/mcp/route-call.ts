// Whether a call of an MCP server's tool may be made, and which worker makes it: activities that run on any worker.
import { readArguments } from '../../contracts/arguments.ts'
import type { McpCallState } from '../../contracts/mcp.ts'
import { timeoutsOf } from '../../contracts/mcp-timeouts.ts'
import type { ToolCallInput, ToolCallResult } from '../../contracts/turn.ts'
import { listApprovalsOfCall } from '../../db/queries/approvals.ts'
import { configOf, findServer, locateServer } from '../../db/queries/mcp-servers.ts'
import { annotationsOf, findTool, parametersOf } from '../../db/queries/mcp-tools.ts'
import { getToolCallOrThrow } from '../../db/queries/steps.ts'
import type { Db, ToolCallsTable, Tx } from '../../db/schema.ts'
import { requiresApproval } from '../../mcp/approval.ts'
import type { ActivityResources } from '../resources.ts'
import { callApprovals, type Asked } from '../tools/call-approvals.ts'
import { toolLedger } from '../tools/tool-ledger.ts'

/** Activities of an MCP call that run on any worker, whichever owns the server. */
export function mcpRouteActivities(resources: Pick<ActivityResources, 'db' | 'events' | 'tool_output_characters'>) {
  const { db } = resources
  const ledger = toolLedger(resources)
  const approvals = callApprovals(resources)
  return {
    /** Whether a call may be made, and the task queue of the worker that holds its server; none while it has no owner. */
    async locateMcpServer(input: ToolCallInput & { server: string }): Promise<McpCallState> {
      const ref = { agent_id: input.agent_id, name: input.server }
      const call = await getToolCallOrThrow(db, input.turn_id, input.call_id)
      const asked = await listApprovalsOfCall(db, input.turn_id, input.call_id)
      // Most calls need no approval: then nothing is written.
      if (asked.length > 0 || (call.status === 'planned' && (await gateOf(db, input, call)))) {
        const barred = await approvals.admit(input, (tx, now) => gateOf(tx, input, now))
        if (barred) return barred
      }
      const found = await locateServer(db, ref)
      if (!found?.worker) return {}
      const { wait_ms } = timeoutsOf(configOf({ ...ref, config: found.config }))
      return { queue: found.worker, patience_ms: wait_ms }
    },

    /** Tells the model that the call could not be made, and why, as far as that is known. */
    async giveUpMcpCall(input: ToolCallInput & { server: string }): Promise<ToolCallResult> {
      const found = await locateServer(resources.db, { agent_id: input.agent_id, name: input.server })
      const why = !found
        ? 'the agent has it no more'
        : (found.last_error ?? (found.worker === null ? 'no worker holds it' : 'it is not connected'))
      return ledger.abandon(input, cannotBeCalled(input, why))
    },
  }
}

export function cannotBeCalled({ server }: { server: string }, why: string): string {
  return `The MCP server '${server}' cannot be called: ${why}. Nothing was done.`
}

/** The server and the tool of a call as they are configured and listed now. */
export async function findCallable(tx: Db | Tx, { agent_id, server: name }: CallRef, call: ToolCallsTable) {
  const ref = { agent_id, name }
  const row = await findServer(tx, ref)
  const tool = row && (await findTool(tx, ref, call.tool ?? ''))
  return tool && { server: configOf(row), tool: { ...tool, annotations: annotationsOf(tool) } }
}

type CallRef = ToolCallInput & { server: string }

/** The approval that a call needs; none when the policy asks for none, it was given for the current tool, or the call cannot be made anyway. */
export async function gateOf(tx: Db | Tx, input: CallRef, call: ToolCallsTable): Promise<Asked | undefined> {
  const found = await findCallable(tx, input, call)
  if (!found || !requiresApproval(found.server, found.tool)) return undefined
  const { tool, hash, approved_hash, name } = found.tool
  const asked = await listApprovalsOfCall(tx, input.turn_id, input.call_id)
  const approvals = asked.filter(({ kind }) => kind === 'tool')
  if (approvals.some(({ decision, tool_hash }) => decision === 'approve' && tool_hash === hash)) return undefined
  const read = readArguments({ name, parameters: parametersOf(found.tool) }, call.arguments)
  if ('fault' in read) return undefined
  return {
    place: `tool/${approvals.length + 1}`,
    kind: 'tool',
    name: tool,
    server: input.server,
    parameters: read.parameters,
    tool_hash: hash,
    drifted: hash !== approved_hash,
  }
}
