// MCP servers of agents, their tools, owners and sign-ins.
import type { Generated } from 'kysely'
import type { McpServerState } from '../../contracts/mcp.ts'

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
