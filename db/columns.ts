// The JSON columns and what they hold; those of jobs are in job-columns.ts. Their schemas name what the code relies on; other keys pass, so that rows of earlier releases stay readable.
import { Type } from '@sinclair/typebox'
import type { KeyRateLimits } from '../contracts/rate-limits.ts'
import type { FieldSource, Knowledge } from '../contracts/knowledge.ts'
import type { RecalledMemory } from '../contracts/memory.ts'
import type { NewEvent, Usage } from '../contracts/events.ts'
import type { JobKind } from '../contracts/job.ts'
import type { ErrorBody } from '../contracts/failures.ts'
import { OnBusySchema, type AgentConfig } from '../contracts/schemas/agent.ts'
import { type McpServer } from '../contracts/schemas/mcp-server.ts'
import { CarriedRequestSchema, type CarriedRequest } from '../contracts/schemas/carried-request.ts'
import { StoredPartsSchema, type StoredPart } from '../contracts/schemas/stored-parts.ts'
import { SCOPES, type Scope } from '../contracts/scopes.ts'
import { column, exactColumn } from './json-column.ts'

/** A file of a source of knowledge that could not be read. */
export interface UnreadFile {
  /** Within the folder; of a folder with a slash at the end; empty for the source itself. */
  name: string
  reason: string
}

/** A piece of a document, as models and people are shown it. */
export interface Passage {
  document_id: string
  document: string
  page: number
  heading?: string
  content: string
  similarity: number
  knowledge_id?: string
}

/** One visit to the authorization server. */
export interface Attempt {
  code_verifier: string
  /** What the browser that began it shows again when it comes back. */
  browser: string
}

/** A picture in a tool's answer: a blob of the turn's user. */
export interface StoredImage {
  media_type: string
  sha256: string
}

/** A file of a message. */
export interface Attachment {
  type: JobKind
  name: string
  media_type: string
  sha256: string
  size: number
  /** Unset until it is a file. */
  file_id?: string
}

const text = Type.String()
const number = Type.Number()
const anyObject = Type.Record(Type.String(), Type.Unknown())
const anything = Type.Unknown()
export const errorBody = Type.Object({ code: text, message: text, details: Type.Optional(anyObject) })
export const usage = Type.Object({ input_tokens: number, output_tokens: number, cost_usd: Type.Optional(number) })

const mcpFields = { name: text, offered_tools: Type.Optional(Type.Array(text)) }
const server = Type.Union([
  Type.Object({ ...mcpFields, url: text }),
  Type.Object({ ...mcpFields, command: text, args: Type.Optional(Type.Array(text)) }),
  Type.Object({ ...mcpFields, builtin: text }),
])
const modelFields = { provider: text, model: text, base_url: Type.Optional(text) }
const agent = Type.Object({
  id: text,
  description: text,
  system_message: text,
  model: Type.Optional(Type.Object({ ...modelFields, fallbacks: Type.Optional(Type.Array(Type.Object(modelFields))) })),
  memory: Type.Object({ buffer: Type.Integer() }),
  mcp_servers: Type.Optional(Type.Array(server)),
  knowledge: Type.Optional(Type.Array(Type.Object({ id: text }))),
  on_busy: OnBusySchema,
})

const passage = Type.Object({
  document_id: text,
  document: text,
  page: number,
  heading: Type.Optional(text),
  content: text,
  similarity: number,
  knowledge_id: Type.Optional(text),
})
const attachment = Type.Object({ type: text, name: text, media_type: text, sha256: text, size: number })
export const agentConfig = column<AgentConfig>('agent_versions', 'config', agent)
export const serverConfig = column<McpServer>('mcp_servers', 'config', server)
export const serverWarnings = column<string[]>('mcp_servers', 'warnings', Type.Array(text))
export const toolParameters = column<Record<string, unknown>>('mcp_tools', 'parameters', anyObject)
export const toolRefusals = column<Record<string, string>>('mcp_tools', 'refused', Type.Record(text, text))
export const toolAnnotations = column<Record<string, unknown>>('mcp_tools', 'annotations', anyObject)

export const keyScopes = column<Scope[]>(
  'api_keys',
  'scopes',
  Type.Array(Type.Union(SCOPES.map((each) => Type.Literal(each)))),
)
const rateLimit = Type.Optional(Type.Object({ requests: Type.Number(), seconds: Type.Number() }))
export const keyRateLimits = column<KeyRateLimits>(
  'api_keys',
  'rate_limits',
  Type.Object({ chat: rateLimit, write: rateLimit, read: rateLimit }),
)
export const keyNetworks = column<string[]>('api_keys', 'networks', Type.Array(text))

export const uploadMetadata = column<Record<string, string | null>>(
  'uploads',
  'metadata',
  Type.Record(text, Type.Union([text, Type.Null()])),
)

export const turnError = column<ErrorBody>('turns', 'error', errorBody)
export const turnResponseSchema = column<Record<string, unknown>>('turns', 'response_schema', anyObject)
export const carriedRequest = column<CarriedRequest>('turn_requests', 'request', CarriedRequestSchema)
export const turnUsage = column<Usage>('turns', 'usage', usage)
export const messageAttachments = column<Attachment[]>('messages', 'attachments', Type.Array(attachment))
export const recallPassages = column<Passage[]>('recalls', 'passages', Type.Array(passage))
export const recallMemories = column<RecalledMemory[]>(
  'recalls',
  'memories',
  Type.Array(
    Type.Object({
      message_id: text,
      role: Type.Union([Type.Literal('user'), Type.Literal('assistant')]),
      content: text,
      said_at: text,
      similarity: number,
      from: text,
      conversation_id: Type.Optional(text),
    }),
  ),
)
export const recallAboutUser = column<Record<string, unknown>>('recalls', 'about_user', anyObject)
export const contextKnowledge = column<Knowledge>('context_memories', 'knowledge', anyObject)
export const contextSources = column<Record<string, FieldSource>>(
  'context_memories',
  'sources',
  Type.Record(text, Type.Object({ at: text, message_id: Type.Optional(text), agent_id: Type.Optional(text) })),
)
export const stepParts = column<StoredPart[]>('model_steps', 'parts', StoredPartsSchema)
export const callImages = column<StoredImage[]>(
  'tool_calls',
  'images',
  Type.Array(Type.Object({ media_type: text, sha256: text })),
)
export const segmentEvents = exactColumn<[NewEvent['type'], NewEvent['data']][]>(
  'event_segments',
  'events',
  Type.Array(Type.Tuple([text, anyObject])),
)

export const logInput = exactColumn<unknown>('log_entries', 'input', anything)
export const logOutput = exactColumn<unknown>('log_entries', 'output', anything)
export const logError = column<unknown>('log_entries', 'error', anything)
export const logUsage = column<unknown>('log_entries', 'usage', anything)

export const approvalParameters = exactColumn<unknown>('approvals', 'parameters', anything)
export const approvalArguments = exactColumn<unknown>('approvals', 'arguments', anything)
export const approvalAnswer = column<Record<string, string | number | boolean | string[]>>(
  'approvals',
  'answer',
  Type.Record(text, Type.Union([text, number, Type.Boolean(), Type.Array(text)])),
)
export const approvalSchema = column<Record<string, unknown>>('approvals', 'schema', anyObject)

export const unreadFiles = column<UnreadFile[]>(
  'knowledge_sources',
  'unread',
  Type.Array(Type.Object({ name: text, reason: text })),
)

export const signInAttempt = column<Attempt>(
  'mcp_sign_ins',
  'attempt',
  Type.Object({ code_verifier: text, browser: text }),
)
