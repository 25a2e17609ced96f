// A picture as it is meant to be seen: one page, upright, with square pixels, without transparency.
import decodeHeic from 'heic-decode'
import sharp, { type Sharp } from 'sharp'
import { stretchOf } from './pixel-aspect.ts'

export interface OpenOptions {
  limitInputPixels: number
  failOn: 'error'
  /** From 0. */
  page: number
  /** Of an SVG, in dots per inch. */
  density: number
}

/** Opens a picture. @param type its media type */
export async function openPicture(bytes: Buffer, type: string, options: OpenOptions): Promise<Sharp> {
  const { limitInputPixels } = options
  // libvips of sharp has no decoder for HEVC; libheif applies the orientation itself.
  if (type === 'image/heic') return openHeic(bytes, limitInputPixels)
  const source = sharp(bytes, options).autoOrient()
  const stretch = stretchOf(bytes, type, options.page)
  if (stretch === 1) return source
  const { data, info } = await source.raw().toBuffer({ resolveWithObject: true })
  const { width, height, channels } = info
  const isTurned = ((await sharp(bytes, options).metadata()).orientation ?? 1) > 4
  const across = isTurned ? 1 / stretch : stretch
  // The side with more dots keeps them.
  const size = across > 1 ? { width, height: height * across } : { width: width / across, height }
  const square = sharp(data, { raw: { width, height, channels } })
    .resize({ width: Math.round(size.width), height: Math.round(size.height), fit: 'fill' })
    .png({ compressionLevel: 1 })
  return sharp(await square.toBuffer(), { limitInputPixels })
}

async function openHeic(bytes: Buffer, limitInputPixels: number): Promise<Sharp> {
  const { width, height, data } = await decodeHeic({ buffer: bytes })
  return sharp(Buffer.from(data.buffer, data.byteOffset, data.byteLength), {
    raw: { width, height, channels: 4 },
    limitInputPixels,
  }).removeAlpha()
}

/** Puts a transparent picture on the ground, black or white, on which what it shows is seen better. */
export function onGround(seen: Uint8Array, channels: 1 | 2 | 3 | 4): { pixels: Uint8Array; channels: 1 | 3 } {
  if (channels === 1 || channels === 3) return { pixels: seen, channels }
  const colours = channels === 2 ? 1 : 3
  const [black, white] = contrasts(seen, channels)
  const ground = black > white ? 0 : 255
  const pixels = new Uint8Array((seen.length / channels) * colours)
  for (let from = 0, to = 0; from < seen.length; from += channels) {
    const alpha = seen[from + colours]! / 255
    for (let colour = 0; colour < colours; colour += 1, to += 1)
      pixels[to] = Math.round(seen[from + colour]! * alpha + ground * (1 - alpha))
  }
  return { pixels, channels: colours }
}

/** How much the visible pixels differ from black and from white. */
function contrasts(pixels: Uint8Array, channels: number): [number, number] {
  const colours = channels - 1
  let [black, white] = [0, 0]
  for (let at = 0; at < pixels.length; at += channels) {
    const alpha = pixels[at + colours]!
    if (alpha === 0) continue
    const light = colours === 1 ? pixels[at]! : 0.3 * pixels[at]! + 0.59 * pixels[at + 1]! + 0.11 * pixels[at + 2]!
    black += alpha * light
    white += alpha * (255 - light)
  }
  return [black, white]
}
