// The tables, as Kysely sees them. Times are ISO-8601 UTC text and structured values JSON text, the same on every dialect.
import type { Generated, Kysely, Transaction } from 'kysely'
import type {
  ApprovalDecision,
  ApprovalKind,
  JobKind,
  JobStage,
  JobStatus,
  McpServerState,
  OnBusy,
  TurnStatus,
} from '../contracts/engine.ts'
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
  /** Name of the file that defines it, when `source` is `file`. */
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

/** Encrypted values; `name` says what for, e.g. `agent/<id>/<version>/model.api_key`. */
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
  /** `<user>/<agent>` for the conversation that a message without one goes to; unique. */
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
  /** Unset until the message is accepted: a turn that waits at once, an active one when Temporal has its workflow. */
  accepted_at: string | null
  /** Unset while the turn waits for others of its conversation. At most one active turn is unfinished. */
  activated_at: string | null
  started_at: string | null
  /** Names the first claim, and whether that has accepted the turn: what a claim itself reads. */
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
  /** Of the turn, file or job that the request has made. */
  result_id: string
  created_at: string
}

/** What a model said in one step of a turn, once it is known whole. */
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

/** One row a request to a model, written before it is sent. */
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
  /** The provider's own id of the call, given back to it with the result. */
  provider_call_id: string
  /** As the model wrote them, maybe not JSON; or as who allowed the call changed them. */
  arguments: string
  /** `started` is the ledger row: it is written just before the call, and not again while it stands. */
  status: 'planned' | 'started' | 'done' | 'error' | 'invalid' | 'unknown' | 'cancelled'
  output: string | null
  started_at: string | null
  finished_at: string | null
  /** What the MCP server that has the tool calls it; null for a tool of our own. */
  tool: string | null
  /** JSON array of the pictures in the result: `{media_type, sha256}`, blobs of the turn's user. */
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

/** A run of events committed together; `events` is a JSON array of `[type, data]`. */
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
  /** The key that this one is an older secret of, living on for the grace of a rotation. */
  alias_of: string | null
  /** JSON array of CIDR blocks, or null for everywhere. */
  networks: string | null
  created_at: string
  expires_at: string | null
}

/** Single-use tickets that open one WebSocket or one Temporal UI session in place of a key. */
export interface TicketsTable {
  hash: string
  /** Of the secret that the ticket was made with: it opens nothing after that. */
  key_hash: string
  expires_at: string
}

