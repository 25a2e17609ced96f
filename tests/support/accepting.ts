// Who sends messages in tests of acceptance, and an engine that has none of their workflows.
import type { Client } from '@temporalio/client'
import type { Principal } from '../../db/queries/keys.ts'

/** A key that is bound to the user `user`. */
export const principal: Principal = {
  key_id: 'key_1',
  key_hash: '',
  scopes: new Set(['chat']),
  bound_user: 'user',
  networks: undefined,
}

/** The cancellation of an interrupted turn's workflow finds none. */
export const client = {
  withDeadline: (_: number, call: () => Promise<unknown>) => call(),
  withAbortSignal: (_: AbortSignal, call: () => Promise<unknown>) => call(),
  workflow: { getHandle: () => ({ cancel: async () => undefined }) },
} as unknown as Client
