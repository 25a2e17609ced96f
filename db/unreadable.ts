// Encrypted rows that cannot be decrypted, because the secret key has changed.
import { findUnreadableSecrets } from './queries/secrets.ts'
import { findUnreadableSignIns } from './queries/sign-ins.ts'
import type { Db, Tx } from './schema.ts'
import type { SecretBox } from './secret-box.ts'

export interface Unreadable {
  name: string
  /** Removes it. */
  forget: (tx: Tx) => Promise<void>
}

/** Most names in a message. */
const SHOWN = 10

/** @throws Error that names the unreadable rows, and what to do */
export async function checkSecretKey(db: Db, box: SecretBox): Promise<void> {
  const unreadable = await findUnreadable(db, box)
  if (unreadable.length === 0) return
  const names = unreadable.slice(0, SHOWN).map(({ name }) => `'${name}'`)
  const more = unreadable.length > SHOWN ? ` and ${unreadable.length - SHOWN} more` : ''
  throw new Error(
    `Cannot read ${names.join(', ')}${more}: MUXI_SECRET_KEY (or 'secret.key' in the data folder) must be the key they were stored with. ` +
      'Set that key again, or remove them with `muxi secrets forget` and enter them again',
  )
}

/** Deletes the unreadable rows. @returns their names */
export async function forgetUnreadable(db: Db, box: SecretBox): Promise<string[]> {
  return db.transaction().execute(async (tx) => {
    const unreadable = await findUnreadable(tx, box)
    for (const { forget } of unreadable) await forget(tx)
    return unreadable.map(({ name }) => name)
  })
}

async function findUnreadable(db: Db | Tx, box: SecretBox): Promise<Unreadable[]> {
  return [...(await findUnreadableSecrets(db, box)), ...(await findUnreadableSignIns(db, box))]
}
