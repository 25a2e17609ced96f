// Names shared through Temporal: task queues, workflow ids, search attributes, failure types.
// Payloads hold ids, names, counts and typed errors only; text travels by reference to a row.
export const TASK_QUEUE = 'muxi'
/** Parsing and transcoding: concurrency is the number of cores. */
export const MEDIA_TASK_QUEUE = 'muxi-media'
/** Connections to MCP servers: the worker that takes one owns it. */
export const MCP_TASK_QUEUE = 'muxi-mcp'
/** Calls to the MCP servers that one worker owns. */
export const mcpTaskQueue = (workerId: string) => `${MCP_TASK_QUEUE}-${workerId}`

export const workflowId = {
  chatTurn: (turnId: string) => `turn/${turnId}`,
  toolCall: (turnId: string, callId: string) => `tool/${turnId}/${callId}`,
  job: (jobId: string) => `job/${jobId}`,
  writeMemory: (conversationId: string) => `memory/${conversationId}`,
  mcpServer: ({ agent_id, name }: { agent_id: string; name: string }) => `mcp/${agent_id}/${name}`,
}

/** Search attributes, all keywords; `MuxiUser` is an HMAC, because search attributes are stored in the clear. */
export const SEARCH_ATTRIBUTES = ['MuxiKind', 'MuxiAgent', 'MuxiConversation', 'MuxiUser'] as const

/** Search attribute values of every workflow. */
export interface Labels {
  agent_id: string
  conversation_id: string
  user_hash: string
}

/** `type` of the failures that activities throw; `activities/failures.ts` makes them. */
export const FAILURE = {
  final: 'UpstreamFinal',
  retry: 'UpstreamRetry',
  internal: 'Internal',
  stopped: 'Stopped',
  /** The call was not made: it may be retried, in another worker or once its server is back. */
  again: 'Again',
  /** The call was not made: it waits for the decision whose `approval_id` is the first detail. */
  parked: 'Parked',
  /** The call was interrupted, and may be made again. */
  broken: 'Broken',
} as const
