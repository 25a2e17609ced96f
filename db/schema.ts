// The database as Kysely types; its tables by subject stand in tables/. Times are ISO-8601 UTC text and structured values JSON text, the same on every dialect.
import type { Kysely, Transaction } from 'kysely'
import type { AgentsTable, AgentVersionsTable, RoutingDecisionsTable } from './tables/agents.ts'
import type { ChangesTable } from './tables/changes.ts'
import type { AuditEntriesTable, RequestCountsTable } from './tables/audit.ts'
import type { ApiKeysTable, TicketsTable, IdempotencyKeysTable, RateLimitsTable, SecretsTable } from './tables/keys.ts'
import type {
  ConversationsTable,
  TurnsTable,
  TurnRequestsTable,
  MessagesTable,
  ModelStepsTable,
  ToolCallsTable,
  ApprovalsTable,
  RecallsTable,
  EngineStateTable,
} from './tables/turns.ts'
import type { BudgetsTable, ModelUsageTable, LogEntriesTable, UsageDaysTable } from './tables/log.ts'
import type { EventStreamsTable, EventSegmentsTable, EventFencesTable, EventKeysTable } from './tables/events.ts'
import type { FilesTable, NotedBlobsTable, UploadPiecesTable, UploadsTable } from './tables/files.ts'
import type { JobsTable, JobBatchesTable, OcrPagesTable, JobSummariesTable } from './tables/jobs.ts'
import type {
  KnowledgeSourcesTable,
  CollectionsTable,
  VectorSetsTable,
  DocumentsTable,
  ChunksTable,
  EmbeddingsTable,
} from './tables/knowledge.ts'
import type { MessageBacklogTable, MessageIndexTable } from './tables/message-index.ts'
import type { ContextMemoriesTable, MemoriesTable, MemoryOutboxTable } from './tables/memory.ts'
import type {
  McpServersTable,
  McpToolsTable,
  McpWorkersTable,
  McpClientsTable,
  McpGrantsTable,
  McpSignInsTable,
} from './tables/mcp.ts'

export type * from './tables/agents.ts'
export type * from './tables/audit.ts'
export type * from './tables/changes.ts'
export type * from './tables/keys.ts'
export type * from './tables/turns.ts'
export type * from './tables/log.ts'
export type * from './tables/events.ts'
export type * from './tables/files.ts'
export type * from './tables/jobs.ts'
export type * from './tables/knowledge.ts'
export type * from './tables/memory.ts'
export type * from './tables/message-index.ts'
export type * from './tables/mcp.ts'

export interface DB {
  agents: AgentsTable
  agent_versions: AgentVersionsTable
  routing_decisions: RoutingDecisionsTable
  secrets: SecretsTable
  conversations: ConversationsTable
  turns: TurnsTable
  turn_requests: TurnRequestsTable
  messages: MessagesTable
  message_index: MessageIndexTable
  message_backlog: MessageBacklogTable
  idempotency_keys: IdempotencyKeysTable
  model_steps: ModelStepsTable
  model_usage: ModelUsageTable
  budgets: BudgetsTable
  usage_days: UsageDaysTable
  tool_calls: ToolCallsTable
  log_entries: LogEntriesTable
  event_streams: EventStreamsTable
  event_segments: EventSegmentsTable
  event_fences: EventFencesTable
  event_keys: EventKeysTable
  api_keys: ApiKeysTable
  tickets: TicketsTable
  rate_limits: RateLimitsTable
  audit_entries: AuditEntriesTable
  changes: ChangesTable
  request_counts: RequestCountsTable
  collections: CollectionsTable
  vector_sets: VectorSetsTable
  documents: DocumentsTable
  chunks: ChunksTable
  files: FilesTable
  jobs: JobsTable
  job_batches: JobBatchesTable
  ocr_pages: OcrPagesTable
  noted_blobs: NotedBlobsTable
  uploads: UploadsTable
  upload_pieces: UploadPiecesTable
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
  memories: MemoriesTable
  memory_outbox: MemoryOutboxTable
  context_memories: ContextMemoriesTable
}

/** A connection for reads and single statements. */
export type Db = Kysely<DB>
/** A function that takes this must run inside a transaction. */
export type Tx = Transaction<DB>
