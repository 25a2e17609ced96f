// Creates API keys with all scopes, for `npm run key`.
import type { Settings } from '../config/settings.ts'
import { createKey as insertKey } from '../db/queries/keys.ts'
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
