// The pictures of a tool's answer, made ready for models as uploads are; each is named in the text for the model.
import type { StoredImage } from '../../db/columns.ts'
import { withPreparedImage, type ImageLimits, type PreparedImage } from '../../media/image/image.ts'
import { MediaFailure } from '../../media/failure.ts'
import type { AnsweredPicture, ToolAnswer } from '../../mcp/result.ts'
import { commonVariant, type SeenBy } from '../ingest/picture-variants.ts'

/** Limits of one answer: pictures, the files that they are sent as, and the bytes of a picture. */
const MAX_PICTURES = 8
const MAX_FILES = 16
const MAX_BYTES = 20 * 2 ** 20

export interface PictureOptions {
  /** The models that may get the answer. */
  models: readonly SeenBy[]
  /** The user that the call is made for. */
  owner: string
  limits: ImageLimits
  /** Stores the bytes. @returns their SHA-256 */
  keep: (path: string) => Promise<string>
  /** Removes credentials from a text. */
  clean: (text: string) => string
  signal: AbortSignal
}

/** The answer as text, with a note in place of each picture, and the pictures. A picture that cannot be shown costs nothing else. */
export async function readyAnswer(
  { parts }: ToolAnswer,
  options: PictureOptions,
): Promise<{ text: string; images: StoredImage[] }> {
  const texts: string[] = []
  const images: StoredImage[] = []
  let shown = 0
  for (const part of parts) {
    if (typeof part === 'string') {
      texts.push(options.clean(part))
      continue
    }
    const ready = await makeReady(part, options, shown, images.length)
    texts.push(`[${options.clean(part.label)}${ready.note}]`)
    images.push(...ready.images)
    if (ready.images.length > 0) shown += 1
  }
  return { text: texts.join(''), images }
}

async function makeReady(
  { media_type, bytes }: AnsweredPicture,
  { models, owner, limits, keep, signal }: PictureOptions,
  shown: number,
  files: number,
): Promise<{ note: string; images: StoredImage[] }> {
  const notShown = (why: string) => ({ note: `, not shown: ${why}`, images: [] })
  const variant = commonVariant(models)
  if (!variant) return notShown('the model takes no pictures')
  if (bytes.length > MAX_BYTES) return notShown(`a picture must have at most ${MAX_BYTES} bytes`)
  if (shown === MAX_PICTURES || files >= MAX_FILES) return notShown(`an answer has at most ${MAX_PICTURES} pictures`)
  const max_tiles = Math.min(variant.max_tiles ?? 1, MAX_FILES - files)
  try {
    return await withPreparedImage(bytes, [{ ...variant, max_tiles }], { signal, limits, owner }, async (prepared) => {
      const images: StoredImage[] = []
      for (const { path, media_type: type } of prepared.files.filter(({ name }) => name === variant.name))
        images.push({ media_type: type, sha256: await keep(path) })
      return { note: noteOf(prepared, media_type, images.length), images }
    })
  } catch (error) {
    signal.throwIfAborted()
    // The answer is the only one that there will be: nothing that is wrong with a picture may lose it.
    return notShown(error instanceof MediaFailure ? error.message : 'it cannot be read')
  }
}

function noteOf({ facts }: PreparedImage, declared: string, parts: number): string {
  const { type, width, height, frames } = facts
  const notes = [
    ...(type === declared ? [] : [`in fact ${type}`]),
    `${width} × ${height} pixels`,
    ...(frames > 1 ? [`the first of ${frames} frames`] : []),
    ...(parts > 1 ? [`in ${parts} parts from ${height >= width ? 'top to bottom' : 'left to right'}`] : []),
  ]
  return `, ${notes.join(', ')}`
}
