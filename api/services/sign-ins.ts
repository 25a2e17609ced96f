// Sign-in of users to MCP servers: redirect to the authorization server, callback, and continuation of the waiting calls.
import { randomBytes, timingSafeEqual } from 'node:crypto'
import { decideApproval, type Decision, type Shown } from '../../db/queries/approval-changes.ts'
import { listApprovalsOfCall, type ApprovalRow } from '../../db/queries/approvals.ts'
import { putGrant } from '../../db/queries/grants.ts'
import {
  closeSignIn,
  beginAttempt,
  endSignIns,
  findSignIn,
  redeemState,
  type SignIn,
} from '../../db/queries/sign-ins.ts'
import { reconnectServer } from '../../db/queries/mcp-servers.ts'
import { lockWithRoots } from '../../db/queries/child-turns.ts'
import type { Tx } from '../../db/schema.ts'
import type { Grant, SignInPlan } from '../../mcp/oauth.ts'
import type { ApiContext } from './context.ts'
import { tellDecision } from './engine.ts'

/** Time limit at the authorization server, in milliseconds. */
const VISIT_MS = 600_000
/** Errors that may be retried. */
const PASSING = ['server_error', 'temporarily_unavailable']

/** The final page for the user. */
export interface SignInPage {
  status: 200 | 400 | 403 | 410 | 502
  title: string
  text: string
  /** The URL for a retry. */
  again?: string | undefined
}

export type Opened = { url: string; browser: string } | { page: SignInPage }

/** @param browser the browser's cookie of an earlier attempt */
export async function visitAuthorizationServer(
  context: ApiContext,
  id: string,
  browser: string | undefined,
): Promise<Opened> {
  const { db, box } = context.storage
  const signIn = await findSignIn(db, box, id)
  if (signIn?.status !== 'waiting') return { page: NOT_NEEDED }
  const state = randomBytes(32).toString('base64url')
  const shown = browser ?? randomBytes(32).toString('base64url')
  const plan = signIn.plan as SignInPlan
  try {
    const { url, code_verifier } = await context.mcp.oauth.openSignIn(plan, state)
    await context.checkUrl(url)
    if (!(await beginAttempt(db, box, id, state, { code_verifier, browser: shown }, VISIT_MS)))
      return { page: NOT_NEEDED }
    return { url, browser: shown }
  } catch (error) {
    context.log.warn(
      { err: error, agent_id: signIn.agent_id, mcp_server: signIn.server },
      'a sign-in could not be begun',
    )
    return { page: failed(context, signIn, 502, 'its authorization server cannot be used') }
  }
}

export interface Returned {
  state?: string | undefined
  code?: string | undefined
  iss?: string | undefined
  error?: string | undefined
}

/** The callback of the authorization server. */
export async function finishVisit(
  context: ApiContext,
  answer: Returned,
  browser: string | undefined,
): Promise<SignInPage> {
  const { db, box } = context.storage
  const redeemed = answer.state === undefined ? undefined : await redeemState(db, box, answer.state)
  if (!redeemed) return EXPIRED
  const { signIn, attempt } = redeemed
  if (browser === undefined || !isSame(browser, attempt.browser))
    return failed(context, signIn, 403, 'it must be finished in the browser in which it was begun')
  const { oauth, fetch } = context.mcp
  const plan = signIn.plan as SignInPlan
  try {
    oauth.checkIssuer(plan, answer.iss)
    if (answer.error !== undefined || answer.code === undefined) return await refused(context, signIn, answer.error)
    const { code_verifier } = attempt
    const grant = await oauth.finishSignIn(
      plan,
      { code: answer.code, code_verifier },
      { fetch, signal: context.closing },
    )
    await goOn(context, signIn, grant)
    return {
      status: 200,
      title: `You are signed in to ${signIn.server}`,
      text:
        signIn.turn_id === ''
          ? 'The tools of this server can be used now.'
          : 'You can close this page: the conversation goes on.',
    }
  } catch (error) {
    if (error instanceof NobodyWaits) return NOT_NEEDED
    if (!isFailure(error)) throw error
    context.log.warn({ agent_id: signIn.agent_id, mcp_server: signIn.server, why: error.message }, 'a sign-in failed')
    return failed(context, signIn, 502, error.message)
  }
}

