// Pages into passages of about a paragraph: whole sentences, under their heading, with their page.
import type { Page } from './parse-document.ts'

export interface Chunk {
  text: string
  /** The page on which it begins. */
  page: number
  heading?: string
  /** From 0 within one call. */
  position: number
}

export interface ChunkOptions {
  /** Wanted length, in characters. */
  target?: number
  /** Text repeated from the chunk before, in characters at most. */
  overlap?: number
}

/** Cuts pages into chunks, in linear time. */
export function chunkPages(_pages: Page[], _options: ChunkOptions = {}): Chunk[] {
  throw new Error('not yet')
}
