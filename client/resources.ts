// Every operation of the API but those with bodies of their own: chats and uploads.
import { type Call, type ListCall, op, type RawCall } from './operations.ts'
import type * as t from './types.ts'

type Listed<Name extends string, Item, Q = t.PageQuery> = ListCall<[query?: Q], Item, t.PageOf<Name, Item>>

export const AGENTS = {
  list: op<Listed<'agents', t.AgentBrief>>('GET /agents ? agents'),
  get: op<Call<[id: string], t.Agent>>('GET /agents/{id}'),
  create: op<Call<[agent: t.AgentConfig], t.AgentCreated>>('POST /agents ='),
  update: op<Call<[id: string, change: t.AgentPatch], t.AgentUpdated>>('PATCH /agents/{id} ='),
  delete: op<Call<[id: string], t.AgentDeleted>>('DELETE /agents/{id}'),
  import: op<Call<[agent: t.AgentImport], t.AgentImported>>('POST /agents/import ='),
  /** As JSON; as YAML with the header `accept: application/yaml`. */
  export: op<Call<[id: string], t.AgentConfig | string>>('GET /agents/{id}/export'),
  /** What a user and an agent have said to each other, newest first. */
  exchanges: op<ListCall<[id: string, query?: t.ExchangeQuery], t.Exchange, t.Exchanges>>(
    'GET /agents/{id}/conversations ?< messages',
  ),
  clearExchanges: op<Call<[id: string, query?: t.UserQuery], t.ClearedConversations>>(
    'DELETE /agents/{id}/conversations ?',
  ),
}

export const CONVERSATIONS = {
  create: op<Call<[conversation?: t.NewConversation], t.Conversation>>('POST /conversations ='),
  list: op<Listed<'conversations', t.Conversation, t.ConversationQuery>>('GET /conversations ? conversations'),
  get: op<Call<[id: string], t.Conversation>>('GET /conversations/{id}'),
  update: op<Call<[id: string, change: t.ConversationChange], t.Conversation>>('PATCH /conversations/{id} ='),
  delete: op<Call<[id: string], t.DeletedConversation>>('DELETE /conversations/{id}'),
  /** Newest first. */
  messages: op<ListCall<[id: string, query?: t.MessageQuery], t.StoredMessage, t.MessagePage>>(
    'GET /conversations/{id}/messages ? messages',
  ),
  /** As text with `format: 'md'`. */
  export: op<Call<[id: string, query?: { format?: 'md' | 'json' }], t.ConversationExport | string>>(
    'GET /conversations/{id}/export ?',
  ),
}

export const TURNS = {
  list: op<Listed<'turns', t.TurnBrief, t.TurnQuery>>('GET /turns ? turns'),
  get: op<Call<[id: string], t.TurnRecord>>('GET /turns/{id}'),
  /** Ends a turn, queued or running. */
  cancel: op<Call<[id: string], t.TurnRecord>>('POST /turns/{id}/cancel'),
  /** What the turn did: model calls, tool calls, and so on. */
  log: op<Call<[id: string], t.TurnLog>>('GET /turns/{id}/log'),
}

export const APPROVALS = {
  list: op<Listed<'approvals', t.Approval, t.ApprovalQuery>>('GET /approvals ? approvals'),
  decide: op<Call<[turnId: string, id: string, decision: t.Decision], t.Approval>>(
    'POST /turns/{turnId}/approvals/{id} =',
  ),
}

export const JOBS = {
  create: op<Call<[job: t.JobRequest], t.Job>>('POST /jobs =!'),
  list: op<Listed<'jobs', t.Job, t.JobQuery>>('GET /jobs ? jobs'),
  get: op<Call<[id: string], t.Job>>('GET /jobs/{id}'),
  cancel: op<Call<[id: string], t.Job>>('POST /jobs/{id}/cancel'),
  retry: op<Call<[id: string], t.Job>>('POST /jobs/{id}/retry'),
  /** What was extracted: text, or pages with `format: 'json'`. */
  text: op<Call<[id: string, query?: { format?: 'md' | 'txt' | 'json' }], string | t.JobText>>('GET /jobs/{id}/text ?'),
}

