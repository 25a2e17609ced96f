// Where recordings are cut, what bytes are, and which models see.
import { describe, expect, it } from 'vitest'
import { segmentsOf } from '../../media/audio/audio.ts'
import { sniffMedia } from '../../media/kind/sniff-media.ts'

describe('segmentsOf()', () => {
  it('leaves a short recording whole', () => {
    expect(segmentsOf([{ from_ms: 4_000, to_ms: 4_500 }], 9_000)).toEqual([{ from_ms: 0, to_ms: 9_000 }])
  })

  it('has nothing of silence', () => {
    expect(segmentsOf([{ from_ms: 0, to_ms: 9_000 }], 9_000)).toEqual([])
  })

  it('leaves long silences out, with a margin around the words', () => {
    const silences = [
      { from_ms: 0, to_ms: 3_000 },
      { from_ms: 10_000, to_ms: 30_000 },
    ]
    expect(segmentsOf(silences, 40_000)).toEqual([
      { from_ms: 2_800, to_ms: 10_200 },
      { from_ms: 29_800, to_ms: 40_000 },
    ])
  })

  it('cuts in the middle of the longest silence, never later than after a minute', () => {
    const silences = [
      { from_ms: 30_000, to_ms: 31_000 },
      { from_ms: 50_000, to_ms: 50_500 },
    ]
    expect(segmentsOf(silences, 80_000)).toEqual([
      { from_ms: 0, to_ms: 30_500 },
      { from_ms: 30_500, to_ms: 80_000 },
    ])
    const without = segmentsOf([], 3_600_000)
    expect(without).toHaveLength(60)
    expect(without.every((each, index) => each.from_ms === (without[index - 1]?.to_ms ?? 0))).toBe(true)
  })
})

describe('sniffMedia()', () => {
  const head = (text: string) => Buffer.concat([Buffer.from(text, 'latin1'), Buffer.alloc(32)])
  it.each([
    ['\x89PNG\r\n\x1a\n', 'image/png'],
    ['\xff\xd8\xff\xe0', 'image/jpeg'],
    ['RIFF0000WEBP', 'image/webp'],
    ['MM\0*', 'image/tiff'],
    ['\0\0\0\x18ftypavif\0\0\0\0', 'image/avif'],
    ['\0\0\0\x18ftypmif1\0\0\0\0heic', 'image/heic'],
    ['<?xml version="1.0"?>\n<!-- drawn -->\n<svg ', 'image/svg+xml'],
    ['RIFF0000WAVE', 'audio/wav'],
    ['ID3\x03', 'audio/mpeg'],
    ['\xff\xfb\x90\x64', 'audio/mpeg'],
    ['OggS', 'audio/ogg'],
    ['\0\0\0\x18ftypM4A \0\0\0\0', 'audio/mp4'],
    ['\x1a\x45\xdf\xa3', 'video/webm'],
  ])('knows %j', (text, type) => {
    expect(sniffMedia(head(text))?.type).toBe(type)
  })

  it.each(['%PDF-1.7', 'Words about <svg> pictures', '<html><svg>', '\xff\xfeT\0', 'ID3 tags are'])(
    'leaves %j to others',
    (text) => {
      expect(sniffMedia(head(text))).toBeUndefined()
    },
  )
})
