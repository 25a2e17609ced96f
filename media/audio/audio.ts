// Preparation of recordings for speech to text, by ffmpeg: mono at 16 kHz, normalized, with detected silences; segments are
// cut without decoding again.
import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import { MediaFailure } from '../failure.ts'
import { decode } from './decode.ts'
import { type AudioOptions, ffmpeg, ONLY_FILES } from './ffmpeg.ts'
import type { Notice } from '../../contracts/notices.ts'

export interface Span {
  from_ms: number
  to_ms: number
}

/** Metadata of an uploaded recording. */
export interface AudioFacts {
  /** ffmpeg's names. */
  format: string
  codec: string
  channels: string
  sample_rate: number
  /** Of the decoded audio. */
  duration_ms: number
  /** The declared duration exceeds the decoded one. */
  truncated: boolean
  /** Before normalization; undefined for silence. */
  loudness_lufs?: number
}

export interface PreparedAudio {
  facts: AudioFacts
  /** WAV, 16 kHz, mono, 16 bits. */
  path: string
  silences: Span[]
  /** Tracks that were left out. */
  notices: Notice[]
}

const RATE = 16_000
const BYTES_A_SECOND = RATE * 2
const WAV_HEADER = 44
/** Target loudness of speech, and largest gain. */
const TARGET_LUFS = -19
const MOST_GAIN_DB = 30
/** Threshold and duration of silence, after normalization. */
const SILENCE = 'noise=-42dB:d=0.4'
/** Encoders pad: a recording is truncated when more than this is missing of its declared duration. */
const MISSING_SHARE = 0.03
const MISSING_MS = 1_000

/**
 * Decodes the sound of a recording or video into a folder: all its channels, and its tracks unless they are translations.
 * @throws MediaFailure, or the signal's reason
 */
export async function prepareAudio(
  path: string,
  folder: string,
  { denoise = false, ...options }: AudioOptions & { denoise?: boolean },
): Promise<PreparedAudio> {
  if ((await stat(path)).size === 0) throw new MediaFailure('empty', 'The file is empty')
  const { max_seconds } = options.limits
  const pcm = join(folder, 'sound.pcm')
  const cleaned = denoise ? 'highpass=f=80,afftdn=nf=-25,' : ''
  const { told, loudness, notices } = await decode(path, folder, { to: pcm, cleaned, ...options })
  const duration_ms = Math.round(((await stat(pcm)).size / BYTES_A_SECOND) * 1_000)
  if (duration_ms === 0) throw new MediaFailure('empty', 'The recording holds no sound')
  if (duration_ms > max_seconds * 1_000)
    throw new MediaFailure('too_long', `The recording is longer than ${max_seconds} seconds, which is the limit`)
  const wav = join(folder, 'sound.wav')
  const gain = loudness === undefined ? 0 : clamp(TARGET_LUFS - loudness, MOST_GAIN_DB)
  const heard = await ffmpeg(
    ['-f', 's16le', '-ar', String(RATE), '-ac', '1', '-i', pcm],
    ['-af', `volume=${gain.toFixed(2)}dB,alimiter=limit=0.9:level=false,silencedetect=${SILENCE}`],
    ['-map_metadata', '-1', '-fflags', '+bitexact', '-c:a', 'pcm_s16le', '-f', 'wav', wav],
    options,
  )
  return {
    path: wav,
    notices,
    facts: { ...factsOf(told, duration_ms), duration_ms, ...(loudness !== undefined && { loudness_lufs: loudness }) },
    silences: loudness === undefined ? [{ from_ms: 0, to_ms: duration_ms }] : silencesOf(heard, duration_ms),
  }
}

/** Longest segment, and shortest silence that is dropped, in milliseconds. */
const MAX_SEGMENT_MS = 60_000
const MIN_SEGMENT_MS = 20_000
const LEFT_OUT_MS = 2_000
/** Margin around speech, whose beginning and end are quiet. */
const MARGIN_MS = 200

/** The segments of a recording with sound, cut at silences if possible; none when all of it is silent. */
export function segmentsOf(silences: readonly Span[], durationMs: number): Span[] {
  const segments: Span[] = []
  for (const stretch of soundOf(silences, durationMs)) {
    let from = stretch.from_ms
    while (stretch.to_ms - from > MAX_SEGMENT_MS) {
      const cut = bestCut(silences, from + MIN_SEGMENT_MS, from + MAX_SEGMENT_MS) ?? from + MAX_SEGMENT_MS
      segments.push({ from_ms: from, to_ms: cut })
      from = cut
    }
    segments.push({ from_ms: from, to_ms: stretch.to_ms })
  }
  return segments
}

