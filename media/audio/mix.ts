// Channels and tracks of a recording as one: speech in any of them is heard in the mix, however quiet the channel
// and whatever its phase. The channel that is loudest at a time is heard then (a gain-sharing automatic mixer).
import { mapAll } from '../../contracts/map-all.ts'
import { open, type FileHandle } from 'node:fs/promises'
import { MAX_LEVEL, planMix, type ChannelStats } from './mix-plan.ts'

/** Decoded sound: 16 bits, its channels interleaved. */
export interface PcmTrack {
  path: string
  channels: number
  /** ffmpeg's name of the layout: `stereo`, `5.1(side)`. */
  layout: string
}

/** Samples of a frame, whose level is measured, and frames of a block, which is read at once. */
const FRAME = 320
const BLOCK = 100
/** Frames before and after over which a level is averaged: changes of a tenth of a second are not heard as such. */
const SMOOTH = 5
/** Every so many frames the likeness of two channels is measured. */
const COMPARED = 4

/** Mixes tracks of 16 kHz to one channel. @throws the signal's reason */
export async function mixTracks(tracks: PcmTrack[], to: string, signal: AbortSignal): Promise<void> {
  const stats = await measure(tracks, signal)
  const plan = planMix(stats, tracks)
  const target = await open(to, 'w')
  try {
    let frame = 0
    for await (const block of blocksOf(tracks)) {
      signal.throwIfAborted()
      const length = block[0]!.length
      const frames = Math.ceil(length / FRAME)
      const shares = Array.from({ length: frames + 1 }, (_, index) => sharesAt(stats, plan, frame + index))
      const sums = new Float32Array(length)
      for (const [channel, gain] of plan.entries())
        if (gain !== 0)
          add(
            sums,
            block[channel]!,
            gain,
            Float32Array.from(shares, (each) => each[channel]!),
          )
      const mixed = new Int16Array(length)
      for (let at = 0; at < length; at += 1) mixed[at] = Math.max(-MAX_LEVEL, Math.min(MAX_LEVEL, sums[at]!))
      await target.write(new Uint8Array(mixed.buffer))
      frame += frames
    }
  } finally {
    await target.close()
  }
}

/** Adds a channel, whose share changes evenly from frame to frame. */
function add(sums: Float32Array, samples: Int16Array, gain: number, shares: Float32Array): void {
  for (let from = 0, frame = 0; from < samples.length; from += FRAME, frame += 1) {
    const to = Math.min(from + FRAME, samples.length)
    let factor = gain * shares[frame]!
    const change = (gain * shares[frame + 1]! - factor) / FRAME
    for (let at = from; at < to; at += 1) {
      sums[at]! += samples[at]! * factor
      factor += change
    }
  }
}

/** Each channel's share of the sound at a time, by its level then: together they are one. */
function sharesAt(stats: ChannelStats[], plan: number[], frame: number): number[] {
  const levels = stats.map(({ energies }, channel) => {
    let sum = 0
    for (let near = Math.max(0, frame - SMOOTH); near <= Math.min(energies.length - 1, frame + SMOOTH); near += 1)
      sum += energies[near]!
    return sum * plan[channel]! ** 2
  })
  const all = levels.reduce((sum, level) => sum + level, 0)
  return levels.map((level) => (all > 0 ? level / all : 0))
}

async function measure(tracks: PcmTrack[], signal: AbortSignal): Promise<ChannelStats[]> {
  const count = tracks.reduce((sum, { channels }) => sum + channels, 0)
  const energies: number[][] = Array.from({ length: count }, () => [])
  const products = Array.from({ length: count }, () => new Float64Array(count))
  for await (const block of blocksOf(tracks)) {
    signal.throwIfAborted()
    for (let from = 0; from < block[0]!.length; from += FRAME) {
      const to = Math.min(from + FRAME, block[0]!.length)
      const isCompared = (from / FRAME) % COMPARED === 0
      for (const [channel, samples] of block.entries()) {
        energies[channel]!.push(product(samples, samples, from, to) / FRAME)
        for (let other = 0; isCompared && other <= channel; other += 1)
          products[channel]![other]! += product(samples, block[other]!, from, to)
      }
    }
  }
  const likeness = (a: number, b: number) => {
    const common = products[Math.max(a, b)]![Math.min(a, b)]!
    return common / Math.max(1, Math.sqrt(products[a]![a]! * products[b]![b]!))
  }
  return energies.map((own, channel) => ({
    energies: Float32Array.from(own),
    likeness: energies.map((_, other) => likeness(channel, other)),
  }))
}

function product(a: Int16Array, b: Int16Array, from: number, to: number): number {
  let sum = 0
  for (let at = from; at < to; at += 1) sum += a[at]! * b[at]!
  return sum
}

/** The samples of all channels of all tracks, two seconds at a time; a track that has ended is silent. */
async function* blocksOf(tracks: PcmTrack[]): AsyncGenerator<Int16Array[]> {
  const files: FileHandle[] = []
  try {
    for (const { path } of tracks) files.push(await open(path))
    for (;;) {
      const read = await mapAll(files, (file, index) => readBlock(file, tracks[index]!.channels))
      const length = Math.max(...read.flat().map((samples) => samples.length))
      if (length === 0) return
      yield read.flat().map((samples) => {
        if (samples.length === length) return samples
        const padded = new Int16Array(length)
        padded.set(samples)
        return padded
      })
    }
  } finally {
    await mapAll(files, (file) => file.close())
  }
}

async function readBlock(file: FileHandle, channels: number): Promise<Int16Array[]> {
  const buffer = Buffer.from(new ArrayBuffer(FRAME * BLOCK * channels * 2))
  let filled = 0
  while (filled < buffer.length) {
    const { bytesRead } = await file.read(buffer, filled, buffer.length - filled)
    if (bytesRead === 0) break
    filled += bytesRead
  }
  const length = Math.floor(filled / (2 * channels))
  // ffmpeg writes the order of bytes that every platform of Node has.
  const samples = new Int16Array(buffer.buffer, buffer.byteOffset, length * channels)
  return Array.from({ length: channels }, (_, channel) => {
    const own = new Int16Array(length)
    for (let at = 0; at < length; at += 1) own[at] = samples[at * channels + channel]!
    return own
  })
}
