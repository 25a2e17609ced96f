// Whoever is heard in a channel or a track of a recording is heard in what is transcribed.
import { execFile } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, expect, it } from 'vitest'
import { prepareAudio } from '../../media/audio/audio.ts'
import { findFfmpeg } from '../../media/audio/ffmpeg.ts'
import { inScratch } from '../../media/process/scratch.ts'

const run = promisify(execFile)
const folder = mkdtempSync(join(tmpdir(), 'muxi-test-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))
const limits = { memory_mb: 512, time_ms: 20_000, output_bytes: 20_000_000, max_seconds: 600 }
const RATE = 16_000

/** A voice of tones that is heard in the seconds from one to another, at a level from 0 to 1. */
const voice = (from: number, to: number, level: number, tone = 440) =>
  `${level}*sin(2*PI*${tone}*t)*between(t,${from},${to})*gt(mod(t,0.5),0.2)`
const HUM = '0.2*sin(2*PI*150*t)'

/** A recording of ten seconds: the channels of each track, with options of ffmpeg. */
async function recording(name: string, tracks: { channels: string[]; layout?: string }[], ...options: string[]) {
  const inputs = tracks.flatMap(({ channels, layout }) => {
    const expressions = channels.map((channel) => channel.replaceAll(',', '\\,')).join('|')
    return ['-f', 'lavfi', '-i', `aevalsrc=exprs=${expressions}:s=${RATE}:d=10${layout ? `:c=${layout}` : ''}`]
  })
  const maps = tracks.flatMap((_, index) => ['-map', `${index}:a`])
  const path = join(folder, name)
  await run(await findFfmpeg(), ['-loglevel', 'error', '-y', ...inputs, ...maps, ...options, path])
  return inScratch(async (scratch) => {
    const prepared = await prepareAudio(path, scratch, { signal: new AbortController().signal, limits })
    return { ...prepared, samples: new Int16Array(readFileSync(prepared.path).buffer.slice(44)) }
  })
}

/** The level between two seconds, in dB of the largest. */
function level({ samples }: { samples: Int16Array }, from: number, to: number): number {
  const heard = samples.subarray(from * RATE, to * RATE)
  const mean = heard.reduce((sum, sample) => sum + sample * sample, 0) / heard.length
  return 10 * Math.log10(Math.max(mean, 1e-6) / 32_767 ** 2)
}

const SPEECH = voice(1, 9, 0.3)

it('opposite phases do not cancel each other', async () => {
  const heard = await recording('phases.wav', [{ channels: [SPEECH, `-1*${SPEECH}`] }])
  expect(level(heard, 2, 8)).toBeGreaterThan(-25)
  const apart = await recording('apart.wav', [{ channels: [SPEECH, `-0.5*${SPEECH}+${voice(1, 9, 0.05, 700)}`] }])
  expect(level(apart, 2, 8)).toBeGreaterThan(-25)
})

it('a quiet voice in one channel is heard as well as a loud one in the other, also beside hum', async () => {
  const heard = await recording('levels.wav', [{ channels: [voice(1, 4, 0.5), voice(6, 9, 0.01, 600)] }])
  expect(Math.abs(level(heard, 1, 4) - level(heard, 6, 9))).toBeLessThan(6)
  const hum = await recording('hum.wav', [{ channels: [HUM, voice(5, 9, 0.01, 600)] }])
  expect(level(hum, 5, 9) - level(hum, 1, 4)).toBeGreaterThan(6)
})

it('speech in the middle channel of 5.1 keeps its level', async () => {
  const mono = await recording('mono.wav', [{ channels: [SPEECH] }])
  const quiet = '0.001*sin(2*PI*300*t)'
  const film = await recording('film.wav', [{ channels: [quiet, quiet, SPEECH, '0', quiet, quiet], layout: '5.1' }])
  expect(film.facts.channels).toContain('5.1')
  expect(Math.abs(level(film, 2, 8) - level(mono, 2, 8))).toBeLessThan(2)
  expect(Math.abs(film.facts.loudness_lufs! - mono.facts.loudness_lufs!)).toBeLessThan(2)
})

it('is silent only when no channel of no track has speech', async () => {
  const silence = { channels: ['0', '0'] }
  const heard = await recording('tracks.mka', [silence, { channels: ['0', voice(2, 8, 0.05)] }])
  expect(level(heard, 2, 8)).toBeGreaterThan(-30)
  expect(heard.silences).not.toEqual([{ from_ms: 0, to_ms: heard.facts.duration_ms }])
  const silent = await recording('silent.mka', [silence, silence])
  expect(silent.silences).toEqual([{ from_ms: 0, to_ms: silent.facts.duration_ms }])
})

it('translations are not mixed: the first with speech is heard, the others are named', async () => {
  const languages = [
    '-metadata:s:a:0',
    'language=dan',
    '-metadata:s:a:1',
    'language=eng',
    '-metadata:s:a:2',
    'language=deu',
  ]
  const tracks = [{ channels: ['0'] }, { channels: [voice(1, 4, 0.3)] }, { channels: [voice(6, 9, 0.3)] }]
  const heard = await recording('translations.mka', tracks, ...languages)
  expect(level(heard, 1, 4) - level(heard, 6, 9)).toBeGreaterThan(30)
  expect(heard.notices).toEqual([
    { code: 'left_out', message: 'Tracks of other languages', count: 2, places: ['dan', 'deu'] },
  ])
})
