// ffmpeg, the program that decodes and encodes recordings.
import { stat } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { MediaFailure } from '../failure.ts'
import {
  type LimitedOptions,
  ProgramFailed,
  runLimited,
  succeeds,
  type ProcessLimits,
} from '../process/limited-process.ts'

export type AudioLimits = ProcessLimits & { max_seconds: number }

export interface AudioOptions {
  signal: AbortSignal
  limits: AudioLimits
}

/** Formats that ffmpeg may open; playlists and network protocols are excluded. */
const FORMATS = 'mov,mp4,m4a,3gp,3g2,mj2,mp3,wav,w64,ogg,matroska,webm,flac,aac,aiff,caf,amr'
export const ONLY_FILES = ['-protocol_whitelist', 'file,pipe', '-format_whitelist', FORMATS]

/** Runs ffmpeg. @returns its log */
export async function ffmpeg(
  input: string[],
  work: string[],
  output: string[],
  options: AudioOptions,
): Promise<string> {
  const { output_bytes } = options.limits
  const limited: LimitedOptions = { ...options, what: 'recording' }
  const quiet = ['-hide_banner', '-nostdin', '-nostats', '-y', '-threads', '1']
  const target = output.at(-1)!
  const args = [...quiet, ...input, ...work, '-fs', String(output_bytes), ...output]
  try {
    const told = await runLimited([await findFfmpeg(), args], limited)
    if ((await stat(target)).size >= output_bytes)
      throw new MediaFailure('too_much_output', `The recording decodes to more than ${output_bytes} bytes`)
    return told
  } catch (error) {
    throw error instanceof ProgramFailed ? toMediaFailure(error) : error
  }
}

/** ffmpeg exits with the same code for every file that it cannot read: only its text tells them apart. */
function toMediaFailure(error: ProgramFailed): Error {
  const { stderr } = error
  if (/matches no streams|does not contain any stream/i.test(stderr))
    return new MediaFailure('empty', 'The recording holds no sound', { cause: error })
  if (
    /not on whitelist|Invalid data found when processing input|Format .* not/i.test(stderr) &&
    !/Input #0/.test(stderr)
  )
    return new MediaFailure('not_a_recording', 'The file is no recording that can be read', { cause: error })
  return new MediaFailure('damaged', 'The recording is damaged and cannot be read', { cause: error })
}

let found: Promise<string> | undefined

/** The system's ffmpeg, otherwise the one installed with muxi. @throws Error that says what to do */
export function findFfmpeg(): Promise<string> {
  found ??= find().catch((error: unknown) => {
    found = undefined
    throw error
  })
  return found
}

async function find(): Promise<string> {
  if (await succeeds('ffmpeg', ['-version'])) return 'ffmpeg'
  try {
    const { path } = createRequire(import.meta.url)('@ffmpeg-installer/ffmpeg') as { path: string }
    if (await succeeds(path, ['-version'])) return path
  } catch {
    // not available for this platform
  }
  throw new MediaFailure(
    'no_decoder',
    'Cannot read sound: ffmpeg is neither on the PATH nor installed with muxi (apt install ffmpeg)',
  )
}
