// A script: the MCP client of the conformance suite. It connects, calls and signs in with the product's own code of mcp/; the only
// thing it adds is a browser whose person agrees to everything. Argument: the server's URL; the environment names the scenario.
import { connect } from '../../mcp/connect.ts'
import type { CallOptions, McpConnection } from '../../mcp/connection.ts'
import { McpFailure, type Challenge } from '../../mcp/failure.ts'
import { checkIssuer, finishSignIn, openSignIn, planSignIn, renewGrant, type Grant } from '../../mcp/oauth.ts'
import type { KnownClient } from '../../mcp/oauth-client.ts'
import { urlGuard } from '../../net/url-guard.ts'

const url = process.argv.at(-1) ?? ''
const context = JSON.parse(process.env['MCP_CONFORMANCE_CONTEXT'] ?? '{}') as {
  client_id?: string
  client_secret?: string
}
const REDIRECT = 'http://localhost:3000/oauth/callback'
const CLIENT_DOCUMENT = 'https://conformance-test.local/client-metadata.json'
/** As the product's: sign-ins that one call may ask for. */
const MAX_SIGN_INS = 3

const guard = urlGuard({ allow_private: true })
const { signal } = new AbortController()
let grant: Grant | undefined
let known: KnownClient | undefined

const tokens = {
  current: () => Promise.resolve(grant?.tokens.access_token),
  async renewed(refused: string) {
    if (grant?.tokens.access_token === refused) grant = await renewGrant(grant, { fetch: guard.fetch, signal })
    return grant?.tokens.access_token
  },
}

async function signIn(challenge: Challenge): Promise<void> {
  const plan = await planSignIn({
    url,
    challenge,
    configured: context,
    known,
    granted_scope: challenge.status === 403 ? grant?.tokens.scope : undefined,
    redirect_uri: REDIRECT,
    client_metadata_url: CLIENT_DOCUMENT,
    fetch: guard.fetch,
    signal,
  })
  known = plan.client
  const { url: page, code_verifier } = await openSignIn(plan, 'state')
  const answer = await guard.fetch(page, { redirect: 'manual' })
  const { searchParams } = new URL(answer.headers.get('location') ?? '', page)
  if (searchParams.get('state') !== 'state') throw new Error('the state is not the one that was sent')
  checkIssuer(plan, searchParams.get('iss') ?? undefined)
  grant = await finishSignIn(
    plan,
    { code: searchParams.get('code') ?? '', code_verifier },
    { fetch: guard.fetch, signal },
  )
}

/** Does it again after each sign-in that it needs. */
async function signedIn<T>(work: () => Promise<T>): Promise<T> {
  for (let signIns = 0; ; signIns += 1) {
    try {
      return await work()
    } catch (error) {
      if (!(error instanceof McpFailure && error.challenge) || signIns === MAX_SIGN_INS) throw error
      await signIn(error.challenge)
    }
  }
}

let connection: McpConnection | undefined
try {
  const server = await signedIn(() =>
    connect({
      target: { url, transport: 'auto', headers: {}, secrets: [] },
      fetch: guard.fetch,
      tokens,
      version: '0.1.0',
      connect_ms: 10_000,
      max_message_bytes: 2 ** 20,
      signal,
    }),
  )
  connection = server
  for (const { name, inputSchema } of (await signedIn(() => server.listTools(signal))).tools) {
    const given = Object.keys(inputSchema.properties ?? {}).map((key) => [key, 1])
    const onQuestion: CallOptions['onQuestion'] = async () => ({ action: 'accept', content: {} })
    const options = {
      owner: 'test',
      signal,
      silence_ms: 15_000,
      total_ms: 20_000,
      onProgress: () => {},
      onQuestion,
    }
    await signedIn(() => server.callTool(name, Object.fromEntries(given), options))
  }
} finally {
  await connection?.close()
  await guard.close()
}
