/** Text without NUL, which Postgres does not store: it is replaced in both databases, and in what is delivered before it is stored. */
export function withoutNul(text: string): string {
  return text.includes('\0') ? text.replaceAll('\0', '\uFFFD') : text
}
