// How loud each channel of a recording is in the mix, from what was measured of it.

export interface ChannelStats {
  /** Mean square of each frame. */
  energies: Float32Array
  /** Correlation with each channel, from -1 (the same with the opposite phase) to 1. */
  likeness: number[]
}

export const MAX_LEVEL = 32_767
/** Nothing is heard below this level, in dB of the largest. */
const SILENT_DB = -75
/** Difference between loud and quiet frames of speech, in dB: hum and noise have less. */
const SPEECH_RANGE_DB = 10
/** Most gain of a quiet channel, and how far steady noise is held below speech, in dB. */
const MOST_GAIN_DB = 40
const NOISE_DB = 12
/** Channels that are the same, and those whose phases are opposite. */
const SAME = 0.95
const OPPOSITE = -0.3
/** Layouts of films, whose speech is in the third channel, the middle one. */
const WITH_MIDDLE = /^(?:[3567]\.[01])/
const MIDDLE = 2

/** Gains, as factors; negative for a channel whose phase is turned, 0 for one that adds nothing. */
export function planMix(stats: ChannelStats[], tracks: { channels: number; layout: string }[]): number[] {
  const levels = stats.map(levelOf)
  const speech = levels.filter(({ kind }) => kind === 'speech').map(({ loud }) => loud)
  const loudest = Math.max(...(speech.length > 0 ? speech : levels.map(({ loud }) => loud)))
  const isFilm = tracks.length === 1 && WITH_MIDDLE.test(tracks[0]!.layout) && levels[MIDDLE]!.kind === 'speech'
  const plan: number[] = stats.map(() => 0)
  const byLevel = [...stats.keys()].toSorted((a, b) => levels[b]!.loud - levels[a]!.loud)
  for (const channel of byLevel) {
    const { kind, loud } = levels[channel]!
    const { likeness } = stats[channel]!
    const mixed = byLevel.filter((other) => plan[other] !== 0)
    if (kind === 'silent' || mixed.some((other) => Math.abs(likeness[other]!) > SAME)) continue
    const isOpposite = mixed.some((other) => likeness[other]! * Math.sign(plan[other]!) < OPPOSITE)
    const db = isFilm ? 0 : kind === 'speech' ? loudest - loud : Math.min(0, loudest - NOISE_DB - loud)
    plan[channel] = factor(Math.min(db, MOST_GAIN_DB)) * (isOpposite ? -1 : 1)
  }
  return plan
}

interface Level {
  kind: 'speech' | 'noise' | 'silent'
  /** Of its loud frames, in dB of the largest. */
  loud: number
}

function levelOf({ energies }: ChannelStats): Level {
  const sorted = energies.toSorted()
  const at = (share: number) => decibels(sorted[Math.floor((sorted.length - 1) * share)] ?? 0)
  // Where speech is rare, its words count, not the pauses.
  const loud = [0.95, 0.99, 0.999, 1].map(at).find((level) => level >= SILENT_DB) ?? at(1)
  if (loud < SILENT_DB) return { kind: 'silent', loud }
  return { kind: loud - at(0.1) > SPEECH_RANGE_DB ? 'speech' : 'noise', loud }
}

function decibels(energy: number): number {
  return 10 * Math.log10(Math.max(energy, 1e-6) / MAX_LEVEL ** 2)
}

function factor(db: number): number {
  return 10 ** (db / 20)
}
