// Calls that reach another agent, in rows: an ask makes a turn of the other agent and ends with its answer, a handoff gives the turn
// to the other agent. Each step is one transaction under the lock of the calling turn, and may be repeated.
import { activityInfo } from '@temporalio/activity'
import { MAX_AT_ONCE, MAX_DEPTH, MAX_HANDOFFS } from '../../contracts/agent-calls.ts'
import { readArguments, shownArguments } from '../../contracts/arguments.ts'
import { newId } from '../../contracts/ids.ts'
import { isRemembering } from '../../contracts/schemas/agent.ts'
import { workflowId } from '../../contracts/temporal.ts'
import type { AskState, HandoffResult, ToolCallInput, ToolCallResult } from '../../contracts/turn.ts'
import { turnError, turnUsage } from '../../db/columns.ts'
import { parseColumn } from '../../db/json-column.ts'
import { findAgent, getAgentVersion, type AgentRow } from '../../db/queries/agents.ts'
import { below, countUnfinishedBelow, createHiddenConversation, lockRootOf } from '../../db/queries/child-turns.ts'
import { addLogEntry, endLogEntryOf, startLogEntry } from '../../db/queries/log.ts'
import { finishToolCall, getToolCallOrThrow, listHandoffs, startAsk } from '../../db/queries/steps.ts'
import { findStartable } from '../../db/queries/turn-queue.ts'
import { findReply, findTurn, getTurn, handOver, insertTurn, isFinalStatus } from '../../db/queries/turns.ts'
import type { ToolCallsTable, Tx, TurnsTable } from '../../db/schema.ts'
import type { ActivityResources } from '../resources.ts'
import { endTurn } from '../turn/end-turn.ts'
import type { TurnResources } from '../turn/turn-resources.ts'
import { AGENT_CALL_PARAMETERS } from './agent-tools.ts'
import { askedEvent, endEvent, startEvent } from './call-events.ts'
import { callTransactions, refOf } from './call-transactions.ts'
import { shorten } from './tool-ledger.ts'

type Resources = Pick<ActivityResources, 'db' | 'events' | 'models' | 'tool_output_characters'> &
  Pick<TurnResources, 'startTurn' | 'startMemory' | 'describeTurn'>

/** Why a call is not made: the error for the model. */
interface Refusal {
  status: 'error' | 'invalid' | 'cancelled'
  output: string
}

const CANCELLED: Refusal = { status: 'cancelled', output: 'Cancelled before it began' }
const NOT_ASKED: Refusal = { status: 'error', output: 'The agent could not be asked. Nothing was done.' }
const LOST = { code: 'internal_error' as const, message: 'The turn of the agent that was asked was lost' }

