// What the services of the API work with.
import type { Client } from '@temporalio/client'
import type { Logger } from 'pino'
import type { ProvidersSettings } from '../../contracts/model-check.ts'
import type { Storage } from '../../db/storage.ts'
import type * as OAuth from '../../mcp/oauth.ts'
import type { Embedder } from '../../providers/embedder.ts'
import type { Speaker } from '../../providers/speaker.ts'
import type { OpenStreams } from './open-streams.ts'

export interface ApiLimits {
  json_body_bytes: number
  chat_body_bytes: number
  content_bytes: number
  upload_bytes: number
  /** Of everything that a user keeps here. */
  user_bytes: number
  /** Of a folder that agent files name as knowledge. */
  knowledge_files: number
  ws_frame_bytes: number
  attachments: number
  turns_per_user: number
  turns_per_key: number
  /** Event streams and WebSockets that are open at once in this process: with one key, and in all. */
  streams_per_key: number
  streams: number
}

export interface ApiContext {
  storage: Storage
  embedder: Embedder
  speaker: Speaker
  client: Client
  namespace: string
  /** Where people find the Temporal UI; undefined when there is none. */
  temporalUiUrl: string | undefined
  /** Where a Temporal UI of our own runs that we serve under `/temporal`. */
  temporalUpstream: string | undefined
  providers: ProvidersSettings
  /** Names of environment variables that secret fields may refer to over the API, with their values. */
  apiEnv: Readonly<Record<string, string>>
  limits: ApiLimits
  /** Where people reach us, without a slash at the end. */
  public_url: string
  agentsDir: string
  /** Folders below which files of the server may be ingested over the API. */
  knowledgeDirs: readonly string[]
  mcp: {
    /** Programs that MCP servers may be started with; `*` is any. */
    commands: readonly string[]
    /** @throws an error that says why a URL may not be opened */
    checkUrl: (url: string) => Promise<void>
    /** Looks at where each request goes. */
    fetch: (url: string | URL, init?: RequestInit) => Promise<Response>
    oauth: Pick<typeof OAuth, 'checkIssuer' | 'clientDocument' | 'finishSignIn' | 'openSignIn'>
  }
  /** Idle time and age of conversation actors. */
  conversation: { idle_ms: number; max_updates: number }
  openStreams: OpenStreams
  /** Without authentication every request is made by this key. */
  auth: boolean
  /** Aborts when the server goes down: streams end, and their clients go on elsewhere. */
  closing: AbortSignal
  log: Logger
}
