// Values of unknown types that servers send, as errors and warnings name them.

export function isMissing(value: unknown): value is null | undefined {
  return value === undefined || value === null
}

export function kindOf(value: unknown): string {
  if (value === undefined) return 'nothing'
  if (value === null) return 'null'
  if (Array.isArray(value)) return 'an array'
  return typeof value === 'object' ? 'an object' : `a ${typeof value}`
}
