// An environment in which the server starts.
import { CREDENTIALS } from '../src/config.ts'

export const environment: Record<string, string> = Object.fromEntries(CREDENTIALS.map((name) => [name, `test ${name}`]))
