// Pictures of text, pictures and sound, made ready by us and by the bare program on the same files, in turns.
import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { availableParallelism, tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import sharp from 'sharp'
import { prepareAudio } from '../../media/audio/audio.ts'
import { findFfmpeg } from '../../media/audio/ffmpeg.ts'
import { withPreparedImage } from '../../media/image/image.ts'
import { Ocr } from '../../media/image/ocr.ts'
import { spoken, sound } from '../support/media.ts'
import { percentile, report, throughput } from './measure.ts'

const MANUAL = '/usr/share/doc/gnuplot/gnuplot.pdf'
/** Pages of prose in one column, so that the order of their words is no matter of opinion. */
const FIRST_PAGE = 30
const PAGES = 12
const PHOTOS = 6
const ROUNDS = 3
const CORES = availableParallelism()
const LIMITS = { memory_mb: 1_024, time_ms: 600_000, output_bytes: 2 ** 30 }
const { signal } = new AbortController()

const run = promisify(execFile)

/** Against the native program, as many processes as there are cores, each with one thread: it is faster so. */
export async function ocr(): Promise<void> {
  const tools = [run('tesseract', ['--version']), run('pdftoppm', ['-v'])].map((tool) => tool.catch(() => undefined))
  if (!existsSync(MANUAL) || (await Promise.all(tools)).includes(undefined))
    return report('ocr', 'not measured: apt-get install gnuplot-doc poppler-utils tesseract-ocr')
  await inFolder(async (folder) => {
    const range = ['-f', String(FIRST_PAGE), '-l', String(FIRST_PAGE + PAGES - 1)]
    await run('pdftoppm', ['-r', '300', '-gray', '-png', ...range, MANUAL, join(folder, 'page')])
    const pictures = (await readdir(folder)).toSorted().map((name) => join(folder, name))
    const truth = (await run('pdftotext', [...range, MANUAL, '-'])).stdout.split('\f').slice(0, PAGES)
    const reader = new Ocr(LIMITS)
    const native: number[] = []
    const ours: number[] = []
    const texts = { native: [] as string[], ours: [] as string[] }
    const env = { ...process.env, OMP_THREAD_LIMIT: '1' }
    const readNative = async (index: number) => {
      const { stdout } = await run('tesseract', [pictures[index]!, '-', '-l', 'eng'], { env })
      texts.native[index] = stdout
    }
    const readOurs = async (index: number) => {
      const read = await reader.recognize({ path: pictures[index]! }, { languages: ['eng'], signal, owner: 'bench' })
      texts.ours[index] = read.text
    }
    await Promise.all(Array.from({ length: CORES }, (_, index) => readOurs(index)))
    for (let round = 0; round < ROUNDS; round += 1) {
      native.push(await each(PAGES, readNative))
      ours.push(await each(PAGES, readOurs))
    }
    const right = (read: string[]) => {
      const wrong = truth.reduce((sum, text, index) => sum + distance(letters(text), letters(read[index]!)), 0)
      return 100 - (wrong / truth.reduce((sum, text) => sum + letters(text).length, 0)) * 100
    }
    const [theirs, mine] = [percentile(native, 50), percentile(ours, 50)]
    report('ocr: native tesseract', `${theirs.toFixed(2)} pages a second, ${right(texts.native).toFixed(2)} % right`)
    report('ocr: ours', `${mine.toFixed(2)} pages a second`, mine / theirs, '≥ 0.7')
    const behind = right(texts.native) - right(texts.ours)
    report('ocr: characters right', `${right(texts.ours).toFixed(2)} %, ${behind.toFixed(2)} behind (≤ 0.5)`)
  })
}

/** Photographs of 12 megapixels to what models take and a thumbnail, against sharp without a process around it. */
export async function images(): Promise<void> {
  const variants = [
    { name: 'model', max_side: 1_568, max_bytes: 3.5 * 2 ** 20 },
    { name: 'thumbnail', max_side: 256, max_bytes: 64 * 1_024, format: 'webp' as const },
  ]
  await inFolder(async (folder) => {
    const path = join(folder, 'photo.jpg')
    const noise = { type: 'gaussian' as const, mean: 128, sigma: 60 }
    const grain = await sharp({ create: { width: 500, height: 375, channels: 3, background: '#888', noise } })
      .png()
      .toBuffer()
    await sharp(grain).resize(4_000, 3_000, { kernel: 'cubic' }).withMetadata({ orientation: 6 }).jpeg().toFile(path)
    const options = { signal, limits: { ...LIMITS, max_pixels: 1e8 }, owner: 'bench' }
    const prepare = () => withPreparedImage(path, variants, options, ({ files }) => Promise.resolve(files.length))
    sharp.cache(false)
    const bare = async (index: number) => {
      const photo = sharp(await readFile(path)).autoOrient()
      const inside = (side: number) => photo.clone().resize(side, side, { fit: 'inside', withoutEnlargement: true })
      await inside(1_568)
        .jpeg({ quality: 85 })
        .toFile(join(folder, `model-${index}`))
      await inside(256)
        .webp({ quality: 75 })
        .toFile(join(folder, `thumbnail-${index}`))
    }
    await Promise.all(Array.from({ length: CORES }, prepare))
    const native: number[] = []
    const ours: number[] = []
    for (let round = 0; round < ROUNDS; round += 1) {
      native.push(await each(PHOTOS, bare))
      ours.push(await each(PHOTOS, prepare))
    }
    const [theirs, mine] = [percentile(native, 50), percentile(ours, 50)]
    report('images: bare sharp', `${theirs.toFixed(1)} a second`)
    report('images: ours', `${mine.toFixed(1)} a second`, mine / theirs, '≥ 0.8')
  })
}

/** Ten minutes of MP3, against one command of ffmpeg that resamples, measures, levels and finds silences. */
export async function audio(): Promise<void> {
  await inFolder(async (folder) => {
    await sound(folder, 'ten.mp3', spoken(600))
    const path = join(folder, 'ten.mp3')
    const ffmpeg = await findFfmpeg()
    const filters = 'aresample=16000,ebur128,volume=3dB,alimiter=limit=0.9:level=false,silencedetect=-40dB:d=0.4'
    const wav = join(folder, 'bare.wav')
    const bare = () =>
      run(ffmpeg, ['-v', 'error', '-y', '-threads', '1', '-i', path, '-ac', '1', '-af', filters, '-ar', '16000', wav])
    const limits = { ...LIMITS, max_seconds: 3_600 }
    const native: number[] = []
    const ours: number[] = []
    await prepareAudio(path, folder, { signal, limits })
    for (let round = 0; round < ROUNDS; round += 1) {
      native.push(await each(1, bare))
      ours.push(await each(1, () => prepareAudio(path, folder, { signal, limits })))
    }
    const [theirs, mine] = [percentile(native, 50), percentile(ours, 50)]
    report('audio: one command of ffmpeg', `${(theirs * 600).toFixed(0)} seconds of sound a second`)
    report('audio: ours', `${(mine * 600).toFixed(0)} seconds of sound a second`, mine / theirs, '≥ 0.8')
  })
}

/** Works on so many, as many at once as there are cores. @returns how many a second */
function each(count: number, work: (index: number) => Promise<unknown>): Promise<number> {
  let next = 0
  return throughput(count, Math.min(count, CORES), () => work(next++))
}

async function inFolder(work: (folder: string) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'muxi-bench-'))
  try {
    await work(folder)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

function letters(text: string): string {
  return text.normalize('NFKC').replace(/\s+/g, '')
}

/** How many characters must be changed, added or removed to make one of the other. */
function distance(a: string, b: string): number {
  let row = Uint32Array.from({ length: b.length + 1 }, (_, index) => index)
  for (let i = 1; i <= a.length; i += 1) {
    const next = new Uint32Array(b.length + 1)
    next[0] = i
    for (let j = 1; j <= b.length; j += 1)
      next[j] = Math.min(row[j]! + 1, next[j - 1]! + 1, row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1))
    row = next
  }
  return row[b.length]!
}