export const FILES = {
  list: op<Listed<'files', t.StoredFile, t.PageQuery & t.UserQuery>>('GET /files ? files'),
  get: op<Call<[id: string], t.StoredFile>>('GET /files/{id}'),
  /** The bytes; a part of them with the header `range`. */
  content: op<RawCall<[id: string]>>('GET /files/{id}/content ~'),
  delete: op<Call<[id: string], t.DeletedFile>>('DELETE /files/{id}'),
  /** How far a large upload is. */
  getUpload: op<Call<[id: string], t.UploadState>>('GET /files/uploads/{id}'),
  /** Ends a large upload, and removes what has arrived. */
  deleteUpload: op<RawCall<[id: string]>>('DELETE /files/uploads/{id} t~'),
}

export const KNOWLEDGE = {
  list: op<ListCall<[agentId: string, query?: t.PageQuery], t.KnowledgeSource, t.KnowledgeSources>>(
    'GET /agents/{agentId}/knowledge ? knowledge_sources',
  ),
  add: op<Call<[agentId: string, source: t.NewKnowledge], t.AddedKnowledge>>('POST /agents/{agentId}/knowledge ='),
  remove: op<Call<[agentId: string, id: string], t.RemovedKnowledge>>('DELETE /agents/{agentId}/knowledge/{id}'),
  search: op<Call<[agentId: string, query: t.KnowledgeQuery], t.KnowledgeResults>>(
    'GET /agents/{agentId}/knowledge/search ?',
  ),
}

export const MEMORY = {
  list: op<ListCall<[agentId: string, query?: t.PageQuery & t.UserQuery], t.Memory, t.PageOf<'memories', t.Memory>>>(
    'GET /agents/{agentId}/memory ? memories',
  ),
  search: op<Call<[agentId: string, query: t.MemoryQuery], t.MemoryResults>>('GET /agents/{agentId}/memory/search ?'),
  clear: op<Call<[agentId: string, query?: t.UserQuery], t.ClearedMemory>>('DELETE /agents/{agentId}/memory ?'),
}

export const USERS = {
  addContext: op<Call<[userId: string, change: t.KnowledgeChange], t.AddedFields>>(
    'POST /users/{userId}/context_memory =',
  ),
  getContext: op<Call<[userId: string], t.ContextMemory>>('GET /users/{userId}/context_memory'),
  updateContext: op<Call<[userId: string, change: t.KnowledgeChange], t.UpdatedFields>>(
    'PATCH /users/{userId}/context_memory =',
  ),
  /** @param query.fields a comma list of dotted paths; all when left out */
  deleteContext: op<Call<[userId: string, query?: { fields?: string }], t.DeletedFields>>(
    'DELETE /users/{userId}/context_memory ?',
  ),
  /** Which message each field came from. */
  provenance: op<Call<[userId: string], t.Provenance>>('GET /users/{userId}/context_memory/provenance'),
  export: op<Call<[userId: string], t.UserExport>>('GET /users/{userId}/export'),
  /** Forgets the user everywhere. */
  delete: op<Call<[userId: string], t.ForgottenUser>>('DELETE /users/{userId}'),
}

export const KEYS = {
  list: op<Listed<'keys', t.Key>>('GET /keys ? keys'),
  create: op<Call<[key: t.NewKey], t.CreatedKey>>('POST /keys ='),
  rotate: op<Call<[id: string, rotation?: t.Rotation], t.RotatedKey>>('POST /keys/{id}/rotate ='),
  delete: op<Call<[id: string], t.DeletedKey>>('DELETE /keys/{id}'),
  /** The key of this client. */
  own: op<Call<[], t.OwnKey>>('GET /key'),
  /** A single-use ticket for a WebSocket. */
  createTicket: op<Call<[], t.Ticket>>('POST /ws/tickets'),
}

export const MCP_SERVERS = {
  list: op<ListCall<[agentId: string, query?: t.PageQuery], t.McpServers['mcp_servers'][number], t.McpServers>>(
    'GET /agents/{agentId}/mcp_servers ? mcp_servers',
  ),
  add: op<Call<[agentId: string, server: t.McpServerConfig], t.AddedMcpServer>>('POST /agents/{agentId}/mcp_servers ='),
  get: op<Call<[agentId: string, name: string], t.McpServer>>('GET /agents/{agentId}/mcp_servers/{name}'),
  remove: op<Call<[agentId: string, name: string], t.RemovedMcpServer>>('DELETE /agents/{agentId}/mcp_servers/{name}'),
}

