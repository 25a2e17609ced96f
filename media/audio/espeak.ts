// Offline text to speech by espeak-ng.
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { encodeAudio, type SpeechFormat } from './audio.ts'
import type { AudioLimits } from './ffmpeg.ts'
import { runLimited, succeeds } from '../process/limited-process.ts'
import { inScratch } from '../process/scratch.ts'

/** Words per minute at speed 1. */
const PACE = 170
const MIN_PACE = 80
const MAX_PACE = 450
/** Names of OpenAI's voices, so that clients work with either synthesizer. */
const VOICES: Record<string, string> = {
  alloy: 'en-us',
  ash: 'en-us+m3',
  ballad: 'en-gb+m3',
  cedar: 'en-us+m4',
  coral: 'en-us+f2',
  echo: 'en-us+m1',
  fable: 'en-gb+m2',
  marin: 'en-us+f1',
  nova: 'en-us+f3',
  onyx: 'en-us+m7',
  sage: 'en-us+f4',
  shimmer: 'en-us+f5',
  verse: 'en-us+m5',
}

export interface SpokenText {
  text: string
  /** OpenAI's name of one, or espeak-ng's own, such as `sv` or `en-gb+f3`. */
  voice: string
  format: SpeechFormat
  speed: number
}

/** Whether espeak-ng can be started here. */
export function hasEspeak(): Promise<boolean> {
  return succeeds('espeak-ng', ['--version'])
}

/** Synthesizes a text. @throws MediaFailure, ProgramFailed, or the signal's reason */
export function speakOffline(
  { text, voice, format, speed }: SpokenText,
  options: { signal: AbortSignal; limits: AudioLimits },
): Promise<Buffer> {
  return inScratch(async (folder) => {
    const wav = join(folder, 'said.wav')
    const pace = Math.round(Math.min(MAX_PACE, Math.max(MIN_PACE, PACE * speed)))
    const args = ['-v', VOICES[voice] ?? voice, '-s', String(pace), '-w', wav, '--stdin']
    await runLimited(['espeak-ng', args], { ...options, what: 'text', input: text })
    if (format === 'wav') return readFile(wav)
    const target = join(folder, 'said')
    await encodeAudio(wav, target, format, options)
    return readFile(target)
  })
}
