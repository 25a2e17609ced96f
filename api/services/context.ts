// Dependencies of the API's services.
import type { Client } from '@temporalio/client'
import type { Logger } from 'pino'
import type { AgentConfig, AgentInput, AgentSource, MemoryDefaults } from '../../contracts/schemas/agent.ts'
import type { ModelFault, ProvidersSettings } from '../../contracts/model-check.ts'
import type { Needed } from '../../db/queries/budgets.ts'
import type { UsageStart } from '../../db/queries/usage.ts'
import type { StartableTurn } from '../../db/queries/turn-queue.ts'
import type { Storage } from '../../db/storage.ts'
import type * as OAuth from '../../mcp/oauth.ts'
import type * as OAuthClient from '../../mcp/oauth-client.ts'
import type { ModelState } from '../../providers/model-health.ts'
import type { Speaker } from '../../providers/speaker.ts'
import type { SearchIndex } from '../../vectors/search-index.ts'
import type { VectorStore } from '../../vectors/store.ts'
import type { Networks } from '../../contracts/networks.ts'
import type { Clients } from '../clients.ts'
import type { Audit } from './audit.ts'
import type { Feed } from './feed.ts'
import type { KeyCache } from './key-cache.ts'
import type { Metrics } from './metrics.ts'
import type { OpenStreams } from './open-streams.ts'
import type { RateLimiter } from './rate-limiter.ts'
import type { RequestCounts } from './request-counts.ts'

/** A request that will be sent, for its usage row. */
export type PlannedRequest = Pick<UsageStart, 'provider' | 'model' | 'reserved_tokens' | 'reserved_cost_usd'> & {
  needed: Needed
}

/** Sends the first model request of a turn while Temporal starts its workflow. */
export interface HeadStarts {
  /** The model that the first request of an agent's turn goes to; undefined: no head start now. */
  plan(config: AgentConfig, source: AgentSource, content: string): PlannedRequest | undefined
  /** @param usageId the usage row that was inserted with the turn */
  begin(turn: StartableTurn, usageId: string): void
  /** The turn is accepted, and the fence of the head start is set: its text is written from now on. */
  confirm(turnId: string): void
  abort(turnId: string): void
}

export interface ApiLimits {
  json_body_bytes: number
  chat_body_bytes: number
  content_bytes: number
  /** What a message brings that continues no conversation here. */
  carried_bytes: number
  upload_bytes: number
  /** All stored files of a user. */
  user_bytes: number
  /** Per knowledge folder of agent files. */
  knowledge_files: number
  ws_frame_bytes: number
  attachments: number
  turns_per_user: number
  turns_per_key: number
  /** Concurrent event streams and WebSockets in this process: per key, and in total. */
  streams_per_key: number
  streams: number
}

export interface ApiContext {
  storage: Storage
  vectors: VectorStore
  /** The vectors with their embedder. */
  index: SearchIndex
  speaker: Speaker
  client: Client
  namespace: string
  /** Public URL of the Temporal UI; undefined when there is none. */
  temporalUiUrl: string | undefined
  /** Address of muxi's own Temporal UI, which is proxied under `/temporal`. */
  temporalUpstream: string | undefined
  providers: ProvidersSettings
  /** Why none of the models of an agent can do what it requires. */
  abilityFaults: (config: Pick<AgentConfig, 'model' | 'mcp_servers'>, source: AgentSource) => ModelFault[]
  /** The models that this process has called, by name, and the states of their circuits. */
  modelStates: () => Record<string, ModelState>
  /** @throws UrlRefused when an address from the API is not allowed, or the resolver's error */
  checkUrl: (url: string) => Promise<void>
  /** Names of environment variables that secret fields may refer to over the API; undefined for one that is not set. */
  apiEnv: Readonly<Record<string, string | undefined>>
  limits: ApiLimits
  /** Of agents that do not say whether they have long-term memory. */
  memoryDefaults: MemoryDefaults
  /** Public URL of the API, without a trailing slash. */
  public_url: string
  agentsDir: string
  /** Reads an agent file below the folder of agents, to import it. @throws MuxiError unprocessable */
  readAgentFile: (path: string) => { id: string; input: AgentInput; file: string | undefined } | undefined
  /** Folders whose files may be ingested over the API. */
  knowledgeDirs: readonly string[]
  mcp: {
    /** Programs that MCP servers may run; `*` allows any. */
    commands: readonly string[]
    allow_private_urls: boolean
    /** Checks the address of each request. */
    fetch: (url: string | URL, init?: RequestInit) => Promise<Response>
    oauth: Pick<typeof OAuth, 'checkIssuer' | 'finishSignIn' | 'openSignIn'> &
      Pick<typeof OAuthClient, 'clientDocument'>
  }
  /** Starts the workflow of an active turn; "already started" counts as success. */
  startTurn: (turn: StartableTurn) => Promise<void>
  /** Of workers in this process; undefined where there are none. */
  headStarts: HeadStarts | undefined
  /** A file of this media type was stored, and a job for it may follow soon. Undefined without workers in this process. */
  expectDocument: ((type: string) => void) | undefined
  openStreams: OpenStreams
  feed: Feed
  rateLimiter: RateLimiter
  requestCounts: RequestCounts
  metrics: Metrics
  audit: Audit
  keys: KeyCache
  /** Reads the forwarding headers of trusted proxies. */
  clients: Clients
  /** Where the scope `admin` may be used; undefined: everywhere. */
  adminNetworks: Networks | undefined
  /** When false, every request has the anonymous principal. */
  auth: boolean
  /** Aborts when the server goes down: streams end, and their clients resume in other processes. */
  closing: AbortSignal
  log: Logger
}
