// The child program that decodes images.
import { readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import exif from 'exif-reader'
import sharp, { type Metadata, type Sharp } from 'sharp'
import { answerRequests } from '../process/child-protocol.ts'
import { MediaFailure } from '../failure.ts'
import type { ImageFacts, ImageFile, ImageRequest, ImageVariant, PreparedImage } from './image.ts'
import { onGround, openPicture } from './open-picture.ts'
import { sniffMedia } from '../kind/sniff-media.ts'
import { tilesOf } from './tiles.ts'

/** Density at which one SVG unit is one pixel. */
const SVG_DENSITY = 72
/** JPEG qualities that are tried before the image is scaled down. */
const QUALITIES = [85, 70, 50]

sharp.cache(false)
answerRequests<ImageRequest>(prepare)

async function prepare(request: ImageRequest): Promise<PreparedImage> {
  const bytes = await readFile(request.path)
  if (bytes.length === 0) throw new MediaFailure('empty', 'The file is empty')
  const sniffed = sniffMedia(bytes.subarray(0, 65_536))
  if (sniffed?.kind !== 'image') throw new MediaFailure('not_an_image', 'The file is no picture that can be read')
  if (sniffed.type === 'image/svg+xml') checkSvg(bytes)
  try {
    return await encode(bytes, sniffed.type, request)
  } catch (error) {
    if (error instanceof MediaFailure) throw error
    if (/pixel limit|exceeds/i.test(String(error))) throw tooLarge(request.max_pixels)
    throw new MediaFailure('damaged', 'The picture is damaged and cannot be read', { cause: error })
  }
}

async function encode(bytes: Buffer, type: string, request: ImageRequest): Promise<PreparedImage> {
  const { max_pixels, page = 0 } = request
  const options = { page, density: SVG_DENSITY, limitInputPixels: max_pixels, failOn: 'error' } as const
  const meta = await sharp(bytes, options).metadata()
  if (meta.width * meta.height > max_pixels) throw tooLarge(max_pixels)
  const facts = factsOf(meta, type)
  if (request.variants.length === 0) return { facts, files: [] }
  const plans = request.variants.map((variant) => planOf(variant, facts))
  const source = await openPicture(bytes, type, options)
  const { data, info } = await source
    .resize({
      width: Math.max(...plans.map(({ size }) => size.width)),
      height: Math.max(...plans.map(({ size }) => size.height)),
      fit: 'inside',
      withoutEnlargement: true,
    })
    .toColourspace('srgb')
    .raw({ depth: 'uchar' })
    .toBuffer({ resolveWithObject: true })
  const { pixels, channels } = onGround(data, info.channels)
  const raw = { width: info.width, height: info.height, channels }
  // Drawings, in contrast to photographs, keep sharp edges.
  const drawn = ['image/png', 'image/gif', 'image/svg+xml'].includes(type) || meta.hasAlpha
  const files: ImageFile[] = []
  for (const { variant, size, tiles } of plans) {
    const whole = () => sharp(pixels, { raw })
    if (tiles.length === 0) {
      files.push(await write(whole, variant, drawn, join(request.folder, variant.name)))
      continue
    }
    const name = `${variant.name}-whole`
    files.push(await write(whole, { ...variant, name }, drawn, join(request.folder, name)))
    for (const [index, tile] of tiles.entries()) {
      const cut = await whole()
        .resize({ ...size, fit: 'fill' })
        .extract(tile)
        .raw()
        .toBuffer()
      const open = () => sharp(cut, { raw: { width: tile.width, height: tile.height, channels } })
      files.push(await write(open, variant, drawn, join(request.folder, `${variant.name}-${index + 1}`)))
    }
  }
  return { facts, files }
}

function planOf(variant: ImageVariant, { width, height }: ImageFacts) {
  const { max_tiles = 1, max_pixels } = variant
  const share = Math.min(1, Math.sqrt((max_pixels ?? 0) / (width * height)))
  const max_side = max_pixels === undefined ? variant.max_side : Math.floor(Math.max(width, height) * share)
  const tiling = tilesOf(width, height, max_side, max_tiles)
  const size = tiling ? { width: tiling.width, height: tiling.height } : { width: max_side, height: max_side }
  return { variant: { ...variant, max_side }, size, tiles: tiling?.tiles ?? [] }
}

/** Writes a variant within its size limit, without metadata. */
async function write(
  open: () => Sharp,
  { name, max_side, max_bytes, format }: ImageVariant,
  drawn: boolean,
  path: string,
): Promise<ImageFile> {
  for (let side = max_side; ; side = Math.floor(side * 0.7)) {
    const small = () => open().resize({ width: side, height: side, fit: 'inside', withoutEnlargement: true })
    const jpegs = QUALITIES.map((quality) => () => small().jpeg({ quality }))
    const attempts =
      format === 'webp'
        ? [() => small().webp({ quality: 75 })]
        : format === 'png'
          ? [() => small().png({ compressionLevel: 1 })]
          : drawn
            ? [() => small().png(), ...jpegs]
            : jpegs
    for (const attempt of attempts) {
      const { width, height, format: written } = await attempt().toFile(path)
      const { size } = await stat(path)
      if (size <= max_bytes || side < 64) return { name, path, media_type: `image/${written}`, width, height, size }
    }
  }
}

function factsOf(meta: Metadata, type: string): ImageFacts {
  const { width, height } = meta.autoOrient
  return {
    type,
    width,
    height,
    frames: meta.pages ?? 1,
    pages: type === 'image/tiff' ? (meta.pages ?? 1) : 1,
    has_alpha: meta.hasAlpha,
    ...(meta.orientation !== undefined && { orientation: meta.orientation }),
    ...(meta.exif && { exif: readExif(meta.exif) }),
  }
}

/** EXIF as JSON, only text and numbers; undefined when it is damaged. */
function readExif(bytes: Buffer): Record<string, unknown> {
  try {
    const text = JSON.stringify(exif(bytes), (_, value: unknown) =>
      value instanceof Uint8Array ||
      (typeof value === 'object' && value !== null && 'type' in value && value.type === 'Buffer')
        ? undefined
        : typeof value === 'string'
          ? value.replaceAll('\0', '').slice(0, 500)
          : value,
    )
    return text.length > 16_384 ? {} : (JSON.parse(text) as Record<string, unknown>)
  } catch {
    return {}
  }
}

/** Refuses SVG with external references or entity expansion. */
function checkSvg(bytes: Buffer): void {
  const text = bytes.toString('utf8')
  const entities = text.match(/<!ENTITY[^>]*>/gi) ?? []
  const harmless = entities.every((entity) => /^<!ENTITY\s+[\w.-]+\s+("[^"&%]*"|'[^'&%]*')\s*>$/i.test(entity))
  if (!harmless || entities.length > 100 || /<xi:include|<\?xml-stylesheet/i.test(text))
    throw new MediaFailure('unsafe', 'The SVG refers to other files or multiplies its own text; it is not drawn')
}

function tooLarge(maxPixels: number): MediaFailure {
  return new MediaFailure('too_large', `The picture has more than ${maxPixels} pixels, which is the limit`)
}
