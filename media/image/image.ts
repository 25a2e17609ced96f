// Image variants for models and users: upright, without private metadata, within size limits. Decoded in a child process that can be killed.
import { writeFile } from 'node:fs/promises'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { type ChildKind, scriptCommand } from '../process/child-kind.ts'
import { withChild } from '../process/child-pool.ts'
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
  /** Most parts of a picture so long that its text could not be read when scaled; default: one. */
  max_tiles?: number
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
  /** Of its variant. The parts of a long picture have the same, after the whole of it, `<name>-whole`. */
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

const DECODER: ChildKind = {
  what: 'picture',
  writes: true,
  most: Math.max(2, availableParallelism()),
  command: scriptCommand(new URL('image-child.ts', import.meta.url)),
}

/**
 * Makes variants of an image. Their files are deleted after `use`.
 * @param source path of a file, or its bytes
 * @throws MediaFailure, or the signal's reason
 */
export async function withPreparedImage<T>(
  source: string | Uint8Array,
  variants: ImageVariant[],
  { owner, limits, signal, page }: ImageOptions,
  use: (prepared: PreparedImage) => Promise<T>,
): Promise<T> {
  signal.throwIfAborted()
  return withChild(DECODER, { owner, memory_mb: limits.memory_mb }, (decoder) =>
    decoder.inFolder(async (folder) => {
      const path = typeof source === 'string' ? source : join(folder, 'source')
      if (typeof source !== 'string') await writeFile(path, source)
      const request: ImageRequest = { path, folder, variants, max_pixels: limits.max_pixels, page }
      return use(await decoder.ask<PreparedImage>(request, { signal, limits }))
    }),
  )
}
