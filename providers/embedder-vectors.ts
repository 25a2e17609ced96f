// Arithmetic of vectors that more than one embedder needs.

/** Scales a vector to length 1, in place; one of zeros is left as it is. */
export function normalize(vector: Float32Array): Float32Array {
  let sum = 0
  for (const value of vector) sum += value * value
  const length = Math.sqrt(sum)
  if (length > 0) for (let index = 0; index < vector.length; index++) vector[index]! /= length
  return vector
}
