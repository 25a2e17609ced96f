// The API key of the settings, or the first one.
import { createFirstKey, setConfiguredKey } from '../db/queries/keys.ts'
import type { Db } from '../db/schema.ts'

/** Stores the key of the settings, replacing an earlier one; without one, the first start creates it. @returns a key that was just created */
export async function ensureKey(db: Db, configured: boolean | string): Promise<string | undefined> {
  if (configured === false) return undefined
  if (typeof configured === 'string') {
    await setConfiguredKey(db, configured)
    return undefined
  }
  return createFirstKey(db, { name: 'made at the first start', scopes: ['admin'] })
}
