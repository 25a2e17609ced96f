// The forms in which pictures are made ready for models, of uploads and of tool results alike.
import type { ImageVariant } from '../../media/image/image.ts'
import { pictureLimitsOf, type PictureLimits } from '../../providers/image-limits.ts'
import type { ModelRef } from '../../contracts/turn.ts'
import { variantName } from './media-rows.ts'

/** Defaults without a model: limits that most models accept. */
const USUAL: PictureLimits = { max_side: 1_568, max_bytes: 3.5 * 2 ** 20 }
/** Most parts of a long picture. */
const MAX_TILES = 6

/** One variant for each of the limits of the models. */
export function variantsFor(models: readonly ModelRef[]): ImageVariant[] {
  const limits = models.flatMap((model) => pictureLimitsOf(model) ?? [])
  const variants = (limits.length > 0 ? limits : [USUAL]).map(toVariant)
  return [...new Map(variants.map((variant) => [variant.name, variant])).values()]
}

/** One variant that every model takes which can see; undefined when none of them can. */
export function commonVariant(models: readonly ModelRef[]): ImageVariant | undefined {
  const limits = models.flatMap((model) => pictureLimitsOf(model) ?? [])
  if (limits.length === 0) return undefined
  return toVariant({
    max_side: Math.min(...limits.map(({ max_side }) => max_side)),
    max_bytes: Math.min(...limits.map(({ max_bytes }) => max_bytes)),
  })
}

function toVariant(limits: PictureLimits): ImageVariant {
  return { name: variantName(limits), ...limits, max_tiles: MAX_TILES }
}
