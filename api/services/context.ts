// What the services of the API work with.
import type { Client } from '@temporalio/client'
import type { Logger } from 'pino'
import type { AgentConfig, AgentSource } from '../../contracts/schemas/agent.ts'
import type { ProvidersSettings } from '../../contracts/model-check.ts'
import type { StartableTurn } from '../../db/queries/turn-queue.ts'
import type { Storage } from '../../db/storage.ts'
import type * as OAuth from '../../mcp/oauth.ts'
import type { Embedder } from '../../providers/embedder.ts'
import type { Speaker } from '../../providers/speaker.ts'
import type { OpenStreams } from './open-streams.ts'

/** Sends the first model request of a turn while Temporal starts its workflow. */
export interface HeadStarts {
  /** The model that the first request of an agent's turn goes to; undefined: no head start now. */
  plan(config: AgentConfig, source: AgentSource): { provider: string; model: string } | undefined
  /** @param usageId the row that was inserted with the turn */
  begin(turn: StartableTurn, usageId: string): void
  /** The turn is accepted, and the fence of the head start stands: its text is written from now on. */
  confirm(turnId: string): void
  abort(turnId: string): void
}

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
  /** @throws UrlRefused when an address given over the API may not be reached, or the resolver's error */
  checkUrl: (url: string) => Promise<void>
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
    allow_private_urls: boolean
    /** Looks at where each request goes. */
    fetch: (url: string | URL, init?: RequestInit) => Promise<Response>
    oauth: Pick<typeof OAuth, 'checkIssuer' | 'clientDocument' | 'finishSignIn' | 'openSignIn'>
  }
  /** Starts the workflow of an active turn; one that has been started counts as success. */
  startTurn: (turn: StartableTurn) => Promise<void>
  /** Of workers in this process; undefined where there are none. */
  headStarts: HeadStarts | undefined
  openStreams: OpenStreams
  /** Without authentication every request is made by this key. */
  auth: boolean
  /** Aborts when the server goes down: streams end, and their clients go on elsewhere. */
  closing: AbortSignal
  log: Logger
}
