// Text with distinguishable words, so that a lost, duplicated or misplaced one is detected.

/** `attempt 1 word 1, attempt 1 word 2, …`, ended by a full stop. */
export function manyWords(name: string, words: number): string {
  return `${Array.from({ length: words }, (_, index) => `${name}-${index + 1}`).join(' ')}.`
}
