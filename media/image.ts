// Pictures made ready for models and people: upright, without private metadata, small enough. Decoded in a child process that can be killed.
import { rm } from 'node:fs/promises'
import { AskedProgram } from './asked-program.ts'
import { MediaFailure } from './failure.ts'
import type { ImageRequest } from './image-child.ts'
import type { ProcessLimits } from './limited-process.ts'

export interface ImageVariant {
  name: string
  /** Longest side, in pixels; smaller pictures stay as they are. */
  max_side: number
  max_bytes: number
  /** Left out: PNG for what is drawn, else JPEG. */
  format?: 'png' | 'webp'
}

/** What OCR reads. Small print needs pixels; a page at 300 dpi has this many. */
export const READABLE: ImageVariant = {
  name: 'readable',
  max_side: 3_508,
  max_bytes: Number.MAX_SAFE_INTEGER,
  format: 'png',
}

export interface ImageFile {
  name: string
  path: string
  media_type: string
  width: number
  height: number
  size: number
}

/** What is known of the picture as it came; what is private in it stays with these facts. */
export interface ImageFacts {
  type: string
  /** Upright. */
  width: number
  height: number
  frames: number
  has_alpha: boolean
  orientation?: number
  exif?: Record<string, unknown>
}

export interface PreparedImage {
  facts: ImageFacts
  files: ImageFile[]
}

export type ImageLimits = ProcessLimits & { max_pixels: number }

export interface ImageOptions {
  signal: AbortSignal
  limits: ImageLimits
  /** Whose picture it is: a decoder sees the pictures of one owner only. */
  owner: string
}

/** How long a decoder waits for the next picture of its owner, in milliseconds, and how many it decodes. */
const IDLE_MS = 5_000
const MOST_IDLE = 2
const MOST_PICTURES = 100

/**
 * Makes variants of a picture. Their files are gone when `use` has ended.
 * @throws MediaFailure, or the signal's reason
 */
export async function withPreparedImage<T>(
  path: string,
  variants: ImageVariant[],
  options: ImageOptions,
  use: (prepared: PreparedImage) => Promise<T>,
): Promise<T> {
  options.signal.throwIfAborted()
  const { owner, limits, signal } = options
  const decoder = takeIdle(options) ?? {
    program: await AskedProgram.start('./image-child.ts'),
    owner,
    memoryMb: limits.memory_mb,
  }
  const folder = await decoder.program.makeFolder()
  try {
    const request: ImageRequest = { path, folder, variants, max_pixels: limits.max_pixels }
    return await use(await decoder.program.ask<PreparedImage>(request, { signal, limits, what: 'picture' }))
  } catch (error) {
    // One that was only told what is wrong with a picture is as good as before.
    if (!(error instanceof MediaFailure)) await decoder.program.end()
    throw error
  } finally {
    await rm(folder, { recursive: true, force: true })
    keepIdle(decoder)
  }
}

interface Decoder {
  program: AskedProgram
  owner: string
  memoryMb: number
  timer?: NodeJS.Timeout
}

// Starting a decoder costs more than decoding a photograph, so it stays a little for the next one of the same owner.
let idle: Decoder[] = []

function takeIdle({ owner, limits }: ImageOptions): Decoder | undefined {
  const found = idle.find((each) => each.program.alive && each.owner === owner && each.memoryMb === limits.memory_mb)
  if (found) forget(found)
  return found
}

function keepIdle(decoder: Decoder): void {
  if (!decoder.program.alive) return
  if (decoder.program.asked >= MOST_PICTURES) return void decoder.program.end()
  decoder.timer = setTimeout(() => {
    forget(decoder)
    void decoder.program.end()
  }, IDLE_MS).unref()
  idle.push(decoder)
  if (idle.length > MOST_IDLE) {
    const [oldest] = idle
    forget(oldest!)
    void oldest!.program.end()
  }
}

function forget(decoder: Decoder): void {
  clearTimeout(decoder.timer)
  idle = idle.filter((each) => each !== decoder)
}
