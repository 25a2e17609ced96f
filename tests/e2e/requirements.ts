// What is promised, as data: each e2e test cites the id of the promise it keeps, and a unit test finds ids that nobody cites.

export const REQUIREMENTS = {
  'worker-killed.other-worker': 'kill -9 of a worker while a reply streams: withdrawn, told again whole by another worker, next token within 10 s',
} as const

export type Requirement = keyof typeof REQUIREMENTS

/** The name of a test: the promise it keeps, and what it does in a sentence. */
export function keeps(id: Requirement, sentence: string): string {
  return `[${id}] ${sentence}`
}
