// What agents and their knowledge are made from, and the part of the client that makes them.
import type { ChatOptions, ChatReply } from '../turns/chat.ts'
import type { CallOptions, Http } from '../http.ts'
import type { AGENTS, KNOWLEDGE, MCP_SERVERS, MEMORY } from '../resources.ts'
import type { Turn } from '../turns/turn.ts'
import type { AgentConfig, NewKnowledge, StoredFile } from '../types.ts'
import type { FileInput, UploadOptions } from '../files/uploads.ts'

/** What an agent is to know: a path of this machine or other bytes, a text, or an uploaded file. */
export type KnowledgeInput = {
  /** Default: made of the name or the description. */
  id?: string | undefined
  description?: string | undefined
} & ({ path: string } | { file: FileInput; name?: string | undefined } | { content: string } | { file_id: string })

export interface KnowledgeOptions extends CallOptions {
  /** Answers at once; `job_id` tells when it can be searched. */
  background?: boolean | undefined
}

/** An agent as it is written in files, where sources may be files of this machine. */
export type AgentInput = Omit<AgentConfig, 'knowledge' | 'description'> & {
  /** Default: the beginning of the system message. */
  description?: string | undefined
  knowledge?: readonly (KnowledgeInput | NewKnowledge)[] | undefined
}

/** What is used of a `Muxi`. */
export interface AgentServer {
  readonly http: Http
  readonly agents: typeof AGENTS
  readonly knowledge: typeof KNOWLEDGE
  readonly memory: typeof MEMORY
  readonly mcpServers: typeof MCP_SERVERS
  readonly files: { create: (file: FileInput, options?: UploadOptions) => Promise<StoredFile> }
  chat(text: string, options: ChatOptions): Turn | Promise<ChatReply>
}
