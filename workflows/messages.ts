// Every message that a workflow takes, declared once with its types; senders and handlers use these same objects.
import { defineSignal } from '@temporalio/workflow'
import { QUESTION_SIGNALS, type ParkedCall } from '../contracts/engine.ts'

/** A person has decided on an approval that a call waits for; the row says how. */
export const decided = defineSignal<[string]>(QUESTION_SIGNALS.decided)

/** The server has a question, while its call is under way: the approval that holds it. */
export const asked = defineSignal<[string]>(QUESTION_SIGNALS.asked)

/** A call of the turn waits for people, or goes on. */
export const parked = defineSignal<[ParkedCall]>('parked')

/** The worker that held an MCP server is gone. */
export const holderLost = defineSignal('holderLost')
