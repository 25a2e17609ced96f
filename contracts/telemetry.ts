// What is measured where it happens, for the part of the process that counts it; without one, publishing does nothing.
import { channel } from 'node:diagnostics_channel'
import type { JobKind, JobStatus } from './job.ts'
import type { FinalStatus } from './turn.ts'

/** One kind of measurement. */
export class Measurement<T> {
  readonly #name: string

  constructor(name: string) {
    this.#name = `muxi:${name}`
  }

  publish(value: T): void {
    channel(this.#name).publish(value)
  }

  /** Calls the listener with each value that is published in this thread. @returns a function that ends it */
  subscribe(listener: (value: T) => void): () => void {
    const listen = (value: unknown) => listener(value as T)
    channel(this.#name).subscribe(listen)
    return () => channel(this.#name).unsubscribe(listen)
  }
}

interface ModelCallMeasured {
  provider: string
  model: string
  kind: string
  input_tokens: number
  output_tokens: number
  cost_usd: number
}

/** A request to a model whose usage is known. */
export const modelCallEnded = new Measurement<ModelCallMeasured>('model-call-ended')
export const turnEnded = new Measurement<{ status: FinalStatus }>('turn-ended')
export const jobEnded = new Measurement<{ kind: JobKind; status: JobStatus }>('job-ended')
export const toolCallEnded = new Measurement<{ status: string }>('tool-call-ended')
