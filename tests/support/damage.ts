// Good files of every kind that is read, and damaged ones made of them by flipping and cutting bytes: the same for the same seed.
import { join } from 'node:path'
import { readFileSync } from 'node:fs'
import type { JobKind } from '../../contracts/job.ts'
import * as documents from './documents.ts'
import { photograph, sound, spoken } from './media.ts'
import { numberedPages, pdf } from './pdf.ts'
import { seeded } from './seeded.ts'

export interface GoodFile {
  kind: JobKind
  name: string
  bytes: Buffer
}

export interface DamagedFile extends GoodFile {
  /** How it was damaged, for messages of tests. */
  how: string
}

/** Small ones, a few kB each. @param folder for what ffmpeg writes */
export async function goodFiles(folder: string): Promise<GoodFile[]> {
  const files: GoodFile[] = [
    { kind: 'document', name: 'pages.pdf', bytes: pdf(numberedPages(12)) },
    { kind: 'document', name: 'notes.txt', bytes: Buffer.from('The ferry to Sund leaves at 7:40. '.repeat(300)) },
    {
      kind: 'document',
      name: 'guide.md',
      bytes: Buffer.from('# Guide\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\nText.\n'.repeat(90)),
    },
    { kind: 'image', name: 'boat.heic', bytes: readFileSync(new URL('../fixtures/photograph.heic', import.meta.url)) },
    {
      kind: 'image',
      name: 'boat.svg',
      bytes: Buffer.from(
        `<svg xmlns="http://www.w3.org/2000/svg" width="400" height="200">${'<rect x="3" y="4" width="9" height="9"/>'.repeat(60)}</svg>`,
      ),
    },
  ]
  const { docx, xlsx, pptx, odt, ods, odp, rtf, epub, html, csv, json, eml } = documents
  for (const [name, write] of Object.entries({ docx, xlsx, pptx, odt, ods, odp, rtf, epub, html, csv, json, eml }))
    files.push({ kind: 'document', name: `handbook.${name}`, bytes: await write() })
  const attached = { name: 'handbook.docx', type: 'application/octet-stream', bytes: await docx() }
  files.push(
    {
      kind: 'document',
      name: 'attached.eml',
      bytes: documents.mail({ subject: 'Handbook', html: 'Here.' }, [attached]),
    },
    { kind: 'document', name: 'papers.zip', bytes: documents.zip({ 'fares.csv': csv(), 'handbook.html': html() }) },
  )
  for (const format of ['jpeg', 'png', 'webp', 'tiff', 'gif', 'avif'] as const)
    files.push({ kind: 'image', name: `boat.${format}`, bytes: await photograph('Boat 42', format) })
  const opus = ['-c:a', 'libopus']
  const film = ['-f', 'lavfi', '-i', 'testsrc=d=6:s=64x48:r=5', '-pix_fmt', 'yuv420p', '-shortest']
  for (const [name, ...more] of [
    ['a.mp3'],
    ['a.wav'],
    ['a.m4a'],
    ['a.ogg', ...opus],
    ['a.webm', ...opus],
    ['a.flac'],
    ['a.mp4', ...film],
  ] as const)
    files.push({ kind: 'audio', name, bytes: await sound(join(folder), name, spoken(6), ...more) })
  return files
}

/** So many of each good file, most of them damaged where decoders look first. */
export function damage(files: readonly GoodFile[], each: number, seed: number): DamagedFile[] {
  const random = seeded(seed)
  const below = (limit: number) => Math.floor(random() * limit)
  return files.flatMap((file) =>
    Array.from({ length: each }, (_, index) => {
      const bytes = Buffer.from(file.bytes)
      const name = `${index}-${file.name}`
      switch (index % 5) {
        case 0: {
          const length = 1 + below(bytes.length - 1)
          return { ...file, name, bytes: bytes.subarray(0, length), how: `cut after ${length}` }
        }
        case 1: {
          const from = below(bytes.length)
          const to = Math.min(bytes.length, from + 1 + below(512))
          const rest = Buffer.concat([bytes.subarray(0, from), bytes.subarray(to)])
          return { ...file, name, bytes: rest, how: `without ${from} to ${to}` }
        }
        case 2: {
          const most = Math.min(512, bytes.length)
          for (let n = 0; n < 8; n += 1) bytes[below(most)]! ^= 1 << below(8)
          return { ...file, name, bytes, how: '8 bits of its beginning flipped' }
        }
        case 3: {
          for (let n = 0; n < 64; n += 1) bytes[below(bytes.length)] = below(256)
          return { ...file, name, bytes, how: '64 bytes changed' }
        }
        default: {
          const at = below(bytes.length)
          bytes.fill(0xff, at, Math.min(at + 4, bytes.length))
          return { ...file, name, bytes, how: `a length or offset of 0xffffffff at ${at}` }
        }
      }
    }),
  )
}