/** The spans between long silences. Short spans near each other are joined. */
function soundOf(silences: readonly Span[], durationMs: number): Span[] {
  const stretches: Span[] = []
  let from = 0
  for (const silence of [...silences, { from_ms: durationMs, to_ms: durationMs }]) {
    const last = silence.from_ms >= durationMs
    if (!last && silence.to_ms - silence.from_ms < LEFT_OUT_MS) continue
    const to = Math.min(durationMs, silence.from_ms + MARGIN_MS)
    if (silence.from_ms > from) stretches.push({ from_ms: Math.max(0, from - MARGIN_MS), to_ms: to })
    from = silence.to_ms
  }
  return stretches
}

/** The middle of the longest silence between two times. */
function bestCut(silences: readonly Span[], after: number, before: number): number | undefined {
  const middles = silences
    .map(({ from_ms, to_ms }) => ({ length: to_ms - from_ms, middle: Math.round((from_ms + to_ms) / 2) }))
    .filter(({ middle }) => middle > after && middle < before)
  return middles.toSorted((a, b) => b.length - a.length || b.middle - a.middle)[0]?.middle
}

/** The byte range (first and last byte) of a segment in a prepared recording. */
export function rangeOfSegment({ from_ms, to_ms }: Span): { start: number; end: number } {
  return { start: WAV_HEADER + sampleOf(from_ms), end: WAV_HEADER + sampleOf(to_ms) - 1 }
}

/** A segment of a prepared recording as a WAV file. */
export function segmentAsWav(samples: Uint8Array): Buffer {
  return writeHeader(Buffer.concat([Buffer.alloc(WAV_HEADER), samples]))
}

function sampleOf(ms: number): number {
  return Math.round((ms * RATE) / 1_000) * 2
}

function writeHeader(wav: Buffer): Buffer {
  wav.write('RIFF', 0, 'latin1')
  wav.writeUInt32LE(wav.length - 8, 4)
  wav.write('WAVEfmt ', 8, 'latin1')
  wav.writeUInt32LE(16, 16)
  wav.writeUInt16LE(1, 20)
  wav.writeUInt16LE(1, 22)
  wav.writeUInt32LE(RATE, 24)
  wav.writeUInt32LE(BYTES_A_SECOND, 28)
  wav.writeUInt16LE(2, 32)
  wav.writeUInt16LE(16, 34)
  wav.write('data', 36, 'latin1')
  wav.writeUInt32LE(wav.length - WAV_HEADER, 40)
  return wav
}

export type SpeechFormat = 'mp3' | 'opus' | 'aac' | 'flac' | 'wav' | 'pcm'

/** ffmpeg's output arguments for each format. */
const ENCODERS: Record<SpeechFormat, string[]> = {
  mp3: ['-c:a', 'libmp3lame', '-b:a', '64k', '-f', 'mp3'],
  opus: ['-c:a', 'libopus', '-b:a', '32k', '-f', 'ogg'],
  aac: ['-c:a', 'aac', '-b:a', '64k', '-f', 'adts'],
  flac: ['-c:a', 'flac', '-f', 'flac'],
  wav: ['-c:a', 'pcm_s16le', '-f', 'wav'],
  // Same as OpenAI's: 24 kHz, 16 bits, mono.
  pcm: ['-ar', '24000', '-ac', '1', '-f', 's16le'],
}

/** Converts audio to another format. @throws MediaFailure, or the signal's reason */
export async function encodeAudio(
  from: string,
  to: string,
  format: SpeechFormat,
  options: AudioOptions,
): Promise<void> {
  await ffmpeg([...ONLY_FILES, '-i', from], ['-map_metadata', '-1'], [...ENCODERS[format], to], options)
}

function factsOf(told: string, decodedMs: number): Omit<AudioFacts, 'duration_ms' | 'loudness_lufs'> {
  const [, format = 'unknown'] = /^Input #0, (.+?), from /m.exec(told) ?? []
  const [, codec = 'unknown', rate = '0', channels = 'unknown'] =
    /Stream #0:\d+.*?: Audio: (\w+).*?, (\d+) Hz, ([^,\n]+)/.exec(told) ?? []
  const [, hours, minutes, seconds] = /^ +Duration: (\d+):(\d+):([\d.]+)/m.exec(told) ?? []
  const declared = (Number(hours ?? 0) * 3_600 + Number(minutes ?? 0) * 60 + Number(seconds ?? 0)) * 1_000
  const truncated = declared - decodedMs > Math.max(MISSING_MS, declared * MISSING_SHARE)
  return { format, codec, channels, sample_rate: Number(rate), truncated }
}

function silencesOf(told: string, durationMs: number): Span[] {
  const silences: Span[] = []
  for (const [, word, seconds] of told.matchAll(/silence_(start|end): (-?[\d.]+(?:e-?\d+)?)/g)) {
    const ms = Math.min(durationMs, Math.max(0, Math.round(Number(seconds) * 1_000)))
    if (word === 'start') silences.push({ from_ms: ms, to_ms: durationMs })
    else if (silences.length > 0) silences.at(-1)!.to_ms = ms
  }
  return silences
}

function clamp(value: number, most: number): number {
  return Math.min(most, Math.max(-most, value))
}
