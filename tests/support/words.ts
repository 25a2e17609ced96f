// Text of which every piece is recognisable, so that a lost, doubled or misplaced one is seen.

/** `attempt 1 word 1, attempt 1 word 2, …`, ended by a full stop. */
export function manyWords(name: string, words: number): string {
  return `${Array.from({ length: words }, (_, index) => `${name}-${index + 1}`).join(' ')}.`
}
