// The forms in which pictures are made ready for models, of uploads and of tool results alike.
import type { ImageVariant } from '../../media/image/image.ts'
import { USUAL_PICTURE, type PictureLimits } from '../../providers/catalog.ts'
import type { ChainModel } from '../../providers/registry.ts'
import { variantName } from './media-rows.ts'

/** Most parts of a long picture. */
const MAX_TILES = 6

export type SeenBy = Pick<ChainModel, 'known'>

/** One variant for each of the limits of the models. */
export function variantsFor(models: readonly SeenBy[]): ImageVariant[] {
  const limits = models.flatMap(({ known }) => known.pictures ?? [])
  const variants = (limits.length > 0 ? limits : [USUAL_PICTURE]).map(toVariant)
  return [...new Map(variants.map((variant) => [variant.name, variant])).values()]
}

/** One variant that every model takes which can see; undefined when none of them can. */
export function commonVariant(models: readonly SeenBy[]): ImageVariant | undefined {
  const limits = models.flatMap(({ known }) => known.pictures ?? [])
  if (limits.length === 0) return undefined
  return toVariant({
    max_side: Math.min(...limits.map(({ max_side }) => max_side)),
    max_bytes: Math.min(...limits.map(({ max_bytes }) => max_bytes)),
  })
}

function toVariant(limits: PictureLimits): ImageVariant {
  return { name: variantName(limits), ...limits, max_tiles: MAX_TILES }
}
