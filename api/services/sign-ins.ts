// People sign in to MCP servers: they are sent to the authorization server, come back with its answer, and whoever waited for that goes on.
import { randomBytes, timingSafeEqual } from 'node:crypto'
import { closeSignIn, beginAttempt, endSignIns, findSignIn, putGrant, redeemState, type SignIn } from '../../db/queries/sign-ins.ts'
import { reconnectServer } from '../../db/queries/mcp.ts'
import { McpFailure } from '../../mcp/failure.ts'
import { checkIssuer, CLIENT, finishSignIn, openSignIn, type SignInPlan } from '../../mcp/oauth.ts'
import type { ApiContext } from './context.ts'

/** How long somebody may take at the authorization server, in milliseconds. */
const VISIT_MS = 600_000
/** Answers after which trying again may help. */
const PASSING = ['server_error', 'temporarily_unavailable']

/** What a person is shown in the end. */
export interface SignInPage {
  status: 200 | 400 | 403 | 410 | 502
  title: string
  text: string
  /** Where to try again. */
  again?: string
}

export type Opened = { url: string; browser: string } | { page: SignInPage }

/** @param browser what the browser showed of an earlier visit */
export async function visitAuthorizationServer(context: ApiContext, id: string, browser: string | undefined): Promise<Opened> {
  const { db, box } = context.storage
  const signIn = await findSignIn(db, box, id)
  if (signIn?.status !== 'waiting') return { page: NOT_NEEDED }
  const state = randomBytes(32).toString('base64url')
  const shown = browser ?? randomBytes(32).toString('base64url')
  const plan = signIn.plan as SignInPlan
  try {
    const { url, code_verifier } = await openSignIn(plan, state)
    await context.mcp.checkUrl(url)
    if (!(await beginAttempt(db, box, id, state, { code_verifier, browser: shown }, VISIT_MS))) return { page: NOT_NEEDED }
    return { url, browser: shown }
  } catch (error) {
    context.log.warn({ err: error, agent_id: signIn.agent_id, mcp_server: signIn.server }, 'a sign-in could not be begun')
    return { page: failed(context, signIn, 502, 'its authorization server cannot be used') }
  }
}

export interface Returned {
  state?: string | undefined
  code?: string | undefined
  iss?: string | undefined
  error?: string | undefined
}

/** What the authorization server has sent back with the browser. */
export async function finishVisit(context: ApiContext, answer: Returned, browser: string | undefined): Promise<SignInPage> {
  const { db, box } = context.storage
  const redeemed = answer.state === undefined ? undefined : await redeemState(db, box, answer.state)
  if (!redeemed) return EXPIRED
  const { signIn, attempt } = redeemed
  if (browser === undefined || !isSame(browser, attempt.browser))
    return failed(context, signIn, 403, 'it must be finished in the browser in which it was begun')
  const plan = signIn.plan as SignInPlan
  try {
    checkIssuer(plan, answer.iss)
    if (answer.error !== undefined || answer.code === undefined) return await refused(context, signIn, answer.error)
    const { code_verifier } = attempt
    const grant = await finishSignIn(
      plan,
      { code: answer.code, code_verifier },
      { fetch: context.mcp.fetch, signal: context.closing },
    )
    await goOn(context, signIn, grant)
    return {
      status: 200,
      title: `You are signed in to ${signIn.server}`,
      text: signIn.turn_id === '' ? 'The tools of this server can be used now.' : 'You can close this page: the conversation goes on.',
    }
  } catch (error) {
    if (!(error instanceof McpFailure)) throw error
    context.log.warn({ agent_id: signIn.agent_id, mcp_server: signIn.server, why: error.message }, 'a sign-in failed')
    return failed(context, signIn, 502, error.message)
  }
}

/** What we say of ourselves to authorization servers that ask. */
export function clientDocument({ public_url }: ApiContext) {
  return {
    client_id: `${public_url}/oauth/client.json`,
    client_uri: public_url,
    redirect_uris: [`${public_url}/oauth/callback`],
    token_endpoint_auth_method: 'none',
    ...CLIENT,
  }
}

const NOT_NEEDED: SignInPage = {
  status: 410,
  title: 'This sign-in is not needed',
  text: 'Nobody waits for it any more. You can close this page.',
}

const EXPIRED: SignInPage = {
  status: 400,
  title: 'This sign-in is over',
  text: 'It took too long, was finished before, or was begun anew elsewhere. Open the link again from where you found it.',
}

function failed({ public_url }: ApiContext, { id, server }: SignIn, status: 403 | 502, why: string): SignInPage {
  return { status, title: `You are not signed in to ${server}`, text: `The sign-in failed: ${why}.`, again: `${public_url}/oauth/sign-in/${id}` }
}

function isSame(a: string, b: string): boolean {
  return a.length === b.length && timingSafeEqual(Buffer.from(a), Buffer.from(b))
}
