// The tables as Kysely types. Times are ISO-8601 UTC text and structured values JSON text, the same on every dialect.
import type { Generated, Kysely, Transaction } from 'kysely'
import type { ApprovalDecision, ApprovalKind } from '../contracts/approval.ts'
import type { JobKind, JobStage, JobStatus } from '../contracts/job.ts'
import type { McpServerState } from '../contracts/mcp.ts'
import type { OnBusy, TurnStatus } from '../contracts/turn.ts'
import type { FinishReason } from '../contracts/model-messages.ts'
import type { AgentSource } from '../contracts/schemas/agent.ts'

export interface DB {
  agents: AgentsTable
  agent_versions: AgentVersionsTable
  secrets: SecretsTable
  conversations: ConversationsTable
  turns: TurnsTable
  messages: MessagesTable
  idempotency_keys: IdempotencyKeysTable
  model_steps: ModelStepsTable
  model_usage: ModelUsageTable
  tool_calls: ToolCallsTable
  log_entries: LogEntriesTable
  event_streams: EventStreamsTable
  event_segments: EventSegmentsTable
  event_fences: EventFencesTable
  event_keys: EventKeysTable
  api_keys: ApiKeysTable
  tickets: TicketsTable
  collections: CollectionsTable
  documents: DocumentsTable
  chunks: ChunksTable
  files: FilesTable
  jobs: JobsTable
  job_batches: JobBatchesTable
  ocr_pages: OcrPagesTable
  noted_blobs: NotedBlobsTable
  job_summaries: JobSummariesTable
  embeddings: EmbeddingsTable
  knowledge_sources: KnowledgeSourcesTable
  recalls: RecallsTable
  mcp_servers: McpServersTable
  mcp_tools: McpToolsTable
  mcp_workers: McpWorkersTable
  approvals: ApprovalsTable
  mcp_clients: McpClientsTable
  mcp_grants: McpGrantsTable
  mcp_sign_ins: McpSignInsTable
  engine_state: EngineStateTable
}

/** A connection for reads and single statements. */
export type Db = Kysely<DB>
/** A function that takes this must run inside a transaction. */
export type Tx = Transaction<DB>

export interface AgentsTable {
  id: string
  version: number
  source: AgentSource
  /** Name of the defining file, when `source` is `file`. */
  file: string | null
  description: string
  created_at: string
  updated_at: string
  deleted_at: string | null
}

export interface AgentVersionsTable {
  agent_id: string
  version: number
  /** AgentConfig without credentials. */
  config: string
  source: AgentSource
  created_at: string
}

/** Encrypted values; `name` is the path of the credential, e.g. `agent/<id>/<version>/model.api_key`. */
export interface SecretsTable {
  name: string
  ciphertext: string
  created_at: string
}

export interface ConversationsTable {
  id: string
  agent_id: string
  user_id: string
  title: string | null
  /** `<user>/<agent>` for the default conversation of messages without one; unique. */
  default_for: string | null
  created_at: string
}

export interface TurnsTable {
  id: string
  conversation_id: string
  agent_id: string
  agent_version: number
  user_id: string
  key_id: string | null
  status: TurnStatus
  on_busy: OnBusy
  /** The user's message, and the id that the reply will have. */
  user_message_id: string
  message_id: string
  response_schema: string | null
  run_id: string | null
  cancel_requested_at: string | null
  error: string | null
  usage: string | null
  /** Why the model ended the reply: of a completed turn, unless it ended before this was recorded. */
  finish_reason: FinishReason | null
  created_at: string
  /** Null until the message is accepted: a waiting turn at once, an active one when its workflow is started. */
  accepted_at: string | null
  /** Null while the turn waits for others of its conversation. At most one active turn is unfinished. */
  activated_at: string | null
  started_at: string | null
  /** The first claim, and whether it accepted the turn; read by the claim itself. */
  first_claim: string | null
  finished_at: string | null
}

