// Creates API keys with all scopes: the first one at the first start, and more with `npm run key`.
import type { Settings } from '../config/settings.ts'
import { createFirstKey, createKey as insertKey, setConfiguredKey } from '../db/queries/keys.ts'
import type { Db } from '../db/schema.ts'
import { openStorage } from '../db/storage.ts'

/** A new key for the data folder of the settings. @returns the key, which is not stored in plain text */
export async function createKey(settings: Settings): Promise<string> {
  const storage = await openStorage(settings)
  try {
    const { secret } = await insertKey(storage.db, { name: 'made by the operator', scopes: ['admin'] })
    return secret
  } finally {
    await storage.close()
  }
}

/** Stores the key of the settings, replacing an earlier one; without one, the first start creates it. @returns a key that was just created */
export async function ensureKey(db: Db, configured: boolean | string): Promise<string | undefined> {
  if (configured === false) return undefined
  if (typeof configured === 'string') {
    await setConfiguredKey(db, configured)
    return undefined
  }
  return createFirstKey(db, { name: 'made at the first start', scopes: ['admin'] })
}
