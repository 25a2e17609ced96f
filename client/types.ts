// What requests take and what answers hold, from the schemas of the server.
import type { Static } from '@sinclair/typebox'
import type * as agentConversations from '../contracts/schemas/agent-conversations.ts'
import type * as agentImports from '../contracts/schemas/agent-import.ts'
import type * as agentViews from '../contracts/schemas/agent-views.ts'
import type * as agents from '../contracts/schemas/agent.ts'
import type * as approvals from '../contracts/schemas/approvals.ts'
import type * as audio from '../contracts/schemas/audio.ts'
import type * as budgets from '../contracts/schemas/budgets.ts'
import type * as chat from '../contracts/schemas/chat.ts'
import type * as conversations from '../contracts/schemas/conversations.ts'
import type * as files from '../contracts/schemas/files.ts'
import type * as jobViews from '../contracts/schemas/job-views.ts'
import type * as jobs from '../contracts/schemas/jobs.ts'
import type * as keys from '../contracts/schemas/keys.ts'
import type * as knowledge from '../contracts/schemas/knowledge.ts'
import type * as logs from '../contracts/schemas/logs.ts'
import type * as mcpServers from '../contracts/schemas/mcp-server.ts'
import type * as mcpViews from '../contracts/schemas/mcp-views.ts'
import type * as openaiChat from '../contracts/schemas/openai-chat.ts'
import type * as openai from '../contracts/schemas/openai-replies.ts'
import type * as openaiRequests from '../contracts/schemas/openai-requests.ts'
import type * as search from '../contracts/schemas/search.ts'
import type * as spending from '../contracts/schemas/spending.ts'
import type * as systemUsage from '../contracts/schemas/system-usage.ts'
import type * as system from '../contracts/schemas/system.ts'
import type * as turns from '../contracts/schemas/turns.ts'
import type * as uiStream from '../contracts/schemas/ui-stream.ts'

export type { JobProgress, JobResult, TurnEventData, Usage } from '../contracts/events.ts'
import type { ChangeOp, Topic } from '../contracts/feed.ts'
export type { ChangeOp, Topic }

/** A page of a list: the array, and where the next page is. */
export type PageOf<Name extends string, Item> = { [key in Name]: Item[] } & {
  has_more: boolean
  /** The `cursor` of the next page. */
  next_cursor: string | null
}

export interface PageQuery {
  /** 1 to 100; default 20. */
  limit?: number
  /** `next_cursor` of the page before. */
  cursor?: string
}

export interface UserQuery {
  /** Default: the user of the key, or `default`. */
  user_id?: string
}

export type AgentBrief = Static<typeof agentViews.AgentBriefSchema>
export type Agent = Static<typeof agentViews.AgentViewSchema>
/** An agent as it is written, also in agent files. */
export type AgentConfig = Static<typeof agents.AgentSchema>
/** A merge patch: objects are merged, null removes an optional part, lists are replaced as a whole. */
export type AgentPatch = PatchOf<Omit<AgentConfig, 'id' | 'name' | 'knowledge'>> & { id?: string; name?: string }
type PatchOf<T> = {
  [K in keyof T]?: undefined extends T[K] ? Patched<Exclude<T[K], undefined>> | null : Patched<T[K]>
}
type Patched<T> = [T] extends [readonly unknown[]] ? T : [T] extends [object] ? PatchOf<T> : T
export type AgentImport = Static<typeof agentImports.AgentImportSchema>
export type AgentCreated = Static<typeof agentViews.AgentCreatedSchema>
export type AgentUpdated = Static<typeof agentViews.AgentUpdatedSchema>
export type AgentDeleted = Static<typeof agentViews.AgentDeletedSchema>
export type AgentImported = Static<typeof agentViews.AgentImportedSchema>

export type Attachment = Static<typeof chat.AttachmentSchema>
export type ChatRequest = chat.ChatRequest
export type Reply = Static<typeof turns.ReplySchema>
export type Receipt = Static<typeof turns.ReceiptSchema>

export type TurnStatus = Static<typeof turns.TurnStatusSchema>
export type TurnBrief = Static<typeof turns.TurnBriefSchema>
export type TurnRecord = Static<typeof turns.TurnSchema>
export type TurnLog = Static<typeof turns.TurnLogSchema>
/** An entry of the execution log of a turn. */
export type TurnLogEntry = Static<typeof turns.LogEntrySchema>
/** An entry of the execution log of all turns. */
export type ExecutionLogEntry = Static<typeof logs.TurnLogEntrySchema>
export type LogQuery = Static<typeof logs.LogFilterSchema>
export interface TurnQuery extends PageQuery, UserQuery {
  status?: TurnStatus
  agent_id?: string
}

export type Approval = Static<typeof turns.ApprovalSchema>
export type Decision = Static<typeof approvals.DecisionSchema>
export interface ApprovalQuery extends PageQuery, UserQuery {
  status?: Static<typeof approvals.ApprovalStatusSchema>
  agent_id?: string
}

export type Conversation = Static<typeof conversations.ConversationSchema>
export type NewConversation = Static<typeof conversations.NewConversationSchema>
export type ConversationChange = Static<typeof conversations.ConversationChangeSchema>
export type DeletedConversation = Static<typeof conversations.DeletedConversationSchema>
export type ConversationExport = Static<typeof conversations.ConversationExportSchema>
export type StoredMessage = Static<typeof conversations.MessageSchema>
export type MessagePage = Static<typeof conversations.MessagePageSchema>
export interface ConversationQuery extends PageQuery, UserQuery {
  agent_id?: string
  external_id?: string
  archived?: 'true' | 'false'
}
export interface MessageQuery extends PageQuery {
  after?: string
  around?: string
  include?: 'turns'
}
export type Exchange = Static<typeof agentConversations.ExchangeSchema>
export type Exchanges = Static<typeof agentConversations.ExchangesSchema>
export type ClearedConversations = Static<typeof agentConversations.ClearedConversationsSchema>
export interface ExchangeQuery extends UserQuery {
  conversation_id?: string
  limit?: number
  before?: string
}

