// Shortens values that errors repeat from a request.

const MOST = 100

/** The beginning of a text, marked where it was cut. */
export function shorten(text: string): string {
  return text.length > MOST ? `${text.slice(0, MOST)}…` : text
}