export const AUDIT = { list: op<Listed<'entries', t.AuditEntry, t.AuditQuery>>('GET /audit ? entries') }

export const LOGS = { list: op<Listed<'entries', t.ExecutionLogEntry, t.LogQuery>>('GET /logs ? entries') }

export const BUDGETS = {
  ofKey: op<Call<[keyId: string], t.Budget>>('GET /keys/{keyId}/budget'),
  setOfKey: op<Call<[keyId: string, limits: t.BudgetLimits], t.Budget>>('PUT /keys/{keyId}/budget ='),
  deleteOfKey: op<Call<[keyId: string], t.DeletedBudget>>('DELETE /keys/{keyId}/budget'),
  ofUser: op<Call<[userId: string], t.Budget>>('GET /users/{userId}/budget'),
  setOfUser: op<Call<[userId: string, limits: t.BudgetLimits], t.Budget>>('PUT /users/{userId}/budget ='),
  deleteOfUser: op<Call<[userId: string], t.DeletedBudget>>('DELETE /users/{userId}/budget'),
  /** What was spent, by day, user, agent, model or key. */
  usage: op<ListCall<[query?: t.SpendingQuery], t.Spending['usage'][number], t.Spending>>('GET /usage ? usage'),
}

export const SYSTEM = {
  health: op<Call<[], t.Health>>('GET healthz'),
  readiness: op<Call<[], t.Readiness>>('GET readyz'),
  status: op<Call<[], t.SystemStatus>>('GET /system/status'),
  usage: op<Call<[query?: { period?: t.SystemUsage['period'] }], t.SystemUsage>>('GET /system/usage ?'),
  /** Of the process that answers, in the text format of Prometheus. */
  metrics: op<Call<[], string>>('GET metrics'),
}

export const AUDIO = {
  /** The sound. */
  speak: op<RawCall<[request: t.SpeechRequest]>>('POST /audio/speech =~'),
}

/** Full text and meaning, over the messages that the key may read. */
export const SEARCH = op<Call<[query: t.SearchQuery], t.SearchResults>>('GET /search ?')

/** The interface that is compatible with OpenAI's. Its errors have the same classes. */
export const OPENAI = {
  models: op<Call<[], t.ModelList>>('GET v1/models'),
  model: op<Call<[id: string], t.Model>>('GET v1/models/{id}'),
  complete: op<Call<[request: t.CompletionRequest], t.Completion>>('POST v1/chat/completions =!'),
  /** Server-sent events, when the request says `stream: true`. */
  stream: op<RawCall<[request: t.CompletionRequest]>>('POST v1/chat/completions =!~'),
  embed: op<Call<[request: t.EmbeddingRequest], t.Embeddings>>('POST v1/embeddings ='),
  /** @param form the field `file`, and those of OpenAI's request */
  transcribe: op<Call<[form: FormData], { text: string } | string>>('POST v1/audio/transcriptions f'),
  speak: op<RawCall<[request: t.OpenaiSpeechRequest]>>('POST v1/audio/speech =~'),
}

/** The Model Context Protocol, where each agent is a tool. */
export const MCP = {
  send: op<RawCall<[message: object]>>('POST mcp =~'),
  listen: op<RawCall<[]>>('GET mcp ~'),
}

/** The UI message stream of the `ai` package; `@muxi/client/use-chat` needs none of it. */
export const UI = {
  chat: op<RawCall<[request: t.UiChatRequest]>>('POST /chat/ui =~'),
  chatWith: op<RawCall<[agentId: string, request: t.UiChatRequest]>>('POST /agents/{agentId}/chat/ui =~'),
  resume: op<RawCall<[chatId: string, query?: t.UserQuery]>>('GET /chat/ui/{chatId}/stream ?~'),
  resumeWith: op<RawCall<[agentId: string, chatId: string, query?: t.UserQuery]>>(
    'GET /agents/{agentId}/chat/ui/{chatId}/stream ?~',
  ),
}
