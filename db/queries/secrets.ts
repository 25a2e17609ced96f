// Stored credentials by name, encrypted; the plain value exists only in the memory of the caller.
import type { SecretBox } from '../secret-box.ts'
import type { Db, Tx } from '../schema.ts'

export async function putSecrets(tx: Tx, box: SecretBox, owner: string, values: Record<string, string>): Promise<void> {
  for (const [path, value] of Object.entries(values)) {
    const name = `${owner}/${path}`
    const row = { ciphertext: box.seal(name, value), created_at: new Date().toISOString() }
    await tx
      .insertInto('secrets')
      .values({ name, ...row })
      .onConflict((oc) => oc.column('name').doUpdateSet(row))
      .execute()
  }
}

/** The secrets of an owner by path, e.g. `{'model.api_key': '…'}`. */
export async function getSecrets(db: Db | Tx, box: SecretBox, owner: string): Promise<Record<string, string>> {
  const rows = await db
    .selectFrom('secrets')
    .select(['name', 'ciphertext'])
    .where('name', '>=', `${owner}/`)
    .where('name', '<', `${owner}0`)
    .execute()
  return Object.fromEntries(
    rows.map(({ name, ciphertext }) => [name.slice(owner.length + 1), box.open(name, ciphertext)]),
  )
}

/** Secrets that the key of the box cannot decrypt, with a function that removes each. */
export async function findUnreadableSecrets(db: Db | Tx, box: SecretBox) {
  const rows = await db.selectFrom('secrets').select(['name', 'ciphertext']).orderBy('name').execute()
  return rows
    .filter(({ name, ciphertext }) => !box.opens(name, ciphertext))
    .map(({ name }) => ({
      name,
      forget: async (tx: Tx) => void (await tx.deleteFrom('secrets').where('name', '=', name).execute()),
    }))
}

export async function deleteSecrets(tx: Tx, owner: string): Promise<void> {
  await tx.deleteFrom('secrets').where('name', '>=', `${owner}/`).where('name', '<', `${owner}0`).execute()
}
