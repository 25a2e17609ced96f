// Sign-ins to MCP servers in rows, on both databases, against a real authorization server: refreshed once for concurrent callers, valid once, shown nowhere.
import { describe, expect, it, onTestFinished } from 'vitest'
import { SignIns } from '../../activities/mcp/sign-ins.ts'
import { findServer, putServer } from '../../db/queries/mcp-servers.ts'
import { claimRenewal, findGrant, putClient, putGrant } from '../../db/queries/grants.ts'
import { askForSignIn, beginAttempt, endSignIns, redeemState } from '../../db/queries/sign-ins.ts'
import type { Storage } from '../../db/storage.ts'
import { finishSignIn, openSignIn, planSignIn, type Grant } from '../../mcp/oauth.ts'
import { urlGuard } from '../../net/url-guard.ts'
import { dialects } from '../support/dialects.ts'
import { OAuthMcpServer } from '../support/oauth-mcp-server.ts'

const OURS = 'http://127.0.0.1:1'
const ADA = { agent_id: 'a', name: 's', user_id: 'ada' }
const SUBJECT = { ...ADA, turn_id: 't', call_id: 'c' }
const { fetch } = urlGuard({ allow_private: true })
const { signal } = new AbortController()

async function startServer(): Promise<OAuthMcpServer> {
  const server = await OAuthMcpServer.start()
  onTestFinished(() => server.close())
  return server
}

async function signIn(server: OAuthMcpServer): Promise<Grant> {
  const plan = await planSignIn({
    url: server.url,
    challenge: { status: 401, resource_metadata: new URL('/described', server.url).href },
    redirect_uri: `${OURS}/oauth/callback`,
    fetch,
    signal,
  })
  const { url, code_verifier } = await openSignIn(plan, 'state')
  const { headers } = await fetch(url, { redirect: 'manual' })
  const code = new URL(headers.get('location') ?? '').searchParams.get('code') ?? ''
  return finishSignIn(plan, { code, code_verifier }, { fetch, signal })
}

const keep = ({ db, box }: Storage, grant: Grant) => db.transaction().execute((tx) => putGrant(tx, box, ADA, grant))
const sourceOf = (storage: Storage, { url }: OAuthMcpServer) =>
  new SignIns(storage, { fetch, public_url: OURS }).source(ADA, url)