export interface MessagesTable {
  id: string
  conversation_id: string
  turn_id: string
  role: 'user' | 'assistant'
  content: string
  status: 'completed' | 'cancelled' | 'failed'
  attachments: string | null
  created_at: string
}

export interface IdempotencyKeysTable {
  key_id: string
  route: string
  idempotency_key: string
  body_hash: string
  /** The id of the turn, file or job that the request created. */
  result_id: string
  created_at: string
}

/** The complete output of a model in one step of a turn. */
export interface ModelStepsTable {
  turn_id: string
  step: number
  content: string
  provider: string
  model: string
  input_tokens: number
  output_tokens: number
  /** JSON array of StoredPart, when the reply has more than text and calls: reasoning, or metadata of the provider. */
  parts: string | null
}

/** One row per model request, written before it is sent. */
export interface ModelUsageTable {
  id: string
  turn_id: string
  step: number
  fence: number
  provider: string
  model: string
  status: 'sent' | 'completed' | 'estimated'
  input_tokens: number
  output_tokens: number
  cost_usd: number | null
  created_at: string
  /** Parts of the counts above; null when the provider did not tell. */
  cached_tokens: number | null
  reasoning_tokens: number | null
}

export interface ToolCallsTable {
  turn_id: string
  call_id: string
  step: number
  position: number
  name: string
  server: string
  /** The provider's id of the call, sent back with the result. */
  provider_call_id: string
  /** As the model wrote them, possibly invalid JSON; or as changed by the approval. */
  arguments: string
  /** `started` is the ledger row: it is written just before the call, and at most once while it exists. */
  status: 'planned' | 'started' | 'done' | 'error' | 'invalid' | 'unknown' | 'cancelled'
  output: string | null
  started_at: string | null
  finished_at: string | null
  /** The tool's name on its MCP server; null for a built-in tool. */
  tool: string | null
  /** JSON array of the images in the result: `{media_type, sha256}`, blobs of the turn's user. */
  images: string | null
}

/** The execution log: one row per (workflow, activity, attempt). */
export interface LogEntriesTable {
  id: string
  turn_id: string
  kind: 'recall' | 'model_call' | 'tool_call' | 'approval' | 'ingestion'
  name: string
  status: 'running' | 'completed' | 'failed' | 'cancelled' | 'interrupted'
  workflow_id: string
  activity_id: string
  attempt: number
  started_at: string
  duration_ms: number | null
  input: string | null
  output: string | null
  error: string | null
  usage: string | null
}

export interface EventStreamsTable {
  stream_id: string
  head: Generated<number>
  ended: Generated<number>
  updated_at: string
}

/** A segment of events committed together; `events` is a JSON array of `[type, data]`. */
export interface EventSegmentsTable {
  stream_id: string
  first_id: number
  last_id: number
  events: string
}

/** The newest attempt that may write in a scope of a stream. */
export interface EventFencesTable {
  stream_id: string
  scope: string
  fence: number
  has_text: Generated<number>
}

export interface EventKeysTable {
  stream_id: string
  dedupe_key: string
}

export interface ApiKeysTable {
  id: string
  name: string
  hash: string
  /** JSON array. */
  scopes: string
  user_id: string | null
  /** The key whose previous secret this is, valid for the grace period of a rotation. */
  alias_of: string | null
  /** JSON array of CIDR blocks, or null for everywhere. */
  networks: string | null
  created_at: string
  expires_at: string | null
}

/** Single-use tickets that authenticate one WebSocket or one Temporal UI session in place of a key. */
export interface TicketsTable {
  hash: string
  /** Hash of the secret that created the ticket, which expires with it. */
  key_hash: string
  expires_at: string
}

/** An uploaded file; its bytes are the blob of (user, sha256). */
export interface FilesTable {
  id: string
  /** A user, or `agent/<id>` for files of an agent. */
  user_id: string
  key_id: string | null
  name: string
  type: string
  size: number
  sha256: string
  /** The file that this one is derived from, and is deleted with. */
  made_of: string | null
  created_at: string
}

