// Whether a call of an MCP tool requires approval: by the server's configuration and the tool's annotations.
import { fits } from '../contracts/glob.ts'
import type { Approval, McpServer } from '../contracts/schemas/mcp-server.ts'
import type { OfferedTool } from './tools.ts'

type Policy = Pick<McpServer, 'approval' | 'trust_annotations' | 'read_only_tools'> & { builtin?: unknown }
type KnownTool = Pick<OfferedTool, 'tool' | 'hash'> & {
  annotations: Readonly<Record<string, unknown>>
  approved_hash: string
}

/** Whether a call of the tool waits for approval. */
export function requiresApproval(server: Policy, tool: KnownTool): boolean {
  const approval = approvalOf(server, tool.tool)
  return approval === 'always' || (approval === 'destructive' && isDestructive(server, tool))
}

/** The most specific matching pattern; of two equally specific ones, the stricter. */
export function approvalOf({ approval = 'destructive' }: Policy, tool: string): Approval {
  if (typeof approval === 'string') return approval
  const fitting = Object.entries(approval.tools ?? {}).filter(([glob]) => fits(glob, tool))
  const [best] = fitting.toSorted(
    ([a, one], [b, other]) => literalsOf(b) - literalsOf(a) || STRICTNESS[other] - STRICTNESS[one],
  )
  return best?.[1] ?? approval.default ?? 'destructive'
}

const STRICTNESS: Readonly<Record<Approval, number>> = { never: 0, destructive: 1, always: 2 }

/**
 * Destructive unless declared otherwise. Annotations count only for trusted servers, and only as they were when the server was
 * configured; those of a built-in server change with muxi's version.
 */
function isDestructive(server: Policy, { tool, annotations, hash, approved_hash }: KnownTool): boolean {
  if (server.read_only_tools?.includes(tool)) return false
  const hasDrifted = hash !== approved_hash && server.builtin === undefined
  if (!server.trust_annotations || hasDrifted) return true
  return annotations['readOnlyHint'] !== true && annotations['destructiveHint'] !== false
}

function literalsOf(glob: string): number {
  return glob.replaceAll(/[*?]/g, '').length
}
