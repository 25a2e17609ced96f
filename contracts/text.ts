// What a client shows of a message after applying its events, resets included: the one definition of "the text of a turn".
import type { StoredEvent } from './events.ts'

/** Folds events into the text they leave on the screen. */
export class ShownText {
  text = ''
  readonly #before = new Map<number, string>()

  apply(event: Pick<StoredEvent, 'type' | 'data'>): void {
    if (event.type === 'content') {
      const { step, content } = event.data as { step: number; content: string }
      if (!this.#before.has(step)) this.#before.set(step, this.text)
      this.text += content
    } else if (event.type === 'content_reset') {
      const { step, content } = event.data as { step: number; content: string }
      this.text = content
      this.#before.set(step, content)
    }
  }

  /** What stood before the first word of a step. */
  before(step: number): string {
    return this.#before.get(step) ?? this.text
  }
}

/** The text that a list of events leaves. */
export function shownText(events: Iterable<Pick<StoredEvent, 'type' | 'data'>>): ShownText {
  const shown = new ShownText()
  for (const event of events) shown.apply(event)
  return shown
}
