// Image variants for models and users: upright, without private metadata, within size limits. Decoded in a child process that can be killed.
import { rm } from 'node:fs/promises'
import { RpcProgram } from '../process/rpc-program.ts'
import { MediaFailure } from '../failure.ts'
import type { ProcessLimits } from '../process/limited-process.ts'

export interface ImageVariant {
  name: string
  /** Longest side, in pixels; smaller images are not scaled. */
  max_side: number
  max_bytes: number
  /** Limit of its pixels, instead of its side. */
  max_pixels?: number
  /** Default: PNG for drawings, otherwise JPEG. */
  format?: 'png' | 'webp'
}

export interface ImageRequest {
  path: string
  /** Folder of the variants. */
  folder: string
  variants: ImageVariant[]
  max_pixels: number
  /** Of a picture with several, from 0; default: the first. */
  page?: number | undefined
}

/** The variant for OCR, which scales it by the height of its letters: small print and long pictures keep their size. */
export const READABLE: ImageVariant = {
  name: 'readable',
  max_side: Number.MAX_SAFE_INTEGER,
  max_pixels: 24_000_000,
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

/** Metadata of the uploaded image; private fields are stored only here. */
export interface ImageFacts {
  type: string
  /** Upright. */
  width: number
  height: number
  frames: number
  /** Of a TIFF; frames of a film are no pages. */
  pages: number
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
  /** The image's owner: a decoder process serves one owner only. */
  owner: string
  /** Of a picture with several pages, from 0; default: the first. */
  page?: number
}

/** Idle timeout of a decoder, in milliseconds, and number of images after which it is replaced. */
const IDLE_MS = 5_000
const MOST_IDLE = 2
const MOST_PICTURES = 100

/**
 * Makes variants of an image. Their files are deleted after `use`.
 * @throws MediaFailure, or the signal's reason
 */
export async function withPreparedImage<T>(
  path: string,
  variants: ImageVariant[],
  options: ImageOptions,
  use: (prepared: PreparedImage) => Promise<T>,
): Promise<T> {
  options.signal.throwIfAborted()
  const { owner, limits, signal, page } = options
  const decoder = takeIdle(options) ?? {
    program: await RpcProgram.start(new URL('image-child.ts', import.meta.url)),
    owner,
    memoryMb: limits.memory_mb,
  }
  const folder = await decoder.program.makeFolder()
  try {
    const request: ImageRequest = { path, folder, variants, max_pixels: limits.max_pixels, page }
    return await use(await decoder.program.ask<PreparedImage>(request, { signal, limits, what: 'picture' }))
  } catch (error) {
    // A decoder that reported a faulty image can be reused.
    if (!(error instanceof MediaFailure)) await decoder.program.end()
    throw error
  } finally {
    await rm(folder, { recursive: true, force: true })
    keepIdle(decoder)
  }
}

interface Decoder {
  program: RpcProgram
  owner: string
  memoryMb: number
  timer?: NodeJS.Timeout
}

// Starting a decoder costs more than decoding a photograph, so it is kept idle for the next one of the same owner.
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
