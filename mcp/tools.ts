// A server's tools as offered to models: a name that every provider accepts, a bounded description, a schema.
import { createHash } from 'node:crypto'
import { canonicalJson } from '../contracts/json.ts'
import { withoutNul } from '../contracts/nul.ts'
import type { McpServer } from '../contracts/schemas/mcp-server.ts'
import { shorten } from '../contracts/shorten.ts'
import type { ListedTool } from './tool-list.ts'

const MAX_NAME = 64
/** Longest name of a tool on its server. */
const MAX_TOOL_NAME = 512
const MAX_DESCRIPTION = 8_000
/** Longest schema of a tool, in characters: every model call pays for it. */
const MAX_SCHEMA = 64_000
const MAX_ANNOTATIONS = 4_000
/** Limit of all schemas of a server together. */
const MAX_SCHEMAS = 4_000_000

export interface OfferedTool {
  /** The server's name for it. */
  tool: string
  name: string
  description: string
  /** JSON. */
  parameters: string
  /** JSON. */
  annotations: string
  /** Hash of everything that models get of it, and of its annotations. */
  hash: string
}

/** The offered tools of a listing, and a warning for each that is left out: a second one of a name, a schema that is too long. */
export function offeredTools(
  server: string,
  tools: readonly ListedTool[],
): { tools: OfferedTool[]; warnings: string[] } {
  const offered = new Map<string, OfferedTool>()
  const warnings: string[] = []
  let left = MAX_SCHEMAS
  for (const { name: tool, description = '', inputSchema, annotations = {} } of tools) {
    const parameters = JSON.stringify(inputSchema)
    const told = JSON.stringify(annotations)
    const hash = hashOf(canonicalJson([description, inputSchema, annotations]))
    const leaveOut = (why: string) => warnings.push(`Cannot offer the tool '${shorten(tool)}': ${why}`)
    if (tool.length > MAX_TOOL_NAME || tool.includes('\0') || !tool.isWellFormed()) {
      leaveOut(`its 'name' must be valid text of at most ${MAX_TOOL_NAME} characters without NUL`)
    } else if (offered.has(tool)) {
      // A server that repeats a page lists the same tools again.
      if (offered.get(tool)?.hash !== hash) leaveOut(`its 'name' must be unique, and only the first one counts`)
    } else if (parameters.length > MAX_SCHEMA) {
      leaveOut(`its 'inputSchema' must have at most ${MAX_SCHEMA} characters, got ${parameters.length}`)
    } else if (parameters.length > left) {
      leaveOut(`the schemas of a server must have at most ${MAX_SCHEMAS} characters together, got more`)
    } else {
      left -= parameters.length
      offered.set(tool, {
        tool,
        name: offeredName(server, tool),
        description: withoutNul(description.slice(0, MAX_DESCRIPTION).toWellFormed()),
        parameters,
        annotations: told.length > MAX_ANNOTATIONS ? '{}' : told,
        hash,
      })
    }
  }
  return { tools: [...offered.values()], warnings }
}

/** `server__tool`, with a hash at its end if that is not valid or not unique. */
export function offeredName(server: string, tool: string): string {
  const plain = `${server}__${tool}`
  const name = plain.replaceAll(/[^a-zA-Z0-9_-]/g, '_')
  const isClear = name === plain && name.length <= MAX_NAME && plain.split('__').length === 2 && !server.endsWith('_')
  if (isClear) return name
  const suffix = `_${hashOf(`${server}/${tool}`).slice(0, 8)}`
  return name.slice(0, MAX_NAME - suffix.length) + suffix
}

function hashOf(text: string): string {
  return createHash('sha256').update(text).digest('hex')
}

/**
 * Whether a tool may run twice: by the operator's setting, or by the annotation of a trusted server.
 * @param annotations as sent by the server
 */
export function isRepeatable(
  server: Pick<McpServer, 'idempotent_tools' | 'read_only_tools' | 'trust_annotations'>,
  { tool, annotations }: { tool: string; annotations: Readonly<Record<string, unknown>> },
): boolean {
  if (server.idempotent_tools?.includes(tool) || server.read_only_tools?.includes(tool)) return true
  if (!server.trust_annotations) return false
  return annotations['readOnlyHint'] === true || annotations['idempotentHint'] === true
}
