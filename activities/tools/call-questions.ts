// Questions that a server asks during a call (elicitation): shown to the user of the turn, and answered once decided.
import { setTimeout as delay } from 'node:timers/promises'
import { Context } from '@temporalio/activity'
import { WorkflowNotFoundError } from '@temporalio/client'
import type { ElicitResult } from '@modelcontextprotocol/sdk/types.js'
import { QUESTION_SIGNALS } from '../../contracts/approval.ts'
import type { McpCallInput } from '../../contracts/mcp.ts'
import { approvalAnswer } from '../../db/columns.ts'
import { parseColumn } from '../../db/json-column.ts'
import type { EventLog } from '../../db/event-log.ts'
import { untilDatabaseIsBack } from '../../db/storage.ts'
import type { Question } from '../../mcp/open-calls.ts'
import type { CallApprovals } from './call-approvals.ts'
import type { BegunCall } from './tool-ledger.ts'

const PAUSE_MS = 1_000
/** Longest schema of a form, in characters; a longer one is refused. */
const MAX_SCHEMA = 64_000

/** @param tool the server's name for the tool */
export function callQuestions(
  { events, approvals }: { events: EventLog; approvals: CallApprovals },
  input: McpCallInput,
  run: BegunCall,
  tool: string,
) {
  let number = 0
  // Captured here: a question arrives with a message of the server, which on Deno is outside the activity's asynchronous
  // context.
  const { info, client, log } = Context.current()
  const { workflowId = '', runId } = info.workflowExecution ?? {}

  /** Signals the call's workflow that the call waits, or continues: the turn's deadline is paused in between. */
  async function signalCall(signal: 'asked' | 'decided', id: string, over: AbortSignal): Promise<void> {
    const workflow = client.workflow.getHandle(workflowId, runId)
    while (!over.aborted) {
      try {
        return await workflow.signal(QUESTION_SIGNALS[signal], id)
      } catch (error) {
        if (error instanceof WorkflowNotFoundError) return
        log.warn('a call could not be told of a question; trying again', { approval_id: id })
        await delay(PAUSE_MS, undefined, { signal: over }).catch(() => undefined)
      }
    }
  }

  return {
    /**
     * Asks, and returns the answer; `cancel` when there is none before the call ends.
     * @param ended aborts when the call ends
     */
    async put(question: Question, over: AbortSignal, ended: AbortSignal): Promise<ElicitResult> {
      const { message } = question
      if ('schema' in question && JSON.stringify(question.schema).length > MAX_SCHEMA) return { action: 'cancel' }
      number += 1
      const { id, after } = await approvals.ask(input, run, {
        place: `question/${run.writer.fence}/${number}`,
        kind: 'question',
        name: tool,
        server: input.server,
        message,
        ...('schema' in question ? { schema: question.schema } : { url: question.url }),
      })
      const signalling = signalCall('asked', id, over)
      try {
        for await (const batch of events.follow(input.turn_id, after, over)) {
          if (batch.some(({ type, data }) => type === 'approval_decided' && data.id === id)) break
        }
      } finally {
        await signalling
        // Not awaited: the server waits for the answer.
        void signalCall('decided', id, ended)
      }
      const row = await untilDatabaseIsBack(() => approvals.readAnswer(input, id), over)
      if (row?.status !== 'decided') return { action: 'cancel' }
      if (row.decision === 'deny') return { action: 'decline' }
      return {
        action: 'accept',
        ...(row.answer !== null && { content: parseColumn(approvalAnswer, row.answer, row.id) }),
      }
    },
  }
}
