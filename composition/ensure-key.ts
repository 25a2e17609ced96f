// The API key of the settings, or the first one.
import type { Logger } from 'pino'
import { SettingsError } from '../config/settings-error.ts'
import { forgetConfiguredKey, setConfiguredKey } from '../db/queries/configured-key.ts'
import { createFirstKey } from '../db/queries/keys.ts'
import type { Db } from '../db/schema.ts'

/**
 * Stores the key of the settings, replacing an earlier one, which ends here also when no key is configured. Without one, the
 * first start creates one: all API processes of a database must have the same setting, since the last one to start decides.
 * @returns a key that was just created
 * @throws SettingsError when the secret belongs to a key with smaller rights
 */
export async function ensureKey(db: Db, configured: boolean | string, log: Logger): Promise<string | undefined> {
  if (typeof configured === 'string') {
    const other = await setConfiguredKey(db, configured)
    if (!other) return undefined
    throw new SettingsError([
      `Cannot start: 'MUXI_API_KEY' must be a secret of its own, got that of the key '${other.id}' ('${other.name}'), ` +
        'which may do less: choose another secret, or delete that key first',
    ])
  }
  if (await forgetConfiguredKey(db))
    log.warn('the key of an earlier MUXI_API_KEY has ended: the setting is not a key any more')
  if (!configured) return undefined
  return createFirstKey(db, { name: 'made at the first start', scopes: ['admin'] })
}
