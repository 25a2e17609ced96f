// How large a picture each model takes, and which take none.
import type { ModelRef } from '../contracts/turn.ts'

export interface PictureLimits {
  /** Longest side, in pixels: more is scaled down by the vendor, and paid for. */
  max_side: number
  max_bytes: number
}

const MB = 2 ** 20
/** Pictures of one request and their bytes: vendors refuse larger requests, or scale the pictures down. */
export const MAX_PICTURES = 20
export const MAX_PICTURE_BYTES = 20 * MB
/** Base64 makes a third more of it: Anthropic counts 5 MB after that. */
const LIMITS: Record<string, PictureLimits> = {
  openai: { max_side: 2_048, max_bytes: 15 * MB },
  anthropic: { max_side: 1_568, max_bytes: 3.5 * MB },
  gemini: { max_side: 3_072, max_bytes: 10 * MB },
  xai: { max_side: 2_048, max_bytes: 7 * MB },
}
/** Models of which it is known that they take text only. */
const BLIND =
  /^(gpt-3\.5|gpt-4(-\d{4}|-32k)?$|o1-mini|o3-mini|deepseek-(chat|reasoner|coder)|text-|codex-|grok-(2|3)(-mini|$))/

/** Undefined for a model that cannot see. */
export function pictureLimitsOf({ provider, model }: ModelRef): PictureLimits | undefined {
  return BLIND.test(model) ? undefined : LIMITS[provider]
}
