// Whether an error is the end of the call stack.

/** JavaScript engines throw a plain RangeError for it, which only its text tells from others. */
export function isStackOverflow(error: unknown): boolean {
  return error instanceof RangeError && /call stack/i.test(error.message)
}
