// Under which name an owner's blobs are kept.
import { createHash } from 'node:crypto'

/** The folder of an owner: what they are called is nobody else's business. */
export function ownerFolder(owner: string): string {
  return createHash('sha256').update(owner).digest('hex').slice(0, 32)
}
