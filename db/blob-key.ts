// Storage names of blobs, by owner.
import { createHash } from 'node:crypto'

/** The folder of an owner: a hash, so that it does not reveal the user id. */
export function ownerFolder(owner: string): string {
  return createHash('sha256').update(owner).digest('hex').slice(0, 32)
}
