// The key of the setting MUXI_API_KEY, and its end when the setting has it no more.
import { keyScopes } from '../columns.ts'
import { parseColumn } from '../json-column.ts'
import type { ApiKeysTable, Db, Tx } from '../schema.ts'
import { hashKey, removeKey, toRow } from './keys.ts'

const CONFIGURED_KEY = 'key_configured'

/**
 * Stores the operator's configured key, with no other secret than this one. A key with all scopes that has this secret
 * already takes its place. @returns the key that has the secret with smaller rights, in which case nothing is changed
 */
export function setConfiguredKey(db: Db, secret: string): Promise<{ id: string; name: string } | undefined> {
  const hash = hashKey(secret)
  return db.transaction().execute(async (tx) => {
    await sweepAliases(tx)
    const other = await tx
      .selectFrom('api_keys')
      .selectAll()
      .where('hash', '=', hash)
      .where('id', '!=', CONFIGURED_KEY)
      .executeTakeFirst()
    if (other && other.alias_of !== CONFIGURED_KEY) {
      const { id, alias_of, name } = other
      if (!isUnrestricted(other)) return { id: alias_of ?? id, name }
      if (alias_of === null) return void (await removeKey(tx, CONFIGURED_KEY))
    }
    // The secret before a rotation: it is one of the configured key again.
    const aliases = tx.deleteFrom('api_keys').where('alias_of', 'is not', null)
    await aliases.where((eb) => eb.or([eb('hash', '=', hash), eb('alias_of', '=', CONFIGURED_KEY)])).execute()
    const row = toRow(CONFIGURED_KEY, { name: 'MUXI_API_KEY', scopes: ['admin'] }, secret)
    await tx
      .insertInto('api_keys')
      .values(row)
      .onConflict((oc) => oc.column('id').doUpdateSet({ hash }))
      .execute()
    return undefined
  })
}

/** Whether the key may do all that the configured one may. The end of an alias is that of a rotation. */
function isUnrestricted({ id, scopes, user_id, networks, rate_limits, alias_of, expires_at }: ApiKeysTable): boolean {
  const endless = alias_of !== null || expires_at === null
  return parseColumn(keyScopes, scopes, id).includes('admin') && endless && !(user_id ?? networks ?? rate_limits)
}

/** Removes the configured key, whose secret is not configured any more. @returns whether there was one */
export function forgetConfiguredKey(db: Db): Promise<boolean> {
  return db.transaction().execute(async (tx) => {
    await sweepAliases(tx)
    return removeKey(tx, CONFIGURED_KEY)
  })
}

/** Removes previous secrets whose grace period has ended. */
async function sweepAliases(tx: Tx): Promise<void> {
  const aliases = tx.deleteFrom('api_keys').where('alias_of', 'is not', null)
  await aliases.where('expires_at', '<=', new Date().toISOString()).execute()
}
