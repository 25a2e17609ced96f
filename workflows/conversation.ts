// The actor of one conversation: takes messages at any time, runs one turn at a time, in order, and ends when nobody writes.
import {
  allHandlersFinished,
  ApplicationFailure,
  CancellationScope,
  condition,
  continueAsNew,
  executeChild,
  isCancellation,
  log,
  setCurrentDetails,
  setHandler,
  sleep,
  workflowInfo,
} from '@temporalio/workflow'
import { WorkflowExecutionAlreadyStartedError } from '@temporalio/common'
import { workflowId, type ConversationInput, type Receipt, type SubmitInput } from '../contracts/engine.ts'
import { awaitTurn, finishTurn } from './activities.ts'
import { chatTurn } from './chat-turn.ts'
import { searchAttributesOf } from './labels.ts'
import { BUSY, cancelTurn, holds, QUEUE_FULL, submit } from './messages.ts'

/** Turns that may wait in one conversation. */
const MAX_QUEUE = 100

export async function conversation(input: ConversationInput): Promise<void> {
  const mailbox = new Mailbox(input.queue ?? [])
  setHandler(submit, (turn) => mailbox.submit(turn), { validator: (turn) => mailbox.refuse(turn) })
  setHandler(cancelTurn, (turnId) => mailbox.cancel(turnId))
  setHandler(holds, (turnId) => mailbox.holds(turnId))

  for (;;) {
    await mailbox.runQueue(input.max_updates)
    if (mailbox.isOld(input.max_updates) && (await mailbox.settled())) {
      await continueAsNew<typeof conversation>({ ...input, queue: mailbox.waiting() })
    }
    if (await condition(() => mailbox.waiting().length > 0, input.idle_ms)) continue
    await condition(allHandlersFinished)
    // Looked at once more: a message may have come in the very task in which the timer fired.
    if (mailbox.waiting().length === 0) return
  }
}

/** The turns in the hands of a conversation, and the one that runs. */
class Mailbox {
  readonly #queue: SubmitInput[]
  #running: { turn: SubmitInput; scope: CancellationScope } | undefined
  #updates = 0
  #lastUpdateAt = 0

  constructor(queue: SubmitInput[]) {
    this.#queue = queue
  }

  /** The validator: refuses cheaply, before anything is written. */
  refuse(turn: SubmitInput): void {
    if (this.holds(turn.turn_id)) return
    if (turn.on_busy === 'reject' && (this.#running || this.#queue.length > 0)) {
      throw ApplicationFailure.nonRetryable('The conversation is answering another message', BUSY)
    }
    if (this.#queue.length >= MAX_QUEUE) {
      throw ApplicationFailure.nonRetryable('Too many messages wait in this conversation', QUEUE_FULL)
    }
  }

  /** Takes a turn, or says again where it stands when its receipt was lost. */
  async submit(turn: SubmitInput): Promise<Receipt> {
    this.#updates += 1
    this.#lastUpdateAt = workflowInfo().historyLength
    if (!this.holds(turn.turn_id)) {
      if (turn.on_busy === 'interrupt') await this.#interrupt(turn)
      else this.#queue.push(turn)
      this.#describe()
    }
    const waitsBehind = this.#queue.findIndex(({ turn_id }) => turn_id === turn.turn_id)
    return { turn_id: turn.turn_id, position: waitsBehind < 0 ? 0 : waitsBehind + (this.#running ? 1 : 0) }
  }

  /** Takes the place of the running turn, and of messages that wanted it before; those that queue keep their order. */
  async #interrupt(turn: SubmitInput): Promise<void> {
    const overtaken = this.#queue.filter(({ on_busy }) => on_busy === 'interrupt')
    for (const each of overtaken) this.#queue.splice(this.#queue.indexOf(each), 1)
    this.#queue.unshift(turn)
    this.#running?.scope.cancel()
    for (const { turn_id } of overtaken) await finishTurn({ turn_id, status: 'cancelled' })
  }

  async cancel(turnId: string): Promise<void> {
    if (this.#running?.turn.turn_id === turnId) {
      this.#running.scope.cancel()
      return
    }
    const index = this.#queue.findIndex(({ turn_id }) => turn_id === turnId)
    if (index < 0) return
    this.#queue.splice(index, 1)
    this.#describe()
    await finishTurn({ turn_id: turnId, status: 'cancelled' })
  }

  holds(turnId: string): boolean {
    return this.#running?.turn.turn_id === turnId || this.#queue.some(({ turn_id }) => turn_id === turnId)
  }

  waiting(): SubmitInput[] {
    return this.#queue
  }

  /** Runs what waits, in order, until nothing does or the run has grown old enough to begin anew. */
  async runQueue(maxUpdates: number): Promise<void> {
    for (let turn = this.#queue.shift(); turn; turn = this.#queue.shift()) {
      const scope = new CancellationScope()
      this.#running = { turn, scope }
      this.#describe()
      try {
        await scope.run(() => runTurn(turn))
      } catch (error) {
        // The turn has recorded its own end; what went wrong with it must not end the conversation.
        if (!isCancellation(error)) log.warn('a turn failed', { turn_id: turn.turn_id })
      }
      this.#running = undefined
      this.#describe()
      if (this.isOld(maxUpdates)) return
    }
  }

  isOld(maxUpdates: number): boolean {
    return workflowInfo().continueAsNewSuggested || this.#updates >= maxUpdates
  }

  /** An update answered in the same task as continue-as-new can be lost (temporal #6375, 2026): let a task go by without one. */
  async settled(): Promise<boolean> {
    await condition(allHandlersFinished)
    if (this.#lastUpdateAt === workflowInfo().historyLength) await sleep(1)
    return this.#lastUpdateAt < workflowInfo().historyLength
  }

  #describe(): void {
    const running = this.#running ? `Answering ${this.#running.turn.turn_id}` : 'Idle'
    setCurrentDetails(this.#queue.length > 0 ? `${running}; ${this.#queue.length} waiting` : running)
  }
}

/** One turn as a child that outlives us if we end; when an earlier run of ours has started it already, we wait for it. */
async function runTurn(turn: SubmitInput): Promise<void> {
  const { turn_id, on_busy: _, ...labels } = turn
  try {
    await executeChild(chatTurn, {
      workflowId: workflowId.chatTurn(turn_id),
      args: [{ turn_id, ...labels }],
      workflowIdReusePolicy: 'REJECT_DUPLICATE',
      parentClosePolicy: 'ABANDON',
      cancellationType: 'WAIT_CANCELLATION_COMPLETED',
      workflowTaskTimeout: '5s',
      typedSearchAttributes: searchAttributesOf('turn', labels),
      staticSummary: `A message to ${turn.agent_id}`,
      priority: { priorityKey: 1 },
    })
  } catch (error) {
    if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error
    await awaitTurn(turn_id, true)
  }
}
