// Times that clients give.
import { wrongField } from './failures.ts'

/**
 * The time in the stored format, in UTC. @param text that fits `GivenTimeSchema` @param doing completes "Cannot …"
 * @throws MuxiError bad_request when there is no such day or hour
 */
export function storedTime(doing: string, path: string, text: string): string {
  const written = text.slice(0, 19)
  const [at, local] = [new Date(text), new Date(`${written}Z`)]
  // A day beyond the end of its month would become one of the next month.
  const real = !Number.isNaN(at.getTime()) && !Number.isNaN(local.getTime()) && local.toISOString().startsWith(written)
  if (real) return at.toISOString()
  throw wrongField(doing, path, 'a day and an hour that exist', text)
}
