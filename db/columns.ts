// The JSON columns and what they hold. Their schemas name what the code relies on; other keys pass, so that rows of earlier releases stay readable.
import { type TSchema, Type } from '@sinclair/typebox'
import type { KeyRateLimits } from '../contracts/rate-limits.ts'
import type { FieldSource, Knowledge } from '../contracts/knowledge.ts'
import type { RecalledMemory } from '../contracts/memory.ts'
import type { JobResult, ReembedResult, NewEvent, Usage } from '../contracts/events.ts'
import type { JobKind } from '../contracts/job.ts'
import type { ErrorBody } from '../contracts/failures.ts'
import { OnBusySchema, type AgentConfig } from '../contracts/schemas/agent.ts'
import { type McpServer } from '../contracts/schemas/mcp-server.ts'
import type { JobOptions } from '../contracts/schemas/jobs.ts'
import { CarriedRequestSchema, type CarriedRequest } from '../contracts/schemas/carried-request.ts'
import { StoredPartsSchema, type StoredPart } from '../contracts/schemas/stored-parts.ts'
import { SCOPES, type Scope } from '../contracts/scopes.ts'
import type { Notice } from '../contracts/notices.ts'
import type { JsonColumn } from './json-column.ts'
import type { DB } from './schema.ts'

/** A span of a recording, in milliseconds, and what was said in it. */
export interface StoredSpan {
  from_ms: number
  to_ms: number
  text: string
}

/** A page of what was extracted from a file, or a segment of a recording. */
export interface StoredPage extends Partial<Pick<StoredSpan, 'from_ms' | 'to_ms'>> {
  page: number
  text: string
  /** What the page is called in its document: `Slide 3`. */
  label?: string
  notices?: Notice[]
  language?: string
  /** What was said in a segment, with times. */
  parts?: StoredSpan[]
}

/** A file of a source of knowledge that could not be read. */
export interface UnreadFile {
  /** Within the folder; of a folder with a slash at the end; empty for the source itself. */
  name: string
  reason: string
}

/** What OCR read of a page. */
export interface StoredOcr {
  text: string
  confidence: number
  turned: number
  paragraphs: { confidence: number; box: number[] }[]
}

/** A file that was derived from an upload. */
export interface MadeFile {
  /** `thumbnail`, or for which models: `2048-15728640`. */
  name: string
  file_id: string
  sha256: string
  media_type: string
}

export interface ContainedFile {
  name: string
  kind: 'pdf' | 'image' | 'other'
  /** Its first page among all pages, and its number of pages. */
  from: number
  pages: number
}

export interface ContainedFiles {
  parts: ContainedFile[]
  /** Skipped files with the reason. */
  skipped: { name: string; reason: string }[]
}

/** The description of a prepared image or recording, or of the files within one. */
export interface JobMedia {
  /** Merged into the job's result. */
  result: Partial<JobResult>
  /** As extracted; private fields do not leave this row. */
  metadata: Record<string, unknown>
  made: MadeFile[]
  /** The parts of an archive or mail. */
  parts?: ContainedFiles
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

function column<T>(table: keyof DB, name: string, schema: TSchema): JsonColumn<T> {
  return { table, name, schema, exact: false }
}

/** Of JSON that models and tools wrote: its numbers keep their digits. */
function exactColumn<T>(table: keyof DB, name: string, schema: TSchema): JsonColumn<T> {
  return { ...column<T>(table, name, schema), exact: true }
}

const text = Type.String()
const number = Type.Number()
const anyObject = Type.Record(Type.String(), Type.Unknown())
const anything = Type.Unknown()
const error = Type.Object({ code: text, message: text, details: Type.Optional(anyObject) })
const usage = Type.Object({ input_tokens: number, output_tokens: number, cost_usd: Type.Optional(number) })

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
const notice = Type.Object({
  code: text,
  message: text,
  count: number,
  places: Type.Optional(Type.Array(text)),
  text: Type.Optional(text),
})
const result = Type.Object({
  document_id: text,
  pages: number,
  chunks: number,
  notices: Type.Optional(Type.Array(notice)),
  description: Type.Optional(text),
  duration_ms: Type.Optional(number),
  summary: Type.Optional(text),
  usage: Type.Optional(usage),
  reused_job_id: Type.Optional(text),
})
const reembedded = Type.Object({ model: text, dimension: number, chunks: number, refused: Type.Optional(number) })
const options = Type.Object({
  ocr: Type.Optional(text),
  languages: Type.Optional(Type.Array(text)),
  describe: Type.Optional(Type.Boolean()),
  summarize: Type.Optional(Type.Boolean()),
  denoise: Type.Optional(Type.Boolean()),
  language: Type.Optional(text),
})

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

export const turnError = column<ErrorBody>('turns', 'error', error)
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

export const jobOptions = column<JobOptions>('jobs', 'options', options)
export const jobResult = column<JobResult>('jobs', 'result', result)
export const reembedResult = column<ReembedResult>('jobs', 'result', reembedded)
export const jobError = column<ErrorBody>('jobs', 'error', error)
const containedFiles = Type.Object({
  parts: Type.Array(
    Type.Object({
      name: text,
      kind: Type.Union([Type.Literal('pdf'), Type.Literal('image'), Type.Literal('other')]),
      from: number,
      pages: number,
    }),
  ),
  skipped: Type.Array(Type.Object({ name: text, reason: text })),
})
export const jobMedia = column<JobMedia>(
  'jobs',
  'media',
  Type.Object({
    result: Type.Partial(result),
    metadata: anyObject,
    made: Type.Array(Type.Object({ name: text, file_id: text, sha256: text, media_type: text })),
    parts: Type.Optional(containedFiles),
  }),
)
const span = { from_ms: number, to_ms: number }
export const batchPages = column<StoredPage[]>(
  'job_batches',
  'pages',
  Type.Array(
    Type.Object({
      page: number,
      text,
      label: Type.Optional(text),
      notices: Type.Optional(Type.Array(notice)),
      ...Type.Partial(Type.Object(span)).properties,
      language: Type.Optional(text),
      parts: Type.Optional(Type.Array(Type.Object({ ...span, text }))),
    }),
  ),
)
export const ocrRead = column<StoredOcr>(
  'ocr_pages',
  'read',
  Type.Object({
    text,
    confidence: number,
    turned: number,
    paragraphs: Type.Array(Type.Object({ confidence: number, box: Type.Array(number) })),
  }),
)

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
