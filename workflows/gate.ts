// Approvals and questions that a tool call waits for. The decision is in a row; signals only tell the workflow to read it,
// and it also reads on its own.
import { condition, getExternalWorkflowHandle, setCurrentDetails, workflowInfo } from '@temporalio/workflow'
import { parked } from './messages.ts'

export class Gate {
  readonly #callId: string
  readonly #waiting = new Set<string>()
  /** Decisions that arrived before the call waited for them. */
  readonly #known = new Set<string>()

  constructor(callId: string) {
    this.#callId = callId
  }

  /** Waits for the decision, without a limit: no timer runs and nothing is polled. */
  async wait(approvalId: string): Promise<void> {
    setCurrentDetails(`Waiting for ${approvalId}`)
    await this.asked(approvalId)
    await condition(() => this.#known.has(approvalId))
    this.#known.delete(approvalId)
  }

  async asked(approvalId: string): Promise<void> {
    if (this.#known.has(approvalId)) return
    this.#waiting.add(approvalId)
    if (this.#waiting.size === 1) await this.#tell(true)
  }

  async decided(approvalId: string): Promise<void> {
    this.#known.add(approvalId)
    if (this.#waiting.delete(approvalId) && this.#waiting.size === 0) await this.#tell(false)
  }

  /** Stops waiting for questions that were asked during the call, because the call is over. */
  async goOn(): Promise<void> {
    if (this.#waiting.size === 0) return
    this.#waiting.clear()
    await this.#tell(false)
  }

  /** The turn's deadline is paused meanwhile. A signal to a closed turn is ignored. */
  async #tell(waits: boolean): Promise<void> {
    const { parent } = workflowInfo()
    if (!parent) return
    const turn = getExternalWorkflowHandle(parent.workflowId, parent.runId)
    // Thrown in a handler, a cancellation would end the workflow before it has recorded its end.
    await turn.signal(parked, { call_id: this.#callId, waits }).catch(() => undefined)
  }
}
