// Detects formats of images and recordings by their first bytes, independent of the declared type.

export interface SniffedMedia {
  kind: 'image' | 'audio'
  /** Media type. */
  type: string
}

/** The format of an image or recording from its first bytes; undefined for anything else. */
export function sniffMedia(bytes: Uint8Array): SniffedMedia | undefined {
  const head = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const type = imageType(head)
  if (type) return { kind: 'image', type }
  const sound = soundType(head)
  return sound ? { kind: 'audio', type: sound } : undefined
}

function imageType(head: Buffer): string | undefined {
  if (starts(head, '\x89PNG\r\n\x1a\n')) return 'image/png'
  if (starts(head, '\xff\xd8\xff')) return 'image/jpeg'
  if (starts(head, 'GIF87a') || starts(head, 'GIF89a')) return 'image/gif'
  if (starts(head, 'RIFF') && starts(head, 'WEBP', 8)) return 'image/webp'
  if (starts(head, 'II*\0') || starts(head, 'MM\0*') || starts(head, 'II+\0') || starts(head, 'MM\0+'))
    return 'image/tiff'
  const brands = brandsOf(head)
  if (brands.some((brand) => brand === 'avif' || brand === 'avis')) return 'image/avif'
  if (brands.some((brand) => /^(hei[cxms]|hev[cxms])$/.test(brand))) return 'image/heic'
  return isSvg(head) ? 'image/svg+xml' : undefined
}

function soundType(head: Buffer): string | undefined {
  if (starts(head, 'RIFF') && starts(head, 'WAVE', 8)) return 'audio/wav'
  if (starts(head, 'OggS')) return 'audio/ogg'
  if (starts(head, 'fLaC')) return 'audio/flac'
  if (starts(head, '\x1a\x45\xdf\xa3')) return 'video/webm'
  if (starts(head, 'ID3') && head[3]! <= 4) return 'audio/mpeg'
  const [brand] = brandsOf(head)
  if (brand !== undefined) return /^M4[AB] $/.test(brand) ? 'audio/mp4' : 'video/mp4'
  return isMp3Frame(head) ? 'audio/mpeg' : undefined
}

/** The brands of an ISO base media file, the major one first. */
function brandsOf(head: Buffer): string[] {
  if (head.length < 16 || !starts(head, 'ftyp', 4)) return []
  const end = Math.min(head.readUInt32BE(0), head.length, 256)
  const brands = [head.toString('latin1', 8, 12)]
  for (let at = 16; at + 4 <= end; at += 4) brands.push(head.toString('latin1', at, at + 4))
  return brands
}

/** An MP3 without a tag starts with a frame: MPEG layer III with a valid bit rate and sampling rate. */
function isMp3Frame(head: Buffer): boolean {
  if (head.length < 4 || head[0] !== 0xff) return false
  const [, version = 0, rates = 0] = head
  return (version & 0xe6) === 0xe2 && (version & 0x18) !== 0x08 && rates >> 4 !== 15 && (rates & 0x0c) !== 0x0c
}

/** XML whose first element is `svg`. */
function isSvg(head: Buffer): boolean {
  const text = head.toString('utf8', 0, 4_096).replace(/^\uFEFF/, '')
  return /^\s*(?:<\?xml[^>]*\?>\s*)?(?:<!--(?:[^-]|-(?!->))*-->\s*)*(?:<!DOCTYPE\s+svg\b|<svg[\s>])/i.test(text)
}

function starts(head: Buffer, text: string, at = 0): boolean {
  return head.toString('latin1', at, at + text.length) === text
}