export interface JobsTable {
  id: string
  kind: JobKind
  status: JobStatus
  user_id: string
  key_id: string | null
  file_id: string
  /** Copied from the file, which may be deleted after the job. */
  name: string
  sha256: string
  /** The agent of the knowledge or conversation; without one nothing is indexed. */
  agent_id: string | null
  knowledge_id: string | null
  conversation_id: string | null
  /** The turn that it belongs to. */
  turn_id: string | null
  document_id: string
  /** The generation of its chunks, hidden until published; increases within a document. */
  generation: number
  /** The collection of its chunks, set when the first are written. */
  collection: string | null
  options: string
  /** Of an image or recording: metadata and derived files, once prepared. */
  media: string | null
  /** Increases with every retry; writes of an older run are refused. */
  run: number
  run_id: string | null
  pages: number | null
  stage: JobStage
  done: number
  total: number
  stage_started_at: string | null
  cancel_requested_at: string | null
  result: string | null
  error: string | null
  created_at: string
  started_at: string | null
  finished_at: string | null
}

/** A range of pages of a job's document, or a segment of its recording, read once. */
export interface JobBatchesTable {
  job_id: string
  batch: number
  from_page: number
  to_page: number
  /** Of a recording, in milliseconds. */
  from_ms: number | null
  to_ms: number | null
  /** Number of parse attempts. */
  parses: number
  /** JSON array of `{page, text}`, when parsed. */
  pages: string | null
  /** Number of its chunks, once all are indexed. */
  chunks: number | null
}

/**
 * A part of a job's summary: a range of its text at level 1, several parts of the previous level at the others, the whole at
 * the last.
 */
export interface JobSummariesTable {
  job_id: string
  level: number
  part: number
  /** At level 1: the batches of the range, and its position in their text. */
  from_batch: number | null
  to_batch: number | null
  from_char: number | null
  to_char: number | null
  text: string | null
  /** Of the whole: the number of its indexed chunks. */
  chunks: number | null
}

/** Cached vectors of an embedding server. */
export interface EmbeddingsTable {
  /** The embedder's id: model and dimension. */
  model: string
  /** SHA-256 of the text. */
  hash: string
  /** 32-bit numbers in base64. */
  vector: string
  used_at: string
}

/** Blobs that may have no row that refers to them. */
export interface NotedBlobsTable {
  owner: string
  sha256: string
  noted_at: string
  /** Start of a running removal. */
  removing_at: string | null
}

export interface OcrPagesTable {
  job_id: string
  /** In an archive or a mail: the name of the file within; otherwise empty. */
  part: string
  page: number
  /** Number of attempts. */
  attempts: number
  /** JSON of the OCR result; null until it is read. */
  read: string | null
}

export interface KnowledgeSourcesTable {
  agent_id: string
  id: string
  description: string
  /** `config`: named by the agent's description, and deleted with it. */
  origin: 'config' | 'api'
  /** Hash of the content and the embedding model, to detect changes. */
  content_hash: string
  /** The job that ingests the content of that hash. */
  job_id: string | null
  created_at: string
}

/** The recalled passages of a turn: the same in every step and attempt. */
export interface RecallsTable {
  turn_id: string
  passages: string
  created_at: string
}

/** An MCP server of an agent, and the state of its connection. */
export interface McpServersTable {
  agent_id: string
  name: string
  /** `config`: named by the agent's description, and deleted with it. */
  origin: 'config' | 'api'
  /** McpServer without credentials. */
  config: string
  /** Increases when the configuration or a credential changes. */
  revision: number
  state: McpServerState
  /** The task queue of the worker that owns the server. */
  worker: string | null
  /** Increases with every change of owner; writes of a previous owner are refused. */
  epoch: Generated<number>
  pid: number | null
  session_id: string | null
  connected_at: string | null
  last_activity_at: string | null
  active_requests: Generated<number>
  reconnects: Generated<number>
  last_error: string | null
  stderr_tail: string | null
  /** When a start was requested over the API; null once the server has been started. */
  wanted_at: string | null
  /** The version of muxi that listed its tools last; null while those of this configuration are unknown. */
  listed_by: string | null
  /** string[]: what that list has lost, or what was ignored in it. */
  warnings: string | null
  created_at: string
}

