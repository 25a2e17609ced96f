// Sign-ins to MCP servers in a worker: the tokens of a user, refreshed once for all callers, and the request for a sign-in
// when there are none.
import { randomUUID } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import type { FetchLike } from '@modelcontextprotocol/sdk/shared/transport.js'
import type { Hold } from '../../db/queries/mcp-owners.ts'
import {
  askForSignIn,
  claimRenewal,
  endRenewal,
  findClient,
  findGrant,
  putClient,
  type GrantRef,
} from '../../db/queries/sign-ins.ts'
import type { Db } from '../../db/schema.ts'
import type { SecretBox } from '../../db/secret-box.ts'
import type { TokenSource } from '../../mcp/authorized-fetch.ts'
import { McpFailure, type Challenge } from '../../mcp/failure.ts'
import { planSignIn, renewGrant, type Grant } from '../../mcp/oauth.ts'
import type { KnownClient } from '../../mcp/oauth-client.ts'

/** A token is refreshed this long before it expires, in milliseconds, so that it is still valid when it arrives. */
const EARLY_MS = 20_000
/** Lease of the caller that refreshes a token, in milliseconds: longer than a refresh may take. */
const RENEWAL_MS = 25_000
const LOOK_MS = 100
/** Sign-ins that one call may ask for, so that a server that rejects every token ends the call. */
const MAX_ASKED = 3

export interface SignInOptions {
  /** Checks the address of each request. */
  fetch: FetchLike
  /** Public URL of the API, without a trailing slash. */
  public_url: string
}

export class SignIns {
  readonly #db: Db
  readonly #box: SecretBox
  readonly #options: SignInOptions

  constructor({ db, box }: { db: Db; box: SecretBox }, options: SignInOptions) {
    this.#db = db
    this.#box = box
    this.#options = options
  }

  /** Whether a user's calls have tokens of their own. */
  async has(ref: GrantRef, url: string): Promise<boolean> {
    return (await this.#find(ref, url)) !== undefined
  }

  /** @param url of the server, as it is configured: tokens of another address are not sent there */
  source(ref: GrantRef, url: string): TokenSource {
    return {
      current: async (signal) => {
        const { tokens, expires_at } = (await this.#find(ref, url))?.grant ?? {}
        if (!tokens) return undefined
        const isFresh = expires_at === undefined || expires_at - EARLY_MS > Date.now()
        if (isFresh || tokens.refresh_token === undefined) return tokens.access_token
        return this.#renew(ref, url, tokens.access_token, signal)
      },
      renewed: (refused, signal) => this.#renew(ref, url, refused, signal),
    }
  }

  /**
   * Discovers the authorization server, and asks for a sign-in.
   * @param call that needs it; omitted for the connection itself
   * @returns the sign-in URL, and the number of requests so far
   * @throws McpFailure when the server has no sign-in, or it was requested too often
   */
  async ask(
    { agent_id, name, server, secrets }: Hold,
    user_id: string,
    call: { turn_id: string; call_id: string } | undefined,
    challenge: Challenge,
    signal: AbortSignal,
  ): Promise<{ asked: number; url: string }> {
    if (!('url' in server)) throw new McpFailure('answered', 'it wants a sign-in')
    const { public_url, fetch } = this.#options
    const ref = { agent_id, name, user_id }
    const granted = await this.#find(ref, server.url)
    const plan = await planSignIn({
      url: server.url,
      challenge,
      configured: { ...server.oauth, client_secret: secrets['oauth.client_secret'] },
      known: (await findClient(this.#db, this.#box, ref)) as KnownClient | undefined,
      granted_scope: challenge.status === 403 ? (granted?.grant.tokens.scope ?? granted?.grant.plan.scope) : undefined,
      redirect_uri: `${public_url}/oauth/callback`,
      client_metadata_url: `${public_url}/oauth/client.json`,
      fetch,
      signal,
    })
    if (server.oauth?.client_id === undefined) await putClient(this.#db, this.#box, ref, plan.client)
    const subject = { ...ref, turn_id: call?.turn_id ?? '', call_id: call?.call_id ?? '' }
    const { id, asked } = await askForSignIn(this.#db, this.#box, subject, plan)
    if (call && asked > MAX_ASKED)
      throw new McpFailure('answered', `it answered ${challenge.status} on HTTP, despite a sign-in`)
    return { asked, url: `${public_url}/oauth/sign-in/${id}` }
  }

  async #find(ref: GrantRef, url: string): Promise<{ grant: Grant; version: number } | undefined> {
    const found = (await findGrant(this.#db, this.#box, ref)) as { grant: Grant; version: number } | undefined
    return found?.grant.plan.url === url ? found : undefined
  }

  /** A token that replaces the given one. Concurrent callers, also in other processes: one refreshes it, the others wait. */
  async #renew(ref: GrantRef, url: string, old: string, signal: AbortSignal): Promise<string | undefined> {
    const renewer = randomUUID()
    const until = Date.now() + 2 * RENEWAL_MS
    while (Date.now() < until) {
      const found = await this.#find(ref, url)
      if (!found) return undefined
      const { grant, version } = found
      if (grant.tokens.access_token !== old) return grant.tokens.access_token
      if (grant.tokens.refresh_token === undefined) return undefined
      if (await claimRenewal(this.#db, ref, version, renewer, RENEWAL_MS)) {
        let end: { grant: Grant } | 'over' | undefined
        try {
          // Once started it runs to its end, even if the caller is cancelled: the authorization server may revoke the old
          // token at once.
          const renewed = await renewGrant(grant, { ...this.#options, signal: AbortSignal.timeout(RENEWAL_MS / 2) })
          end = renewed ? { grant: renewed } : 'over'
          return renewed?.tokens.access_token
        } finally {
          await endRenewal(this.#db, this.#box, ref, renewer, end)
        }
      }
      await delay(LOOK_MS, undefined, { signal })
    }
    throw new McpFailure('unsent', 'its token could not be renewed in time')
  }
}