/** Stores the tokens, and continues every call that waits for this user's sign-in at this server. */
async function goOn(context: ApiContext, { agent_id, server, user_id, id }: SignIn, grant: Grant): Promise<void> {
  const { box } = context.storage
  const ref = { agent_id, name: server, user_id }
  await decideAll(context, async (tx) => {
    // The sign-in is no longer pending: the server was removed, or its address changed.
    const calls = await endSignIns(tx, ref)
    if (!calls.some((call) => call.id === id)) throw new NobodyWaits()
    await putGrant(tx, box, ref, grant)
    if (user_id === '') await reconnectServer(tx, ref)
    return { calls, decision: { decision: 'approve', decided_by: 'sign_in' } }
  })
}

/** The authorization server refused: the waiting call fails. An operator may try again. */
async function refused(context: ApiContext, signIn: SignIn, error = 'no answer'): Promise<SignInPage> {
  const code = /^[\w.-]{1,64}$/.test(error) ? error : 'an error'
  const page = failed(context, signIn, 403, `the authorization server answered '${code}'`)
  if (signIn.turn_id === '' || PASSING.includes(code)) return page
  await decideAll(context, async (tx) => {
    await closeSignIn(tx, signIn.id)
    return {
      calls: [signIn],
      decision: { decision: 'deny', decided_by: 'sign_in', reason: `the authorization server answered '${code}'` },
    }
  })
  return { ...page, text: `${page.text} The conversation goes on without it.`, again: undefined }
}

/** Decides the approvals of waiting calls in the caller's transaction; then signals their workflows. */
async function decideAll(
  context: ApiContext,
  work: (tx: Tx) => Promise<{ calls: { turn_id: string; call_id: string }[]; decision: Decision }>,
): Promise<void> {
  const { db, events } = context.storage
  const decided = await db.transaction().execute(async (tx) => {
    const { calls, decision } = await work(tx)
    const done: { approval: ApprovalRow; shown: Shown[] }[] = []
    const waiting = calls.filter(({ turn_id }) => turn_id !== '')
    await lockWithRoots(
      tx,
      waiting.map(({ turn_id }) => turn_id),
    )
    for (const { turn_id, call_id } of waiting) {
      for (const approval of await listApprovalsOfCall(tx, turn_id, call_id)) {
        if (approval.kind !== 'sign_in' || approval.status !== 'waiting') continue
        const shown = await decideApproval(tx, approval, decision)
        if (shown) done.push({ approval, shown })
      }
    }
    return done
  })
  for (const { approval, shown } of decided) {
    for (const each of shown) events.publish(each.turn_id, each.events)
    await tellDecision(context, approval).catch((error: unknown) =>
      context.log.warn(
        { err: error, approval_id: approval.id },
        'a sign-in is stored, and its workflow is signalled when the engine is back',
      ),
    )
  }
}

/** Rolls back: the sign-in is no longer pending. */
class NobodyWaits extends Error {
  override readonly name = 'NobodyWaits'
}

/** Errors with a message for users. */
function isFailure(error: unknown): error is Error {
  return error instanceof Error && error.name === 'McpFailure'
}

const NOT_NEEDED: SignInPage = {
  status: 410,
  title: 'This sign-in is not needed',
  text: 'It is no longer needed. You can close this page.',
}

const EXPIRED: SignInPage = {
  status: 400,
  title: 'This sign-in is over',
  text: 'It took too long, was finished before, or was restarted elsewhere. Open the link again from where you found it.',
}

function failed({ public_url }: ApiContext, { id, server }: SignIn, status: 403 | 502, why: string): SignInPage {
  return {
    status,
    title: `You are not signed in to ${server}`,
    text: `The sign-in failed: ${why}.`,
    again: `${public_url}/oauth/sign-in/${id}`,
  }
}

function isSame(a: string, b: string): boolean {
  return a.length === b.length && timingSafeEqual(Buffer.from(a), Buffer.from(b))
}