/** An uploaded file; its bytes are the blob of (user, sha256). */
export interface FilesTable {
  id: string
  /** A person, or `agent/<id>` for what belongs to an agent. */
  user_id: string
  key_id: string | null
  name: string
  type: string
  size: number
  sha256: string
  /** The file that this one was made of, and goes with. */
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
  /** Of the file, as it was: the file may be deleted when the job is done. */
  name: string
  sha256: string
  /** Whose knowledge it becomes, or whose conversation it belongs to; without one nothing is indexed. */
  agent_id: string | null
  knowledge_id: string | null
  conversation_id: string | null
  /** The turn that it is part of. */
  turn_id: string | null
  document_id: string
  /** Under which its chunks are hidden until it is published; ascending within a document. */
  generation: number
  /** The collection that the chunks go into, known when the first are written. */
  collection: string | null
  options: string
  /** Of a picture or recording: what is known of it and the files that were made of it, when it is prepared. */
  media: string | null
  /** Ascends with every retry; what an older run still does is refused. */
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

/** Some pages of a job's document, or a piece of its recording, read once. */
export interface JobBatchesTable {
  job_id: string
  batch: number
  from_page: number
  to_page: number
  /** Of a recording, in milliseconds. */
  from_ms: number | null
  to_ms: number | null
  /** How often parsing was begun. */
  parses: number
  /** JSON array of `{page, text}`, when parsed. */
  pages: string | null
  /** How many chunks of it are in the index, when they all are. */
  chunks: number | null
}

/** A part of a job's summary: a piece of its text at level 1, some parts of the level before at the others, the whole at the last. */
export interface JobSummariesTable {
  job_id: string
  level: number
  part: number
  /** Of level 1: the batches that the piece is in, and its place in their text. */
  from_batch: number | null
  to_batch: number | null
  from_char: number | null
  to_char: number | null
  text: string | null
  /** Of the whole: how many chunks of it are in the index. */
  chunks: number | null
}

/** Vectors that were asked of a server. */
export interface EmbeddingsTable {
  /** With its dimension, as embedders name themselves. */
  model: string
  /** SHA-256 of the text. */
  hash: string
  /** 32-bit numbers in base64. */
  vector: string
  used_at: string
}

/** Bytes that may have no row that refers to them. */
export interface NotedBlobsTable {
  owner: string
  sha256: string
  noted_at: string
  /** Since when somebody removes them. */
  removing_at: string | null
}

export interface OcrPagesTable {
  job_id: string
  /** Of an archive or a letter: the name of the file within; else empty. */
  part: string
  page: number
  /** How often reading it was begun. */
  attempts: number
  /** JSON of what was read; null while it is not. */
  read: string | null
}

export interface KnowledgeSourcesTable {
  agent_id: string
  id: string
  description: string
  /** `config`: named by the agent's own description, and gone with it. */
  origin: 'config' | 'api'
  /** Of the content and the embedding model, by which a change is noticed. */
  content_hash: string
  /** The job that ingests the content of that hash. */
  job_id: string | null
  created_at: string
}

/** The passages that a turn found before its first model call: the same in every step and attempt. */
export interface RecallsTable {
  turn_id: string
  passages: string
  created_at: string
}

/** An MCP server of an agent, and how its one connection is doing. */
export interface McpServersTable {
  agent_id: string
  name: string
  /** `config`: named by the agent's own description, and gone with it. */
  origin: 'config' | 'api'
  /** McpServer without credentials. */
  config: string
  /** Ascends when the configuration or a credential changes. */
  revision: number
  state: McpServerState
  /** The task queue of the worker that holds the connection, or tries to. */
  worker: string | null
  /** Ascends with every worker that takes the server; what an older one still writes is refused. */
  epoch: Generated<number>
  pid: number | null
  session_id: string | null
  connected_at: string | null
  last_activity_at: string | null
  active_requests: Generated<number>
  reconnects: Generated<number>
  last_error: string | null
  stderr_tail: string | null
  /** When a start was asked for over the API; null once the server has been started. */
  wanted_at: string | null
  /** The version of muxi that listed its tools last; null while those of this configuration are unknown. */
  listed_by: string | null
  created_at: string
}

/** A tool as its server listed it last. */
export interface McpToolsTable {
  agent_id: string
  server: string
  tool: string
  /** What models call it: legal for every provider, unique for the agent. */
  name: string
  position: number
  description: string
  parameters: string
  /** JSON object: what the server says of it. */
  annotations: string
  /** Of description and parameters; `approved_hash` is the one that was there when the server was configured. */
  hash: string
  approved_hash: string
  /** 0 when the server has it no more. */
  listed: number
}

/** Workers that hold connections to MCP servers, by their task queue, and when they last said so. */
export interface McpWorkersTable {
  id: string
  seen_at: string
}

/** Something that a turn waits for a person to decide. The row is the truth: workflows are only told that it has changed. */
export interface ApprovalsTable {
  id: string
  turn_id: string
  /** The tool call that waits. */
  call_id: string
  /** What of the call asks, unique in the call: asked again by another attempt, it is the same row. */
  place: string
  user_id: string
  agent_id: string
  kind: ApprovalKind
  name: string
  server: string
  /** JSON: the arguments that were shown. */
  parameters: string | null
  /** The hash of the tool as it was shown; an approval of another is none. */
  tool_hash: string | null
  /** 1 when the tool is no longer what it was when its server was configured. */
  drifted: Generated<number>
  /** JSON Schema of the answer. */
  schema: string | null
  url: string | null
  message: string | null
  /** `cancelled`: nobody waits for a decision any more. */
  status: 'waiting' | 'decided' | 'cancelled'
  decision: ApprovalDecision | null
  /** JSON: the arguments as they were changed. */
  arguments: string | null
  /** JSON. */
  answer: string | null
  reason: string | null
  /** The key. */
  decided_by: string | null
  created_at: string
  decided_at: string | null
  /** When who waited has read the decision; until then it is told again. */
  taken_at: string | null
}

/** How we are known to the authorization server of an MCP server. */
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
  /** Ascends with every change. */
  version: number
  /** Who is renewing them, and until when that is believed. */
  renewer: string | null
  renewer_until: string | null
  updated_at: string
}

/** Somebody who is asked to sign in at an MCP server, for a call or (turn and call are '', user is '') for its connection. */
export interface McpSignInsTable {
  /** Secret: whoever has it may sign in here. */
  id: string
  agent_id: string
  server: string
  user_id: string
  turn_id: string
  call_id: string
  /** How often it was asked for. */
  asked: number
  /** SignInPlan, encrypted. */
  sealed: string
  status: 'waiting' | 'done'
  /** Of the visit that is under way at the authorization server: the newest alone. */
  state_hash: string | null
  /** Its proof and its browser, encrypted. */
  attempt: string | null
  attempt_until: string | null
  created_at: string
}

/** A space of vectors that can be compared: one model, one dimension. */
export interface CollectionsTable {
  id: string
  model: string
  dimension: number
  created_at: string
}

/** A document in the index. `generation` is what searches see of it; null while nothing is published. */
export interface DocumentsTable {
  id: string
  agent_id: string
  /** Empty for an agent's knowledge, else the conversation that alone may see it. */
  scope: string
  knowledge_id: string | null
  generation: number | null
  created_at: string
}

/** A passage; its vector and its words are in tables of their dialect, under the same id. */
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
