// What a tool call waits for people to decide. Rows say how they decided; workflows are only told to look, or find out by themselves.
import { condition, getExternalWorkflowHandle, setCurrentDetails, workflowInfo } from '@temporalio/workflow'
import { parked } from './messages.ts'

export class Gate {
  readonly #callId: string
  readonly #waiting = new Set<string>()
  /** Decisions that came before anybody waited for them. */
  readonly #known = new Set<string>()

  constructor(callId: string) {
    this.#callId = callId
  }

  /** Until somebody has decided, for as long as that takes: no timer runs and nothing is asked. */
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

  /** What was asked while the call was under way is no longer waited for, because that is over. */
  async goOn(): Promise<void> {
    if (this.#waiting.size === 0) return
    this.#waiting.clear()
    await this.#tell(false)
  }

  /** The turn's time stands still meanwhile. A turn that is gone does not mind. */
  async #tell(waits: boolean): Promise<void> {
    const { parent } = workflowInfo()
    if (!parent) return
    const turn = getExternalWorkflowHandle(parent.workflowId, parent.runId)
    // Thrown in a handler, a cancellation would end the workflow before it has recorded its end.
    await turn.signal(parked, { call_id: this.#callId, waits }).catch(() => undefined)
  }
}
