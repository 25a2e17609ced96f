// Pictures and recordings for tests, made by sharp, ffmpeg and espeak-ng when they are needed.
import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import sharp from 'sharp'
import { findFfmpeg } from '../../media/audio/ffmpeg.ts'

const run = promisify(execFile)

/** A picture with words in it, drawn wide, that says it is to be turned, and where it was taken. */
export async function photograph(words: string, format: 'jpeg' | 'png' | 'webp' | 'tiff' | 'avif' | 'gif' = 'jpeg') {
  const drawn = Buffer.from(
    `<svg xmlns="http://www.w3.org/2000/svg" width="1200" height="600"><rect width="1200" height="600" fill="#fff"/>` +
      `<text x="60" y="330" font-size="90" font-family="sans-serif">${words}</text></svg>`,
  )
  const turned = await sharp(drawn).rotate(270).png().toBuffer()
  const exif = { IFD0: { Make: 'Testcam' }, IFD3: { GPSLatitudeRef: 'N', GPSLatitude: '59/1 20/1 0/1' } }
  const picture = sharp(turned).withExif(exif).withMetadata({ orientation: 6 })
  // Only what carries an orientation is turned.
  return format === 'gif' || format === 'avif'
    ? sharp(drawn).toFormat(format).toBuffer()
    : picture.withExifMerge(exif).toFormat(format).toBuffer()
}

/** Sound of a filter of ffmpeg, as a file with that name. */
export async function sound(folder: string, name: string, filter: string, ...more: string[]): Promise<Buffer> {
  const path = join(folder, name)
  await run(await findFfmpeg(), ['-loglevel', 'error', '-y', '-f', 'lavfi', '-i', filter, ...more, path])
  return readFile(path)
}

/** So many seconds of tones with pauses, as speech has them. */
export function spoken(seconds: number): string {
  return `sine=f=440:d=${seconds}:r=16000,volume='if(lt(mod(t,11),10),0.5,0)':eval=frame`
}
