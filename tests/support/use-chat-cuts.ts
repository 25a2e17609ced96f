// A page with useChat that is reloaded while a reply streams.
import { seeded } from './seeded.ts'
import type { Stage } from './stage.ts'
import type { UseChatPage } from './use-chat-page.ts'
import { manyWords } from './words.ts'

/** Random numbers of words, ascending. */
export function cutsOf(seed: number, count: number, words: number): number[] {
  const random = seeded(seed)
  return Array.from({ length: count }, () => 1 + Math.floor(random() * (words - 2))).toSorted((a, b) => a - b)
}

/** Sends a message and reloads the page whenever it shows one of the words. @returns the texts shown at the end, and those expected */
export async function reloadAtWords(
  stage: Stage,
  page: UseChatPage,
  { words, cuts }: { words: number; cuts: number[] },
): Promise<{ shown: string[]; expected: string[] }> {
  const reply = manyWords('word', words)
  const cue = stage.model.script({ say: reply, pieces_per_second: 25 })
  await page.send(cue)
  for (const cut of cuts) {
    await page.shows(`word-${cut} `)
    await page.reload()
  }
  await page.shows(`word-${words}.`)
  await page.status('ready')
  return { shown: await page.shown(), expected: [cue, reply] }
}
