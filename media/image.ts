// Pictures made ready for models and people: upright, without private metadata, small enough. Decoded in a child process that can be killed.
import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { MediaFailure } from './failure.ts'
import type { ImageAnswer, ImageRequest } from './image-child.ts'
import {
  confined,
  LimitedProcess,
  ProgramFailed,
  type Command,
  type LimitedOptions,
  type ProcessLimits,
} from './limited-process.ts'
import { makeScratch, removeScratch } from './scratch.ts'

export interface ImageVariant {
  name: string
  /** Longest side, in pixels; smaller pictures stay as they are. */
  max_side: number
  max_bytes: number
  /** Left out: PNG for what is drawn, else JPEG. */
  format?: 'png' | 'webp'
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
  const decoder = takeIdle(options) ?? (await Decoder.start(options))
  const folder = await mkdtemp(join(decoder.folder, 'p-'))
  try {
    const prepared = await decoder.ask({ path, folder, variants, max_pixels: options.limits.max_pixels }, options)
    return await use(prepared)
  } catch (error) {
    // One that was only told what is wrong with a picture is as good as before.
    if (!(error instanceof MediaFailure)) await decoder.end()
    throw error
  } finally {
    await rm(folder, { recursive: true, force: true })
    keepIdle(decoder)
  }
}

class Decoder {
  readonly owner: string
  readonly memoryMb: number
  readonly folder: string
  pictures = 0
  timer: NodeJS.Timeout | undefined
  readonly #process: LimitedProcess
  #heard: (line: string) => void = () => {}

  static async start({ owner, limits }: ImageOptions): Promise<Decoder> {
    const folder = await makeScratch()
    await mkdir(folder, { recursive: true })
    return new Decoder(owner, limits.memory_mb, folder, await confined(decoderCommand(folder)))
  }

  private constructor(owner: string, memoryMb: number, folder: string, command: Command) {
    this.owner = owner
    this.memoryMb = memoryMb
    this.folder = folder
    this.#process = new LimitedProcess(command, { onLine: (line) => this.#heard(line) })
    void this.#process.exited.then(() => removeScratch(folder))
  }

  get alive(): boolean {
    return this.#process.alive
  }

  async ask(request: ImageRequest, { signal, limits }: ImageOptions): Promise<PreparedImage> {
    this.pictures += 1
    this.#process.hold(true)
    const watched: LimitedOptions = { signal, limits, what: 'picture' }
    const stop = this.#process.watch(watched)
    const { promise, resolve } = Promise.withResolvers<string>()
    this.#heard = resolve
    this.#process.write(JSON.stringify(request))
    try {
      const line = await Promise.race([promise, this.#process.result().then(() => '')])
      const answer: ImageAnswer = line === '' ? { error: 'it ended' } : JSON.parse(line)
      if ('failure' in answer) throw new MediaFailure(answer.failure.reason, answer.failure.message)
      if ('error' in answer) throw new Error(`Cannot read the picture: ${answer.error}`)
      return answer
    } catch (error) {
      if (error instanceof ProgramFailed)
        throw new MediaFailure('damaged', 'The picture makes its decoder crash', { cause: error })
      throw error
    } finally {
      stop()
      this.#process.hold(false)
    }
  }

  async end(): Promise<void> {
    await this.#process.kill()
    await removeScratch(this.folder)
  }
}

const SCRIPT = fileURLToPath(new URL('./image-child.ts', import.meta.url))

/** On the runtime that runs this; it may read, write into its folder, and load native code. */
function decoderCommand(folder: string): Command {
  const args = [SCRIPT, String(process.pid)]
  if ('Deno' in globalThis) {
    const allowed = [
      '--allow-read',
      `--allow-write=${folder}`,
      '--allow-ffi',
      '--allow-sys',
      '--allow-env',
      '--allow-run',
    ]
    return [process.execPath, ['run', '--no-prompt', '--node-modules-dir=manual', ...allowed, ...args]]
  }
  const allowed = ['--allow-fs-read=*', `--allow-fs-write=${folder}`, '--allow-addons', '--allow-worker']
  return [process.execPath, ['--permission', ...allowed, '--no-warnings', ...args]]
}

// Starting a decoder costs more than decoding a photograph, so it stays a little for the next one of the same owner.
let idle: Decoder[] = []

function takeIdle({ owner, limits }: ImageOptions): Decoder | undefined {
  const found = idle.find((each) => each.alive && each.owner === owner && each.memoryMb === limits.memory_mb)
  if (found) forget(found)
  return found
}

function keepIdle(decoder: Decoder): void {
  if (!decoder.alive) return
  if (decoder.pictures >= MOST_PICTURES) return void decoder.end()
  decoder.timer = setTimeout(() => {
    forget(decoder)
    void decoder.end()
  }, IDLE_MS).unref()
  idle.push(decoder)
  if (idle.length > MOST_IDLE) {
    const [oldest] = idle
    forget(oldest!)
    void oldest!.end()
  }
}

function forget(decoder: Decoder): void {
  clearTimeout(decoder.timer)
  idle = idle.filter((each) => each !== decoder)
}