export function agentCallActivities(resources: Resources) {
  const { db, models, describeTurn, tool_output_characters } = resources
  const commit = callTransactions(resources)
  return {
    /** Makes the turn of the agent that is asked, once. */
    async beginAsk(input: ToolCallInput): Promise<AskState> {
      const begun = await commit(input.turn_id, async (tx, show) => {
        const call = await getToolCallOrThrow(tx, input.turn_id, input.call_id)
        if (call.child_turn_id !== null && call.status === 'started') return { child: call.child_turn_id }
        if (call.status !== 'planned') return { result: toResult(call) }
        const turn = await getTurn(tx, input.turn_id)
        // Turns of the same root may ask at the same time.
        await lockRootOf(tx, turn.id)
        const barred =
          turn.depth >= MAX_DEPTH
            ? tooDeep()
            : (await countUnfinishedBelow(tx, turn.root_turn_id ?? turn.id)) >= MAX_AT_ONCE
              ? tooMany()
              : undefined
        const read = await readCall(tx, call, turn, barred)
        if ('refusal' in read) return { result: await refuse(tx, show, call, read) }
        const { agent, parameters } = read
        const child = await insertChild(tx, turn, call, agent, String(parameters['message']))
        await startAsk(tx, call, child)
        await startLogEntry(tx, {
          stream_id: turn.id,
          kind: 'tool_call',
          name: call.name,
          ...logPlaceOf(call, child),
          attempt: 1,
          input: { ...parameters, turn_id: child },
        })
        await show(undefined, [askedEvent(call, parameters, child)])
        return { child }
      })
      if (begun.result) return { result: begun.result }
      const startable = await findStartable(db, begun.child)
      if (!startable) throw new Error(`Cannot find turn '${begun.child}'`)
      return { turn: { ...(await describeTurn(startable)), parent_call_id: input.call_id } }
    },

    /** Ends the call with the answer of the agent that was asked, or with why there is none. */
    async endAsk(input: ToolCallInput): Promise<ToolCallResult> {
      const { child_turn_id } = await getToolCallOrThrow(db, input.turn_id, input.call_id)
      if (child_turn_id !== null) await endLost(child_turn_id)
      return commit(input.turn_id, async (tx, show) => {
        const call = await getToolCallOrThrow(tx, input.turn_id, input.call_id)
        const child = call.child_turn_id === null ? undefined : await findTurn(tx, call.child_turn_id)
        const tokens = tokensOf(child)
        if (call.status !== 'planned' && call.status !== 'started') return { ...toResult(call), ...tokens }
        if (!child) {
          const { cancel_requested_at } = await getTurn(tx, input.turn_id)
          const refusal = cancel_requested_at === null ? NOT_ASKED : CANCELLED
          return refuse(tx, show, call, { refusal, parameters: shownArguments(call.arguments) })
        }
        const { status, text } = await answerOf(tx, child)
        const output = shorten(text, tool_output_characters)
        await finishToolCall(tx, call.turn_id, call.call_id, status, output)
        await show(undefined, [endEvent(call.call_id, output, status !== 'done')])
        const started = Date.parse(child.created_at)
        await endLogEntryOf(tx, logPlaceOf(call, child.id), {
          status: status === 'done' ? 'completed' : status === 'cancelled' ? 'cancelled' : 'failed',
          duration_ms: Date.parse(child.finished_at ?? child.created_at) - started,
          ...(status === 'done' ? { output } : { error: { message: output } }),
          usage: parseColumn(turnUsage, child.usage, child.id),
        })
        return { ...refOf(call), outcome: status, ...tokens }
      })
    },

    /** Gives the turn to another agent, in the version that it has now, once. */
    async handOver(input: ToolCallInput): Promise<HandoffResult> {
      const result = await commit(input.turn_id, async (tx, show) => {
        const call = await getToolCallOrThrow(tx, input.turn_id, input.call_id)
        if (call.status !== 'planned') return toResult(call)
        const turn = await getTurn(tx, input.turn_id)
        const made = await listHandoffs(tx, turn.id)
        const isSecond = made.includes(call.step)
        const barred = isSecond ? onlyOne() : made.length >= MAX_HANDOFFS ? tooOften() : undefined
        const read = await readCall(tx, call, turn, barred)
        if ('refusal' in read) return refuse(tx, show, call, read)
        const { agent, parameters } = read
        const output = `You are the agent '${agent.id}' now. Go on with the conversation, and answer the user.`
        await handOver(tx, turn.id, agent, isRemembering(agent.config.memory) && turn.depth === 0)
        await finishToolCall(tx, turn.id, call.call_id, 'done', output)
        await addLog(tx, call, parameters, { status: 'completed', duration_ms: 0, output })
        const end = endEvent(call.call_id, output, false, agent.id)
        await show(undefined, [startEvent(call, parameters), end])
        return { ...refOf(call), outcome: 'done' as const }
      })
      if (result.outcome !== 'done') return result
      const { agent_id, agent_version } = await getTurn(db, input.turn_id)
      const { config, source } = await getAgentVersion(db, agent_id, agent_version)
      const order = models.orderOf(models.chainOf(config, source), config)
      return { ...result, agent: { agent_id, agent_version, models: order } }
    },
  }

  /** A turn whose workflow will not end it any more: it never began, or was ended from outside. */
  async function endLost(childId: string): Promise<void> {
    const child = await findTurn(db, childId)
    if (!child || isFinalStatus(child.status)) return
    const ending = { turn_id: childId, conversation_id: child.conversation_id, status: 'failed' as const, error: LOST }
    await endTurn(resources, ending)
  }
}