for (const dialect of dialects) {
  describe(dialect.name, () => {
    it('an expired token is refreshed once for forty callers in two processes, with a single-use refresh token', async () => {
      const database = await dialect.fresh()
      const storages = [await database.open(), await database.open()]
      const server = await startServer()
      server.expires_in = 1
      await keep(storages[0]!, await signIn(server))
      server.expires_in = 3_600
      const sources = storages.map((storage) => sourceOf(storage, server))
      const tokens = await Promise.all(Array.from({ length: 40 }, (_, index) => sources[index % 2]!.current(signal)))
      expect([new Set(tokens).size, server.renewals]).toEqual([1, ['somebody']])
      // One that is refused though it should be good is renewed as well, once.
      const refused = tokens[0]!
      const newer = await Promise.all(
        Array.from({ length: 40 }, (_, index) => sources[index % 2]!.renewed(refused, signal)),
      )
      expect([new Set(newer).size, server.renewals.length, newer[0] === refused]).toEqual([1, 2, false])
    })

    it('the refresh lease of a dead caller expires', async () => {
      const storage = await (await dialect.fresh()).open()
      const server = await startServer()
      server.expires_in = 1
      await keep(storage, await signIn(server))
      const { version } = (await findGrant(storage.db, storage.box, ADA))!
      expect(await claimRenewal(storage.db, ADA, version, 'dead', 300)).toBe(true)
      expect(await claimRenewal(storage.db, ADA, version, 'second', 300)).toBe(false)
      expect(await sourceOf(storage, server).current(signal)).toEqual(expect.any(String))
    })

    it('an invalid grant is deleted, and one that cannot be refreshed now is kept', async () => {
      const storage = await (await dialect.fresh()).open()
      const server = await startServer()
      server.expires_in = 1
      await keep(storage, await signIn(server))
      const source = sourceOf(storage, server)
      await server.close()
      await expect(source.current(signal)).rejects.toMatchObject({ kind: 'unsent' })
      expect(await findGrant(storage.db, storage.box, ADA)).toBeDefined()
      const other = await startServer()
      other.expires_in = 1
      await keep(storage, await signIn(other))
      other.revoke()
      expect(await sourceOf(storage, other).current(signal)).toBeUndefined()
      expect(await findGrant(storage.db, storage.box, ADA)).toBeUndefined()
    })

    it('the tokens of one address are not sent to another, and are deleted when it changes', async () => {
      const storage = await (await dialect.fresh()).open()
      const { db, box } = storage
      const server = await startServer()
      await keep(storage, await signIn(server))
      const other = new SignIns(storage, { fetch, public_url: OURS }).source(ADA, 'http://127.0.0.1:2/mcp')
      expect(await other.current(signal)).toBeUndefined()
      const put = (url: string) =>
        db
          .transaction()
          .execute((tx) =>
            putServer(tx, box, { agent_id: 'a', origin: 'api', server: { name: 's', url }, secrets: {} }),
          )
      await put(server.url)
      expect(await findGrant(db, box, ADA)).toBeDefined()
      await put('http://127.0.0.1:2/mcp')
      expect([await findGrant(db, box, ADA), (await findServer(db, ADA))?.revision]).toEqual([undefined, 2])
    })

    it('a callback is valid once, for a limited time, and only for the newest attempt', async () => {
      const { db, box } = await (await dialect.fresh()).open()
      const { id, asked } = await askForSignIn(db, box, SUBJECT, {})
      expect([await askForSignIn(db, box, SUBJECT, {}), asked]).toEqual([{ id, asked: 1 }, 1])
      const attempt = { code_verifier: 'v', browser: 'b' }
      await beginAttempt(db, box, id, 'first', attempt, 60_000)
      await beginAttempt(db, box, id, 'second', attempt, 60_000)
      expect(await redeemState(db, box, 'first')).toBeUndefined()
      const both = await Promise.all([redeemState(db, box, 'second'), redeemState(db, box, 'second')])
      expect(both.filter(Boolean)).toMatchObject([{ signIn: { id, user_id: 'ada' }, attempt }])
      await beginAttempt(db, box, id, 'late', attempt, -1)
      expect(await redeemState(db, box, 'late')).toBeUndefined()
      await beginAttempt(db, box, id, 'other', attempt, 60_000)
      expect(await db.transaction().execute((tx) => endSignIns(tx, ADA))).toEqual([{ id, turn_id: 't', call_id: 'c' }])
      expect(await redeemState(db, box, 'other')).toBeUndefined()
      expect(await beginAttempt(db, box, id, 'again', attempt, 60_000)).toBe(false)
      expect(await askForSignIn(db, box, SUBJECT, {})).toEqual({ id, asked: 2 })
    })

    it('no row contains a token, a client secret or a verifier in plain text', async () => {
      const storage = await (await dialect.fresh()).open()
      const { db, box } = storage
      const server = await startServer()
      const grant = await signIn(server)
      await keep(storage, grant)
      await putClient(db, box, ADA, grant.plan.client)
      const { id } = await askForSignIn(db, box, SUBJECT, grant.plan)
      await beginAttempt(db, box, id, 'planted-state', { code_verifier: 'planted-proof', browser: 'planted-b' }, 60_000)
      const rows = [
        await db.selectFrom('mcp_grants').selectAll().execute(),
        await db.selectFrom('mcp_clients').selectAll().execute(),
        await db.selectFrom('mcp_sign_ins').selectAll().execute(),
      ]
      expect(rows.map((each) => each.length)).toEqual([1, 1, 1])
      expect(JSON.stringify(rows)).not.toContain('planted')
    })
  })
}

it('a server without sign-in fails with its response', async () => {
  const none = planSignIn({
    url: 'http://127.0.0.1:1/mcp',
    challenge: { status: 401 },
    redirect_uri: `${OURS}/oauth/callback`,
    fetch,
    signal,
  })
  await expect(none).rejects.toThrow('it answered 401 on HTTP, and offers no way to sign in')
})
