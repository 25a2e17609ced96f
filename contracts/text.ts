// The text of a message after applying its events, including resets: the definition of "the text of a turn".
import type { StoredEvent } from './events.ts'

/** Folds events into the displayed text. */
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

  /** The text before a step. */
  before(step: number): string {
    return this.#before.get(step) ?? this.text
  }
}

/** The displayed text after a list of events. */
export function shownText(events: Iterable<Pick<StoredEvent, 'type' | 'data'>>): ShownText {
  const shown = new ShownText()
  for (const event of events) shown.apply(event)
  return shown
}