/** A tool as its server listed it last. */
export interface McpToolsTable {
  agent_id: string
  server: string
  tool: string
  /** The name for models: valid for every provider, unique within the agent. */
  name: string
  position: number
  description: string
  parameters: string
  /** JSON object of the server's annotations. */
  annotations: string
  /** Of description and parameters; `approved_hash` is the hash at the time the server was configured. */
  hash: string
  approved_hash: string
  /** 0 when the server no longer lists it. */
  listed: number
  /** JSON: why models do not take it, by the key of the model. */
  refused: string | null
}

/** Workers that own MCP servers, by their task queue, with the time of their last lease heartbeat. */
export interface McpWorkersTable {
  id: string
  seen_at: string
}

/** An approval that a turn waits for. The row is authoritative: workflows are only signalled that it has changed. */
export interface ApprovalsTable {
  id: string
  turn_id: string
  /** The tool call that waits. */
  call_id: string
  /** The key of the approval within the call: a request by another attempt is the same row. */
  place: string
  user_id: string
  agent_id: string
  kind: ApprovalKind
  name: string
  server: string
  /** JSON: the displayed arguments. */
  parameters: string | null
  /** The hash of the displayed tool; the approval is valid only for this hash. */
  tool_hash: string | null
  /** 1 when the tool has changed since its server was configured. */
  drifted: Generated<number>
  /** JSON Schema of the answer. */
  schema: string | null
  url: string | null
  message: string | null
  /** `cancelled`: the decision is no longer needed. */
  status: 'waiting' | 'decided' | 'cancelled'
  decision: ApprovalDecision | null
  /** JSON: the changed arguments. */
  arguments: string | null
  /** JSON. */
  answer: string | null
  reason: string | null
  /** The key. */
  decided_by: string | null
  created_at: string
  decided_at: string | null
  /** When the waiting call has read the decision; until then the signal is sent again. */
  taken_at: string | null
}

/** The OAuth client registration for the authorization server of an MCP server. */
export interface McpClientsTable {
  agent_id: string
  server: string
  /** KnownClient, encrypted. */
  sealed: string
}

/** The tokens of one user for one MCP server; those of user '' are for the connection that lists its tools. */
export interface McpGrantsTable {
  agent_id: string
  server: string
  user_id: string
  /** Grant, encrypted. */
  sealed: string
  /** Increases with every change. */
  version: number
  /** Holder and end of the refresh lease. */
  renewer: string | null
  renewer_until: string | null
  updated_at: string
}

/** A pending sign-in at an MCP server, for a call or (turn and call are '', user is '') for its connection. */
export interface McpSignInsTable {
  /** Secret: it authorizes the sign-in. */
  id: string
  agent_id: string
  server: string
  user_id: string
  turn_id: string
  call_id: string
  /** Number of requests. */
  asked: number
  /** SignInPlan, encrypted. */
  sealed: string
  status: 'waiting' | 'done'
  /** Of the newest authorization attempt. */
  state_hash: string | null
  /** Its PKCE verifier and browser binding, encrypted. */
  attempt: string | null
  attempt_until: string | null
  created_at: string
}

/** A set of comparable vectors: one model, one dimension. */
export interface CollectionsTable {
  id: string
  model: string
  dimension: number
  created_at: string
}

/** A document in the index. `generation` is the published one; null before the first. */
export interface DocumentsTable {
  id: string
  agent_id: string
  /** Empty for an agent's knowledge, otherwise the only conversation that may read it. */
  scope: string
  knowledge_id: string | null
  generation: number | null
  created_at: string
}

/** A passage; its vector and full text are in dialect-specific tables, under the same id. */
export interface ChunksTable {
  id: Generated<number>
  document_id: string
  generation: number
  position: number
  collection_id: string
  page: number
  heading: string | null
  content: string
}

export interface EngineStateTable {
  name: 'turn_engine'
  value: string
}
