// Whether a person is asked before a tool of an MCP server is called: as its configuration says, by what is known of the tool.
import { fits } from '../contracts/glob.ts'
import type { Approval, McpServer } from '../contracts/schemas/agent.ts'
import type { OfferedTool } from './tools.ts'

type Policy = Pick<McpServer, 'approval' | 'trust_annotations' | 'read_only_tools'> & { builtin?: unknown }
type KnownTool = Pick<OfferedTool, 'tool' | 'annotations' | 'hash'> & { approved_hash: string }

/** Whether a call of the tool waits for a person. */
export function asksFirst(server: Policy, tool: KnownTool): boolean {
  const approval = approvalOf(server, tool.tool)
  return approval === 'always' || (approval === 'destructive' && isDestructive(server, tool))
}

/** Of the patterns that fit, the one that says most of the name; of two that say as much, the stricter one. */
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
 * What nobody has called harmless is destructive. The server is believed only where it is trusted, and only as it was when it was
 * configured; one of our own changes with muxi itself.
 */
function isDestructive(server: Policy, { tool, annotations, hash, approved_hash }: KnownTool): boolean {
  if (server.read_only_tools?.includes(tool)) return false
  const hasDrifted = hash !== approved_hash && server.builtin === undefined
  if (!server.trust_annotations || hasDrifted) return true
  const { readOnlyHint, destructiveHint } = JSON.parse(annotations) as {
    readOnlyHint?: boolean
    destructiveHint?: boolean
  }
  return readOnlyHint !== true && destructiveHint !== false
}

function literalsOf(glob: string): number {
  return glob.replaceAll(/[*?]/g, '').length
}
