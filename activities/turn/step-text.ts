// The text of a step as the model gives it, written to the event log and set off from what earlier steps have shown.
import type { EventLog } from '../../db/event-log.ts'
import { TextWriter, type TextKind } from '../../db/text-writer.ts'
import type { Writer } from '../../db/event-rows.ts'
import type { Delta } from '../../providers/provider.ts'

/** Stands between the texts of two steps of one reply. */
export const STEP_SEPARATOR = '\n\n'

export class StepText {
  content = ''
  readonly #writer: TextWriter
  readonly #separator: string

  constructor(events: EventLog, turnId: string, writer: Writer, step: number, shown: string) {
    this.#writer = new TextWriter(events, turnId, writer, step)
    this.#separator = shown === '' ? '' : STEP_SEPARATOR
  }

  /** Aborts when a write fails, with the failure as reason. */
  get failed(): AbortSignal {
    return this.#writer.failed
  }

  /** Writes the text of a reply as it streams; reasoning is not shown. */
  readonly onDelta = async ({ type, text }: Delta): Promise<void> => {
    if (type === 'text' || type === 'refusal') await this.write(text, type)
  }

  async write(piece: string, type: TextKind = 'text'): Promise<void> {
    if (piece === '') return
    const written = this.content === '' ? this.#separator + piece : piece
    this.content += piece
    await this.#writer.write(written, type)
  }

  /** Resolves when everything written is committed. @throws RefusedError */
  flush(): Promise<void> {
    return this.#writer.flush()
  }
}
