// The child program for OCR: a page of a PDF, rendered at 300 dpi, or an image.
import { copyFile, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import sharp from 'sharp'
import { createWorker, OEM, PSM, type Page as RecognizedPage, type Worker } from 'tesseract.js'
import { answerRequests, folder } from '../process/child-protocol.ts'
import { letterHeight } from './letter-height.ts'
import { toRecognized } from './recognized-text.ts'
import { stripsOf } from './strips.ts'
import { languageFile } from './ocr-languages.ts'
import type { Recognized } from '../page.ts'
import { drawPdfPage } from '../document/pdf-engines.ts'

export interface OcrRequest {
  path: string
  /** Of a PDF; without it the file is an image. */
  page?: number | undefined
  languages: string[]
}

const DPI = 300
/** Heights of letters, in pixels: what the model is made for, and the least and the most that it reads as well. */
const BEST_HEIGHT = 26
const LEAST_HEIGHT = 18
const MOST_HEIGHT = 70
const MOST_SCALE = 4
/** Limit of a scaled picture, in pixels. */
const MOST_PIXELS = 16_000_000
/** A picture without measurable letters is scaled so much when it is read with less than the first confidence. */
const SCALED_UP = 3
const SMALL_SIDE = 1_300
/** Confidence, from 0 to 100, below which a page may be rotated, or without text. */
const SURE = 70
const NOTHING: Recognized = { text: '', confidence: 0, turned: 0, paragraphs: [] }
/** Side of the thumbnail for the detection of text lines, in pixels; and of samples of it, as shares. */
const COPY_SIDE = 800
const PIECE = 0.35
const SAMPLE = 0.6
/** Pixels of a picture whose letters are measured without a sample. */
const MEASURED_WHOLE = 4_000_000

sharp.cache(false)
let reader: { languages: string; worker: Worker } | undefined

answerRequests<OcrRequest>(
  async ({ path, page, languages }): Promise<Recognized> => {
    if (page !== undefined) {
      const drawn = await drawPdfPage(path, page, DPI)
      return drawn ? readScaled(drawn, languages) : NOTHING
    }
    const bytes = await readFile(path)
    const flat = await sharp(bytes).flatten({ background: '#fff' }).greyscale().png({ compressionLevel: 1 }).toBuffer()
    const { width, height } = await sharp(flat).metadata()
    const strips = stripsOf(await contrastOf(flat, height), width)
    if (strips.length === 1) return readScaled(flat, languages)
    const read: Recognized[] = []
    for (const { top, height: high } of strips) {
      const strip = await sharp(flat)
        .extract({ left: 0, top, width, height: high })
        .png({ compressionLevel: 1 })
        .toBuffer()
      read.push(movedDown(await readScaled(strip, languages), top))
    }
    return joined(read)
  },
  { threads: true },
)

/** The difference between the lightest and the darkest of each row. */
async function contrastOf(picture: Buffer, height: number): Promise<Uint8Array> {
  const { data, info } = await sharp(picture)
    .resize({ width: 200, height, fit: 'fill' })
    .greyscale()
    .raw()
    .toBuffer({ resolveWithObject: true })
  return Uint8Array.from({ length: height }, (_, row) => {
    let [least, most] = [255, 0]
    for (let x = 0; x < info.width; x += 1) {
      const value = data[(row * info.width + x) * info.channels]!
      least = Math.min(least, value)
      most = Math.max(most, value)
    }
    return most - least
  })
}

/** Reads a picture in the size in which its letters are read best. */
async function readScaled(picture: Buffer, languages: string[]): Promise<Recognized> {
  const { width, height } = await sharp(picture).metadata()
  const letters = await lettersOf(picture)
  const scale = letters === undefined || (letters >= LEAST_HEIGHT && letters <= MOST_HEIGHT) ? 1 : BEST_HEIGHT / letters
  if (scale !== 1) return readAtScale(picture, scale, width, height, languages)
  const read = await readUpright(picture, languages)
  if (letters !== undefined || read.confidence >= SURE || Math.max(width, height) > SMALL_SIDE) return read
  const larger = await readAtScale(picture, SCALED_UP, width, height, languages)
  return larger.confidence > read.confidence ? larger : read
}

async function readAtScale(
  picture: Buffer,
  wanted: number,
  width: number,
  height: number,
  languages: string[],
): Promise<Recognized> {
  const scale = Math.min(wanted, MOST_SCALE, Math.sqrt(MOST_PIXELS / (width * height)))
  const scaled = sharp(picture).resize({ width: Math.round(width * scale), kernel: 'cubic' })
  const read = await readUpright(await scaled.png({ compressionLevel: 1 }).toBuffer(), languages)
  const back = (box: number[]) => box.map((each) => Math.round(each / scale))
  return { ...read, paragraphs: read.paragraphs.map((each) => ({ ...each, box: back(each.box) })) }
}

/** The height of letters where there are most of them. */
async function lettersOf(picture: Buffer): Promise<number | undefined> {
  const { width, height } = await sharp(picture).metadata()
  const isSmall = width * height <= MEASURED_WHOLE
  const piece = isSmall ? { left: 0, top: 0, width, height } : busiest(await grey(picture), SAMPLE)
  const { data, info } = await sharp(picture).extract(piece).greyscale().raw().toBuffer({ resolveWithObject: true })
  const values = info.channels === 1 ? data : data.filter((_, index) => index % info.channels === 0)
  return letterHeight(values, info.width, info.height)
}

function movedDown(read: Recognized, by: number): Recognized {
  const moved = ([left, top, right, bottom]: number[]) => [left!, top! + by, right!, bottom! + by]
  return { ...read, paragraphs: read.paragraphs.map((each) => ({ ...each, box: moved(each.box) })) }
}

function joined(strips: Recognized[]): Recognized {
  const read = strips.filter(({ text }) => text !== '')
  const letters = read.reduce((sum, { text }) => sum + text.length, 0)
  const sure = read.reduce((sum, { text, confidence }) => sum + text.length * confidence, 0)
  return {
    text: read.map(({ text }) => text).join('\n\n'),
    confidence: letters === 0 ? 0 : Math.round(sure / letters),
    turned: read[0]?.turned ?? 0,
    paragraphs: read.flatMap(({ paragraphs }) => paragraphs),
  }
}

async function readUpright(picture: Buffer, languages: string[]): Promise<Recognized> {
  const copy = await grey(picture)
  if (isBlank(copy)) return NOTHING
  const worker = await readerOf(languages)
  const readAt = async (turned: number) => toRecognized(await recognize(worker, await turn(picture, turned)), turned)
  const upright = runsAcross(copy) ? undefined : await readAt(0)
  if (upright && upright.confidence >= SURE) return upright
  const turned = await angleOf(worker, picture, copy)
  const again = turned === 0 ? undefined : await readAt(turned)
  if (again && again.confidence >= SURE) return again
  const either = [again, upright ?? (await readAt(0))].filter((read) => read !== undefined)
  return either.toSorted((a, b) => b.confidence - a.confidence)[0]!
}

async function recognize(worker: Worker, picture: Buffer): Promise<RecognizedPage> {
  return (await worker.recognize(picture, { rotateAuto: true }, { text: false, blocks: true })).data
}

async function readerOf(languages: string[]): Promise<Worker> {
  const key = languages.join('+')
  if (reader?.languages !== key) {
    await reader?.worker.terminate()
    // tesseract.js reads data from one folder only; it treats bytes as names of languages (7.0.0, November 2026).
    for (const code of languages) await copyFile(languageFile(code), join(folder, `${code}.traineddata.gz`))
    const worker = await createWorker(languages, OEM.LSTM_ONLY, { langPath: folder, cacheMethod: 'none', gzip: true })
    // Page segmentation with columns; without a resolution it guesses one and logs that to stderr.
    await worker.setParameters({ tessedit_pageseg_mode: PSM.AUTO, user_defined_dpi: String(DPI) })
    reader = { languages: key, worker }
  }
  return reader.worker
}

interface Grey {
  width: number
  height: number
  /** Scale factor to the image. */
  scale: number
  /** From 0, white, to 255. */
  ink: Uint8Array
}

/** A grayscale thumbnail. */
async function grey(picture: Buffer): Promise<Grey> {
  const { width } = await sharp(picture).metadata()
  const small = sharp(picture).resize({ width: COPY_SIDE, height: COPY_SIDE, fit: 'inside' })
  const { data, info } = await small.greyscale().raw().toBuffer({ resolveWithObject: true })
  const ink = Uint8Array.from({ length: info.width * info.height }, (_, at) => 255 - data[at * info.channels]!)
  return { width: info.width, height: info.height, scale: info.width / width, ink }
}

function isBlank({ ink }: Grey): boolean {
  let [least, most] = [255, 0]
  for (const each of ink) {
    least = Math.min(least, each)
    most = Math.max(most, each)
  }
  return most - least < 16
}

/** Whether lines of text, which appear as stripes, run from top to bottom. */
function runsAcross({ width, height, ink }: Grey): boolean {
  const rows = new Float64Array(height)
  const columns = new Float64Array(width)
  for (let at = 0; at < ink.length; at += 1) {
    rows[Math.floor(at / width)]! += ink[at]! / width
    columns[at % width]! += ink[at]! / height
  }
  return roughness(columns) > roughness(rows)
}

/** Sum of differences between neighbours of a profile. */
function roughness(numbers: Float64Array): number {
  let sum = 0
  for (let index = 1; index < numbers.length; index += 1) sum += (numbers[index]! - numbers[index - 1]!) ** 2
  return sum / numbers.length
}

/** Tries all four rotations on a sample of the page, which takes a tenth of the page's time. */
async function angleOf(worker: Worker, picture: Buffer, copy: Grey): Promise<number> {
  const piece = await sharp(picture).extract(busiest(copy)).png({ compressionLevel: 1 }).toBuffer()
  let best = { turned: 0, confidence: 0 }
  for (const turned of [0, 180, 90, 270]) {
    const { confidence } = await recognize(worker, await turn(piece, turned))
    if (confidence > best.confidence) best = { turned, confidence }
    if (confidence >= SURE) break
  }
  return best.turned
}

/** The square of an image with the most contrast between neighbouring pixels, as in text. */
function busiest(
  { width, height, scale, ink }: Grey,
  share = PIECE,
): { left: number; top: number; width: number; height: number } {
  const side = Math.floor(Math.min(width, height) * share)
  const step = Math.max(1, Math.floor(side / 4))
  let best = { left: 0, top: 0, changes: -1 }
  for (let top = 0; top + side <= height; top += step) {
    for (let left = 0; left + side <= width; left += step) {
      let changes = 0
      for (let y = top; y < top + side; y += 2) {
        for (let x = left + 1; x < left + side; x += 1)
          changes += Math.abs(ink[y * width + x]! - ink[y * width + x - 1]!)
      }
      if (changes > best.changes) best = { left, top, changes }
    }
  }
  const [left, top] = [Math.floor(best.left / scale), Math.floor(best.top / scale)]
  return { left, top, width: Math.floor(side / scale), height: Math.floor(side / scale) }
}

function turn(picture: Buffer, angle: number): Promise<Buffer> {
  return angle === 0 ? Promise.resolve(picture) : sharp(picture).rotate(angle).png({ compressionLevel: 1 }).toBuffer()
}
