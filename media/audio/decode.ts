// Decoding of all tracks and channels of a recording to one channel of 16 kHz.
import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { Notice } from '../../contracts/notices.ts'
import { type AudioOptions, ffmpeg, ONLY_FILES } from './ffmpeg.ts'
import { mixTracks, type PcmTrack } from './mix.ts'

const RATE = 16_000
/** Rumble below speech would be taken for it. */
const WITHOUT_RUMBLE = 'highpass=f=90'
const LOUDNESS = 'ebur128=framelog=verbose'

interface DecodeOptions extends AudioOptions {
  /** Path of the samples. */
  to: string
  /** Filters of ffmpeg before all others, each followed by a comma. */
  cleaned: string
}

export interface Decoded {
  /** ffmpeg's log of the recording. */
  told: string
  /** undefined for silence */
  loudness: number | undefined
  notices: Notice[]
}

/** Decodes a recording. @throws MediaFailure, or the signal's reason */
export async function decode(path: string, folder: string, options: DecodeOptions): Promise<Decoded> {
  const { to, cleaned } = options
  const input = [...ONLY_FILES, '-i', path, '-map_metadata', '-1', '-vn', '-sn', '-dn']
  const limited = ['-t', String(options.limits.max_seconds + 1)]
  const samples = ['-ar', String(RATE), '-f', 's16le']
  // Resampled to 16 kHz before the measurement: a third of the work.
  const told = await ffmpeg(
    input,
    [...limited, '-map', '0:a:0', '-ac', '1', '-af', `aresample=${RATE},${cleaned}${LOUDNESS}`],
    [...samples, to],
    options,
  )
  const tracks = tracksOf(told)
  if (tracks.reduce((sum, { channels }) => sum + channels, 0) < 2)
    return { told, loudness: loudnessOf(told), notices: [] }
  const groups = groupsOf(tracks)
  for (const group of groups) {
    const decoded: PcmTrack[] = group.map((track) => ({ ...track, path: join(folder, `track-${track.number}.pcm`) }))
    for (const { path: pcm, number, channels } of decoded as (PcmTrack & Track)[])
      await ffmpeg(
        input,
        [...limited, '-map', `0:a:${number}`, '-ac', String(channels), '-af', filterOf(cleaned)],
        [...samples, pcm],
        { ...options, limits: { ...options.limits, output_bytes: options.limits.output_bytes * channels } },
      )
    await mixTracks(decoded, to, options.signal)
    const measured = ['-f', 's16le', '-ar', String(RATE), '-ac', '1', '-i', to]
    const size = (await stat(to)).size
    const log =
      size === 0 ? '' : await ffmpeg(measured, ['-af', LOUDNESS], [...samples, join(folder, 'measured.pcm')], options)
    const loudness = loudnessOf(log)
    // Where a translation has speech, an earlier track without any is not what is heard.
    if (loudness !== undefined || group === groups.at(-1)) return { told, loudness, notices: leftOut(groups, group) }
  }
  throw new Error('a recording without tracks was decoded')
}

/** The times of the tracks are kept: one may begin later than another, or have gaps. */
function filterOf(cleaned: string): string {
  return `aresample=${RATE}:async=1:first_pts=0,${cleaned}${WITHOUT_RUMBLE}`
}

interface Track {
  number: number
  channels: number
  layout: string
  language: string
}

/** The tracks that ffmpeg's log lists. */
export function tracksOf(told: string): Track[] {
  const [input = ''] = told.split(/^Output #0/m)
  const found = input.matchAll(/Stream #0:\d+(?:\[\w+\])?(?:\((\w+)\))?: Audio: .*?, \d+ Hz, ([^,\n]+)/g)
  return [...found].map(([, language = '', layout = ''], number) => {
    return { number, layout, language: language === 'und' ? '' : language, channels: channelsOf(layout) }
  })
}

const NAMED: Record<string, number> = {
  mono: 1,
  stereo: 2,
  downmix: 2,
  binaural: 2,
  quad: 4,
  hexagonal: 6,
  octagonal: 8,
}

/** `2`, for `stereo`; `6` for `5.1(side)`; `4` for `4 channels`. */
function channelsOf(layout: string): number {
  const [, word = ''] = /^(\w+)/.exec(layout) ?? []
  const counted = /^(\d+) channels/.exec(layout)?.[1]
  if (counted !== undefined) return Number(counted)
  const [, front, low = '0', high = '0'] = /^(\d)\.(\d)(?:\.(\d))?/.exec(layout) ?? []
  return front === undefined ? (NAMED[word] ?? 2) : Number(front) + Number(low) + Number(high)
}

/** Tracks that are heard together: all of them, or one language after the other where they are translations. */
function groupsOf(tracks: Track[]): Track[][] {
  const languages = [...new Set(tracks.map(({ language }) => language))]
  if (languages.filter((language) => language !== '').length < 2) return [tracks]
  return languages.map((language) => tracks.filter((track) => track.language === language))
}

function leftOut(groups: Track[][], heard: Track[]): Notice[] {
  const others = groups.filter((group) => group !== heard)
  if (others.length === 0) return []
  const places = others.map(([track]) => track!.language || 'a track without a language')
  return [{ code: 'left_out', message: 'Tracks of other languages', count: others.length, places }]
}

/** Integrated loudness; ffmpeg reports -70 for silence. */
function loudnessOf(told: string): number | undefined {
  const lufs = Number(/Integrated loudness:\s+I:\s+(-?[\d.]+) LUFS/.exec(told)?.[1])
  return Number.isFinite(lufs) && lufs > -69 ? lufs : undefined
}