/** The arguments of a call and the agent it reaches, or why it is not made. */
async function readCall(
  tx: Tx,
  call: ToolCallsTable,
  turn: TurnsTable,
  barred: string | undefined,
): Promise<{ agent: AgentRow; parameters: Record<string, unknown> } | { refusal: Refusal; parameters: unknown }> {
  const parameters = AGENT_CALL_PARAMETERS[call.agent_call ?? 'ask']
  const read = readArguments({ name: call.name, parameters }, call.arguments)
  if ('fault' in read)
    return { refusal: { status: 'invalid', output: read.fault }, parameters: shownArguments(call.arguments) }
  const given = read.parameters
  if (turn.cancel_requested_at !== null) return { refusal: CANCELLED, parameters: given }
  if (barred !== undefined) return { refusal: { status: 'error', output: barred }, parameters: given }
  const agent = call.to_agent === null ? undefined : await findAgent(tx, call.to_agent)
  if (agent) return { agent, parameters: given }
  const output = `There is no agent '${call.to_agent}' any more. Nothing was done.`
  return { refusal: { status: 'error', output }, parameters: given }
}

async function refuse(
  tx: Tx,
  show: (writer: undefined, additions: ReturnType<typeof endEvent>[]) => Promise<void>,
  call: ToolCallsTable,
  { refusal: { status, output }, parameters }: { refusal: Refusal; parameters: unknown },
): Promise<ToolCallResult> {
  await finishToolCall(tx, call.turn_id, call.call_id, status, output)
  if (status === 'cancelled') return { ...refOf(call), outcome: status }
  await show(undefined, [startEvent(call, parameters), endEvent(call.call_id, output, true)])
  await addLog(tx, call, parameters, { status: 'failed', duration_ms: 0, error: { message: output } })
  return { ...refOf(call), outcome: status }
}

function addLog(tx: Tx, call: ToolCallsTable, input: unknown, end: Parameters<typeof addLogEntry>[2]): Promise<void> {
  const { workflowExecution } = activityInfo()
  const place = { workflow_id: workflowExecution?.workflowId ?? '', activity_id: call.call_id, attempt: 1 }
  return addLogEntry(tx, { stream_id: call.turn_id, kind: 'tool_call', name: call.name, ...place, input }, end)
}

/** Inserts the turn of the agent that is asked, in a conversation of its own. @returns its id */
async function insertChild(
  tx: Tx,
  turn: TurnsTable,
  call: ToolCallsTable,
  agent: AgentRow,
  content: string,
): Promise<string> {
  const turn_id = newId('turn')
  const child = {
    turn_id,
    user_message_id: newId('msg'),
    message_id: newId('msg'),
    conversation_id: await createHiddenConversation(tx, turn, agent.id),
    agent_id: agent.id,
    agent_version: agent.version,
    user_id: turn.user_id,
    key_id: turn.key_id,
    on_busy: 'queue' as const,
    content,
    attachments: [],
    response_schema: undefined,
    below: below(turn, call.call_id),
  }
  await insertTurn(tx, child, 'active')
  return turn_id
}

async function answerOf(tx: Tx, child: TurnsTable): Promise<{ status: 'done' | 'error' | 'cancelled'; text: string }> {
  if (child.status === 'completed') return { status: 'done', text: await findReply(tx, child.id) }
  const who = `The agent '${child.agent_id}'`
  if (child.status === 'cancelled') return { status: 'cancelled', text: `${who} was stopped before it had answered.` }
  const error = parseColumn(turnError, child.error, child.id)
  return { status: 'error', text: `${who} failed: ${error?.message ?? 'it gave no reason'}` }
}

/** Its entry in the execution log of the calling turn names the workflow of the turn that was asked for. */
function logPlaceOf({ call_id }: Pick<ToolCallsTable, 'call_id'>, childId: string) {
  return { workflow_id: workflowId.chatTurn(childId), activity_id: `asked by ${call_id}` }
}

function tokensOf(child: TurnsTable | undefined): Pick<ToolCallResult, 'tokens'> {
  const usage = child && parseColumn(turnUsage, child.usage, child.id)
  return usage ? { tokens: usage.input_tokens + usage.output_tokens } : {}
}

function toResult(call: ToolCallsTable): ToolCallResult {
  return { ...refOf(call), outcome: call.status as ToolCallResult['outcome'] }
}

function tooDeep(): string {
  return `Not asked: agents may ask each other ${MAX_DEPTH} levels deep, and this is the last one. Answer with what you know.`
}

function tooMany(): string {
  return `Not asked: ${MAX_AT_ONCE} agents are being asked for this message. Ask fewer at once, or answer with what you know.`
}

function tooOften(): string {
  return `Not transferred: a message may be handed over ${MAX_HANDOFFS} times. Answer the user yourself.`
}

function onlyOne(): string {
  return 'Not transferred: one step hands over to one agent only.'
}
