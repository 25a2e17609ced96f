// What embedders share: arithmetic of vectors, requests of a limited size, the check of the dimension.
import { ProviderFailure } from './failure.ts'

/** Scales a vector to length 1, in place; one of zeros is left as it is. */
export function normalize(vector: Float32Array): Float32Array {
  let sum = 0
  for (const value of vector) sum += value * value
  const length = Math.sqrt(sum)
  if (length > 0) for (let index = 0; index < vector.length; index++) vector[index]! /= length
  return vector
}

/** The product of two vectors of the same dimension; of vectors of length 1, their cosine. */
export function dot(a: Float32Array, b: Float32Array): number {
  let sum = 0
  for (let index = 0; index < a.length; index++) sum += a[index]! * b[index]!
  return sum
}

/** The vectors of texts, by one request for at most `size` of them after the other. Vendors refuse an empty text. */
export async function embedInBatches(
  texts: readonly string[],
  size: number,
  request: (batch: string[]) => Promise<Float32Array[]>,
): Promise<Float32Array[]> {
  const vectors: Float32Array[] = []
  for (let start = 0; start < texts.length; start += size) {
    const batch = texts.slice(start, start + size).map((text) => (text.trim() === '' ? '-' : text))
    vectors.push(...(await request(batch)))
  }
  return vectors
}

/** @throws ProviderFailure `final`, because every further vector would have it, too */
export function checkDimension({ length }: { length: number }, dimension: number, provider: string): void {
  if (length === dimension) return
  const message = `The model's vectors have ${length} dimensions; ${dimension} are configured`
  throw new ProviderFailure('final', message, { provider })
}
