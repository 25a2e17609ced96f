// Every message that a workflow takes, declared once with its types; senders and handlers use these same objects.
import { defineQuery, defineSignal, defineUpdate } from '@temporalio/workflow'
import { QUESTION_SIGNALS, type ParkedCall, type Receipt, type SubmitInput } from '../contracts/engine.ts'

/** Hands a turn to the conversation; answered when it is accepted. */
export const submit = defineUpdate<Receipt, [SubmitInput]>('submit')

/** Drops a queued turn or cancels the running one. */
export const cancelTurn = defineSignal<[string]>('cancelTurn')

/** Whether the conversation has a turn in its hands, queued or running. */
export const holds = defineQuery<boolean, [string]>('holds')

/** A person has decided on an approval that a call waits for; the row says how. */
export const decided = defineSignal<[string]>(QUESTION_SIGNALS.decided)

/** The server has a question, while its call is under way: the approval that holds it. */
export const asked = defineSignal<[string]>(QUESTION_SIGNALS.asked)

/** A call of the turn waits for people, or goes on. */
export const parked = defineSignal<[ParkedCall]>('parked')

/** The worker that held an MCP server is gone. */
export const holderLost = defineSignal('holderLost')

/** `type` of the failure with which `submit` is refused when `on_busy` is `reject` and a turn is under way. */
export const BUSY = 'Busy'
/** `type` of the failure with which `submit` is refused when too many turns wait. */
export const QUEUE_FULL = 'QueueFull'
