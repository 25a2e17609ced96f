// Secret values in API requests: literal, or the name of an environment variable that the operator allows.
import { shorten } from '../../contracts/shorten.ts'
import { MuxiError } from '../../contracts/failures.ts'

const VARIABLE = /^\$\{([A-Za-z_][A-Za-z0-9_]*)\}$/

/** Whether the value is the name of a variable. */
export function isVariable(value: string): boolean {
  return VARIABLE.test(value)
}

/** Resolves `${NAME}` in a secret field, for names that the operator allows. @param what completes "Cannot …" */
export function resolveSecret(
  what: string,
  path: string,
  value: string,
  apiEnv: Readonly<Record<string, string>>,
): string {
  const name = VARIABLE.exec(value)?.[1]
  if (name === undefined) return value
  const found = apiEnv[name]
  if (found !== undefined) return found
  throw new MuxiError(
    'unprocessable',
    `Cannot ${what}: '${path}' must name a variable of MUXI_API_ENV, got '${shorten(name)}'`,
  )
}