export type KnowledgeSources = Static<typeof knowledge.KnowledgeSourcesSchema>
export type KnowledgeSource = KnowledgeSources['knowledge_sources'][number]
export type NewKnowledge = jobs.KnowledgeRequest
export type AddedKnowledge =
  | Static<ReturnType<typeof knowledge.addedSource<'added'>>>
  | Static<ReturnType<typeof knowledge.addedSource<'queued'>>>
export type RemovedKnowledge = Static<typeof knowledge.RemovedSourceSchema>
export type KnowledgeResults = Static<typeof knowledge.KnowledgeResultsSchema>
export interface KnowledgeQuery {
  query: string
  top_k?: number
  threshold?: number
}

export type Memory = Static<typeof knowledge.MemorySchema>
export type MemoryResults = Static<typeof knowledge.MemoryResultsSchema>
export type ClearedMemory = Static<typeof knowledge.ClearedMemorySchema>
export interface MemoryQuery extends UserQuery {
  query: string
  limit?: number
}

export type KnowledgeChange = Static<typeof knowledge.KnowledgeChangeSchema>
export type ContextMemory = Static<typeof knowledge.ContextMemorySchema>
export type Provenance = Static<typeof knowledge.ProvenanceSchema>
export type AddedFields = Static<typeof knowledge.AddedFieldsSchema>
export type UpdatedFields = Static<typeof knowledge.UpdatedFieldsSchema>
export type DeletedFields = Static<typeof knowledge.DeletedFieldsSchema>
export type ForgottenUser = Static<typeof knowledge.ForgottenUserSchema>
export type UserExport = Static<typeof knowledge.UserExportSchema>

export type StoredFile = Static<typeof files.FileSchema>
export type DeletedFile = Static<typeof files.DeletedFileSchema>
/** How far an upload is. */
export type UploadState = Static<typeof files.UploadSchema>

export type Job = Static<typeof jobViews.JobSchema>
export type JobRequest = jobs.JobRequest
export type JobText = Static<typeof jobViews.JobTextSchema>
export interface JobQuery extends PageQuery, UserQuery {
  status?: Job['status']
  kind?: Job['kind']
}

export type McpServerConfig = mcpServers.McpServer
export type McpServers = Static<typeof mcpViews.McpServersSchema>
export type McpServer = Static<typeof mcpViews.McpServerViewSchema>
export type AddedMcpServer = Static<typeof mcpViews.AddedMcpServerSchema>
export type RemovedMcpServer = Static<typeof mcpViews.RemovedMcpServerSchema>

export type Key = Static<typeof keys.KeySchema>
export type NewKey = Static<typeof keys.NewKeySchema>
export type CreatedKey = Static<typeof keys.CreatedKeySchema>
export type Rotation = Static<typeof keys.RotationSchema>
export type RotatedKey = Static<typeof keys.RotatedKeySchema>
export type DeletedKey = Static<typeof keys.DeletedKeySchema>
export type OwnKey = Static<typeof keys.OwnKeySchema>
export type Ticket = Static<typeof keys.TicketSchema>
export type AuditEntry = Static<typeof keys.AuditEntrySchema>
export interface AuditQuery extends PageQuery {
  key_id?: string
  refused?: 'true'
  since?: string
}

export type Budget = Static<typeof budgets.BudgetViewSchema>
export type BudgetLimits = Static<typeof budgets.BudgetSchema>
export type DeletedBudget = Static<typeof budgets.DeletedBudgetSchema>
export type Spending = Static<typeof spending.SpendingSchema>
export type SpendingQuery = spending.SpendingQuery

export type SearchQuery = Static<typeof search.SearchQuerySchema>
export type SearchResults = Static<typeof search.SearchResultsSchema>

export type Health = Static<typeof system.HealthSchema>
export type Readiness = Static<typeof system.ReadinessSchema>
export type SystemStatus = Static<typeof system.SystemStatusSchema>
export type SystemUsage = Static<typeof systemUsage.SystemUsageSchema>

export type SpeechRequest = audio.SpeechRequest
/** A passage of speech; subtitles come as text. */
export type Transcription = Static<typeof audio.TranscriptionSchema> | Static<typeof audio.VerboseTranscriptionSchema>
export interface TranscriptionOptions {
  user_id?: string
  /** Two letters, such as `en`. */
  language?: string
  denoise?: 'true' | 'false'
  response_format?: 'json' | 'text' | 'verbose_json' | 'srt' | 'vtt'
}

interface Items {
  agents: AgentBrief
  approvals: Approval
  conversations: Conversation
  jobs: Job
  turns: TurnBrief
}

/** A change of a list; `item` is null when it was deleted. */
export type Change = {
  [T in Topic]: { topic: T; id: string; op: ChangeOp; item: Items[T] | null }
}[Topic]

export type ModelList = Static<typeof openai.ModelListSchema>
export type Model = Static<typeof openai.ModelViewSchema>
export type Completion = Static<typeof openai.CompletionSchema>
export type CompletionRequest = openaiChat.ChatCompletionRequest
export type Embeddings = Static<typeof openai.EmbeddingsSchema>
export type EmbeddingRequest = openaiRequests.EmbeddingRequest
export type OpenaiSpeechRequest = openaiRequests.OpenaiSpeechRequest
export type UiChatRequest = uiStream.UiChatRequest
