// What errors repeat of a request is short, however long it was.

const MOST = 100

/** The beginning of a text, marked where it was cut. */
export function shorten(text: string): string {
  return text.length > MOST ? `${text.slice(0, MOST)}…` : text
}
