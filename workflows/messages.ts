// Every message that a workflow handles, declared once with its types; senders and handlers use these same objects.
import { defineSignal } from '@temporalio/workflow'
import { QUESTION_SIGNALS } from '../contracts/approval.ts'
import type { ParkedCall } from '../contracts/turn.ts'

/** An approval that a call waits for has been decided; the row holds the decision. */
export const decided = defineSignal<[string]>(QUESTION_SIGNALS.decided)

/** The server has asked a question during its call: the id of the approval row that holds it. */
export const asked = defineSignal<[string]>(QUESTION_SIGNALS.asked)

/** A call of the turn starts to wait for a person, or stops waiting. */
export const parked = defineSignal<[ParkedCall]>('parked')

/** The outbox of the conversation has another row. */
export const outboxFilled = defineSignal('outboxFilled')

/** The worker that owned an MCP server has died. */
export const holderLost = defineSignal('holderLost')
