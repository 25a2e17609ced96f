// The pictures of a request within the model's limits: those that are asked for first are shown, the others are named as left out.
import type { ImagePart } from '../../contracts/model-messages.ts'
import { BlobMissing, type Blobs } from '../../db/blobs.ts'
import type { StoredImage } from '../../db/columns.ts'
import type { JobsTable } from '../../db/schema.ts'
import { MAX_PICTURE_BYTES, MAX_PICTURES, type PictureLimits } from '../../providers/catalog.ts'
import type { ChainModel } from '../../providers/registry.ts'
import { listMade, readMedia, variantName } from '../ingest/media-rows.ts'

export interface Shown {
  parts: ImagePart[]
  /** For the model, when pictures are left out. */
  note?: string
}

export class ShownPictures {
  readonly #blobs: Blobs
  readonly #limits: PictureLimits | undefined
  #count = 0
  #bytes = 0

  constructor(blobs: Blobs, { known }: Pick<ChainModel, 'known'>) {
    this.#blobs = blobs
    this.#limits = known.pictures
  }

  /** The attached picture as it was made ready for the model; nothing for one that cannot see: it gets the text in the picture. */
  async takeJob(job: JobsTable): Promise<Shown> {
    const isPicture = job.kind === 'image' && job.status === 'completed'
    if (!isPicture || !this.#limits) return { parts: [] }
    return this.take(job.user_id, listMade(readMedia(job), variantName(this.#limits)))
  }

  /** The files of one or more pictures: all of them, or none. */
  async take(owner: string, images: readonly StoredImage[]): Promise<Shown> {
    if (images.length === 0) return { parts: [] }
    if (!this.#limits) return { parts: [], note: '[Not shown: the model takes no pictures.]' }
    const leftOut = { parts: [], note: `[Not shown: a request has room for ${MAX_PICTURES} pictures, the latest.]` }
    if (this.#count + images.length > MAX_PICTURES) return leftOut
    const parts: ImagePart[] = []
    let bytes = 0
    for (const { media_type, sha256 } of images) {
      const picture = await this.#blobs.get(owner, sha256).catch((error: unknown) => {
        if (error instanceof BlobMissing) return undefined
        throw error
      })
      if (!picture) return { parts: [], note: '[Not shown: it has been deleted.]' }
      bytes += picture.length
      if (this.#bytes + bytes > MAX_PICTURE_BYTES) return leftOut
      parts.push({ type: 'image', media_type, base64: picture.toString('base64') })
    }
    this.#count += parts.length
    this.#bytes += bytes
    return { parts }
  }
}
