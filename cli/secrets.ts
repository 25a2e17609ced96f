// Removes stored credentials that the secret key of the settings cannot read, for `muxi secrets forget`.
import type { Settings } from '../config/settings.ts'
import { openStorage } from '../db/storage.ts'
import { forgetUnreadable } from '../db/unreadable.ts'

/** @returns what to print */
export async function forgetSecrets(settings: Settings): Promise<string> {
  const storage = await openStorage(settings)
  try {
    const names = await forgetUnreadable(storage.db, storage.box)
    return names.length === 0
      ? 'All stored secrets can be read; nothing was removed.'
      : `Removed, to be entered again:\n${names.map((name) => `  ${name}`).join('\n')}`
  } finally {
    await storage.close()
  }
}
