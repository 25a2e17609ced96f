// Labels of workflows and start options of jobs, so that the Temporal UI can filter by agent, conversation or user.
import { defineSearchAttributeKey, TypedSearchAttributes } from '@temporalio/common'
import type { JobInput, JobKind } from '../contracts/job.ts'
import type { McpServerRef } from '../contracts/mcp.ts'
import { AUTO } from '../contracts/routing.ts'
import { TASK_QUEUE, workflowId, type Labels } from '../contracts/temporal.ts'
import type { MemoryRef } from '../contracts/memory.ts'
import type { TurnInput } from '../contracts/turn.ts'

const KIND = defineSearchAttributeKey('MuxiKind', 'KEYWORD')
const AGENT = defineSearchAttributeKey('MuxiAgent', 'KEYWORD')
const CONVERSATION = defineSearchAttributeKey('MuxiConversation', 'KEYWORD')
const USER = defineSearchAttributeKey('MuxiUser', 'KEYWORD')

/** Search attributes are stored in the clear: the user id is a pseudonym. Empty values are omitted. */
export function searchAttributesOf(
  kind: 'turn' | 'tool' | 'job' | 'mcp' | 'memory',
  labels: Labels,
): TypedSearchAttributes {
  const pairs = [
    { key: KIND, value: kind as string },
    { key: AGENT, value: labels.agent_id },
    { key: CONVERSATION, value: labels.conversation_id },
    { key: USER, value: labels.user_hash },
  ]
  return new TypedSearchAttributes(pairs.filter(({ value }) => value !== ''))
}

/** Priority of background work: after every chat turn. */
const BULK = 4

const SUMMARIES = {
  document: 'A document',
  image: 'A picture',
  audio: 'A recording',
  reembed: 'New vectors for everything',
} as const

/** Start options of a turn's workflow: its id is never reused. */
export function turnStart(turn: TurnInput) {
  return {
    workflowId: workflowId.chatTurn(turn.turn_id),
    taskQueue: TASK_QUEUE,
    args: [turn] as [TurnInput],
    workflowIdReusePolicy: 'REJECT_DUPLICATE',
    workflowTaskTimeout: '5s',
    typedSearchAttributes: searchAttributesOf('turn', turn),
    staticSummary: turn.agent_id === AUTO ? 'A message to the orchestrator' : `A message to ${turn.agent_id}`,
    priority: { priorityKey: 1 },
  } as const
}

/** Start options of a job's workflow, for every caller that finds it not running. */
export function jobStart(job: JobInput, kind: JobKind) {
  return {
    workflowId: workflowId.job(job.job_id),
    taskQueue: TASK_QUEUE,
    args: [job] as [JobInput],
    workflowTaskTimeout: '5s',
    typedSearchAttributes: searchAttributesOf('job', job),
    staticSummary: job.agent_id === '' ? SUMMARIES[kind] : `${SUMMARIES[kind]} for ${job.agent_id}`,
    // Fairness: users are served in turn, whatever their number of documents; activities inherit the key and the priority.
    priority: { priorityKey: BULK, fairnessKey: job.user_hash },
  } as const
}

/** Start options of the workflow that remembers what was said in a conversation; it runs again for later turns. */
export function memoryStart(ref: MemoryRef) {
  return {
    workflowId: workflowId.writeMemory(ref.conversation_id),
    taskQueue: TASK_QUEUE,
    args: [ref] as [MemoryRef],
    workflowTaskTimeout: '5s',
    typedSearchAttributes: searchAttributesOf('memory', ref),
    staticSummary: `What is said to ${ref.agent_id}`,
    priority: { priorityKey: BULK, fairnessKey: ref.user_hash },
  } as const
}

/** Start options of an MCP server's workflow, for every caller that finds the server without an owner. */
export function mcpServerStart(ref: McpServerRef) {
  return {
    workflowId: workflowId.mcpServer(ref),
    taskQueue: TASK_QUEUE,
    args: [ref] as [McpServerRef],
    workflowIdConflictPolicy: 'USE_EXISTING',
    workflowTaskTimeout: '5s',
    typedSearchAttributes: searchAttributesOf('mcp', { agent_id: ref.agent_id, conversation_id: '', user_hash: '' }),
    staticSummary: `${ref.name} of ${ref.agent_id}`,
  } as const
}
