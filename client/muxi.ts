// The client: every resource of the server, and the shortest way to a reply.
import { AgentHandle } from './agents/agent-handle.ts'
import type { AgentInput, KnowledgeOptions } from './agents/agent-input.ts'
import type { ChangeOptions } from './streams/changes.ts'
import { askForReply, type ChatOptions, type ChatReply, streamReply } from './turns/chat.ts'
import { Http } from './http.ts'
import { type FollowJobOptions, FollowedJob } from './jobs/job.ts'
import { bind } from './operations.ts'
import type { ClientOptions } from './options.ts'
import * as resources from './resources.ts'
import { MuxiSocket } from './socket/socket.ts'
import { type ResumeOptions, Turn } from './turns/turn.ts'
import type { AgentImported, Change, StoredFile, Transcription, TranscriptionOptions, TurnLogEntry } from './types.ts'
import type { FileInput, UploadOptions } from './files/uploads.ts'

export type MuxiOptions = Partial<ClientOptions> & {
  /** Alias of `serverUrl`. */
  server_url?: string | undefined
  /** Alias of `apiKey`. */
  api_key?: string | undefined
} & ({ serverUrl: string } | { server_url: string })

/** Connects to a server. Nothing is sent before the first call. */
export function muxi({ server_url, api_key, ...options }: MuxiOptions): Muxi {
  return new Muxi({ ...options, serverUrl: options.serverUrl ?? server_url!, apiKey: options.apiKey ?? api_key })
}

/** A server, by its resources. */
export class Muxi {
  /** For requests of your own: `app.http.json('GET', '/system/status')`. */
  readonly http: Http
  readonly agents
  readonly conversations
  readonly turns
  readonly approvals
  readonly jobs
  readonly files
  readonly knowledge
  readonly memory
  readonly users
  readonly keys
  readonly mcpServers
  readonly audit
  readonly logs
  readonly search
  readonly system
  readonly audio
  readonly budgets
  readonly openai
  readonly mcp
  readonly ui

  constructor(options: ClientOptions) {
    const http = new Http(options)
    this.http = http
    this.agents = bind(http, resources.AGENTS)
    this.conversations = bind(http, resources.CONVERSATIONS)
    this.approvals = bind(http, resources.APPROVALS)
    this.knowledge = bind(http, resources.KNOWLEDGE)
    this.memory = bind(http, resources.MEMORY)
    this.users = bind(http, resources.USERS)
    this.keys = bind(http, resources.KEYS)
    this.mcpServers = bind(http, resources.MCP_SERVERS)
    this.audit = bind(http, resources.AUDIT)
    this.logs = bind(http, resources.LOGS)
    this.search = bind(http, { search: resources.SEARCH }).search
    this.system = bind(http, resources.SYSTEM)
    this.budgets = bind(http, resources.BUDGETS)
    this.openai = bind(http, resources.OPENAI)
    this.mcp = bind(http, resources.MCP)
    this.ui = bind(http, resources.UI)
    this.turns = {
      ...bind(http, resources.TURNS),
      /** Follows a turn of which the id is known. */
      follow: (id: string, more?: ResumeOptions): Turn => Turn.resume(http, id, more),
      /** The execution log: entries as they are now, then each that is added or changes, until the turn is over. */
      followLog: async function* (
        id: string,
        more?: { signal?: AbortSignal },
      ): AsyncGenerator<TurnLogEntry, void, undefined> {
        yield* (await import('./streams/changes.ts')).followLog(http, id, more)
      },
    }
    this.jobs = {
      ...bind(http, resources.JOBS),
      /** Its progress, and `await job.result()`. */
      follow: (id: string, more?: FollowJobOptions): FollowedJob => new FollowedJob(http, id, more),
    }
    this.files = {
      ...bind(http, resources.FILES),
      /** Uploads a file: a path (Node and Deno), a Blob, bytes or a stream. */
      create: async (file: FileInput, more?: UploadOptions): Promise<StoredFile> =>
        (await import('./files/uploads.ts')).upload(http, file, more),
    }
    this.audio = {
      ...bind(http, resources.AUDIO),
      /** Speech as text. A recording or a video. */
      transcribe: async (
        file: FileInput,
        fields?: TranscriptionOptions,
        more?: UploadOptions,
      ): Promise<Transcription | string> => (await import('./files/uploads.ts')).transcribe(http, file, fields, more),
    }
  }

  /** Sends a message, and follows the reply. The turn goes on when it is not read. */
  chat(text: string, options: ChatOptions & { stream: true }): Turn
  /** Sends a message, and waits for the reply. */
  chat(text: string, options?: ChatOptions & { stream?: false | undefined }): Promise<ChatReply>
  chat(text: string, options: ChatOptions & { stream?: boolean | undefined } = {}): Turn | Promise<ChatReply> {
    return options.stream ? streamReply(this.http, text, options) : askForReply(this.http, text, options)
  }

  /** A socket for many turns at once. It connects with the first message. */
  openSocket(): MuxiSocket {
    return new MuxiSocket(this.http)
  }

  /** Changes of lists as they happen. */
  async *changes(options?: ChangeOptions): AsyncGenerator<Change, void, undefined> {
    yield* (await import('./streams/changes.ts')).followChanges(this.http, options)
  }

  /** Creates an agent from its configuration, or from the path of one (YAML or JSON; Node and Deno). */
  async addAgent(name: string, source: string | AgentInput, options?: KnowledgeOptions): Promise<AgentImported> {
    return (await import('./agents/agent-files.ts')).addAgent(this, name, source, options)
  }

  /** An agent by its id; nothing is sent. */
  getAgent(name: string): AgentHandle {
    return new AgentHandle(this, name)
  }

  /** Alias of `openSocket`. */
  open_socket(): MuxiSocket {
    return this.openSocket()
  }

  /** Alias of `addAgent`. */
  add_agent(...args: Parameters<Muxi['addAgent']>): Promise<AgentImported> {
    return this.addAgent(...args)
  }

  /** Alias of `getAgent`. */
  get_agent(name: string): AgentHandle {
    return this.getAgent(name)
  }
}
