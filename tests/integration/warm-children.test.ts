// Programs that read files stay warm for the next file, and end with their folders when none comes.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it, onTestFinished, vi } from 'vitest'
import { withPreparedImage } from '../../media/image/image.ts'
import { Ocr } from '../../media/image/ocr.ts'
import { inspectDocument } from '../../media/document/parse-document.ts'
import { photograph } from '../support/media.ts'
import { numberedPages, pdf } from '../support/pdf.ts'
import { childrenOf } from '../support/process-memory.ts'
import { tempDir } from '../support/temp-dir.ts'

const LIMITS = { memory_mb: 1_024, time_ms: 55_000, output_bytes: 8_000_000 }
const PROGRAMS = ['image-child.ts', 'ocr-child.ts', 'parse-child.ts']
/** How long one stays without work. */
const IDLE_MS = 60_000

function warmPrograms(): string[] {
  const commands = childrenOf(process.pid).map((pid) => {
    try {
      return readFileSync(`/proc/${pid}/cmdline`, 'utf8')
    } catch {
      return '' // it has just ended
    }
  })
  return PROGRAMS.filter((program) => commands.some((command) => command.includes(program)))
}

function folders(): string[] {
  return readdirSync(tmpdir()).filter((name) => name.startsWith(`muxi-media-${process.pid}-`))
}

it.runIf(process.platform === 'linux')(
  'parser, OCR and pictures end within a minute without work, and their folders go with them',
  async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    onTestFinished(() => void vi.useRealTimers())
    const folder = tempDir()
    const file = (name: string, bytes: Uint8Array) => {
      writeFileSync(join(folder, name), bytes)
      return join(folder, name)
    }
    const signal = new AbortController().signal
    const picture = file('picture.png', await photograph('SUND', 'png'))
    await inspectDocument(file('book.pdf', pdf(numberedPages(3))), { signal, limits: { ...LIMITS, max_pages: 10 } })
    const limits = { ...LIMITS, max_pixels: 10_000_000 }
    const variant = { name: 'small', max_side: 100, max_bytes: 1_000_000 }
    await withPreparedImage(picture, [variant], { signal, limits, owner: 'anna' }, () => Promise.resolve())
    await new Ocr(LIMITS).recognize({ path: picture }, { languages: ['eng'], owner: 'anna', signal })
    // The last one has just been used; it starts no slower than the others end.
    expect(warmPrograms()).toContain('ocr-child.ts')
    expect(folders()).not.toEqual([])
    vi.advanceTimersByTime(IDLE_MS - 1)
    expect(warmPrograms()).toContain('ocr-child.ts')
    vi.advanceTimersByTime(1)
    await expect.poll(warmPrograms).toEqual([])
    await expect.poll(folders).toEqual([])
  },
)
