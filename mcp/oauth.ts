// Authorization of MCP, OAuth 2.1: discovery, client registration, authorization request, tokens, refresh.
import {
  discoverOAuthServerInfo,
  exchangeAuthorization,
  refreshAuthorization,
  startAuthorization,
} from '@modelcontextprotocol/sdk/client/auth.js'
import { InvalidGrantError } from '@modelcontextprotocol/sdk/server/auth/errors.js'
import { checkResourceAllowed, resourceUrlFromServerUrl } from '@modelcontextprotocol/sdk/shared/auth-utils.js'
import type {
  AuthorizationServerMetadata,
  OAuthProtectedResourceMetadata,
  OAuthTokens,
} from '@modelcontextprotocol/sdk/shared/auth.js'
import type { FetchLike } from '@modelcontextprotocol/sdk/shared/transport.js'
import { boundedFetch } from './bounded-fetch.ts'
import { McpFailure } from './failure.ts'
import { messageOf, registeredClient, type KnownClient, type PlanOptions } from './oauth-client.ts'

/** Longest response of an authorization server, in bytes. */
const MAX_BYTES = 256 * 1024
/** Timeout of a response of an authorization server, in milliseconds. */
const ANSWER_MS = 10_000

/** The result of discovery for a sign-in. Contains the client secret: encrypted at rest. */
export interface SignInPlan {
  /** The MCP server: tokens are sent only to it. */
  url: string
  client: KnownClient
  /** Omitted for legacy servers, which have their endpoints at fixed paths. */
  metadata?: AuthorizationServerMetadata
  /** The resource indicator of the token, as named by the server. */
  resource?: string
  scope?: string
}

/** Tokens, with the data to refresh them. Encrypted at rest. */
export interface Grant {
  plan: SignInPlan
  tokens: OAuthTokens
  /** When the access token ends, in milliseconds since 1970; omitted when unknown. */
  expires_at?: number
}

/**
 * Discovers the authorization server of an MCP server, and registers the client.
 * @throws McpFailure `answered` when the server has no sign-in; the signal's reason
 */
export async function planSignIn(options: PlanOptions): Promise<SignInPlan> {
  const { url, challenge, configured, signal } = options
  const fetchFn = patient(options.fetch, signal)
  try {
    const told = challenge.resource_metadata
    const found = await discoverOAuthServerInfo(url, {
      fetchFn,
      ...(told !== undefined && URL.canParse(told) && { resourceMetadataUrl: new URL(told) }),
    })
    const { resourceMetadata, authorizationServerMetadata: metadata } = found
    const issuer = String(found.authorizationServerUrl)
    const resource = resourceOf(url, resourceMetadata)
    if (resourceMetadata?.authorization_servers && metadata && !isSameUrl(metadata.issuer, issuer))
      refuse(`the authorization server '${issuer}' must name itself, got '${metadata.issuer}'`)
    if (configured?.issuer !== undefined && !isSameUrl(configured.issuer, metadata?.issuer ?? issuer))
      refuse(`its authorization server must be that of 'oauth.issuer', got '${metadata?.issuer ?? issuer}'`)
    if (metadata && !metadata.code_challenge_methods_supported?.includes('S256'))
      refuse(`the authorization server '${issuer}' does not do PKCE (S256)`)
    const scope = scopeOf(options, resourceMetadata, metadata)
    const client = {
      issuer,
      redirect_uri: options.redirect_uri,
      information: await registeredClient(options, issuer, metadata, scope, fetchFn),
    }
    return {
      url,
      client,
      ...(metadata && { metadata }),
      ...(resource !== undefined && { resource }),
      ...(scope !== undefined && { scope }),
    }
  } catch (error) {
    signal.throwIfAborted()
    if (error instanceof McpFailure) throw error
    throw new McpFailure(
      'answered',
      `it answered ${challenge.status} on HTTP, and offers no way to sign in: ${messageOf(error)}`,
      {
        status: challenge.status,
        cause: error,
      },
    )
  }
}

/** The authorization URL, and the PKCE verifier. */
export async function openSignIn(plan: SignInPlan, state: string): Promise<{ url: string; code_verifier: string }> {
  const { client, metadata, resource, scope } = plan
  const { authorizationUrl, codeVerifier } = await startAuthorization(client.issuer, {
    clientInformation: client.information,
    redirectUrl: client.redirect_uri,
    state,
    ...(metadata && { metadata }),
    ...(resource !== undefined && { resource }),
    ...(scope !== undefined && { scope }),
  })
  return { url: authorizationUrl.href, code_verifier: codeVerifier }
}

/** @throws McpFailure `answered`, with a message for users */
export async function finishSignIn(
  plan: SignInPlan,
  { code, code_verifier }: { code: string; code_verifier: string },
  { fetch, signal }: { fetch: FetchLike; signal: AbortSignal },
): Promise<Grant> {
  const { client, metadata, resource } = plan
  try {
    const tokens = await exchangeAuthorization(client.issuer, {
      clientInformation: client.information,
      authorizationCode: code,
      codeVerifier: code_verifier,
      redirectUri: client.redirect_uri,
      fetchFn: patient(fetch, signal),
      ...(metadata && { metadata }),
      ...(resource !== undefined && { resource: new URL(resource) }),
    })
    return grantOf(plan, tokens)
  } catch (error) {
    signal.throwIfAborted()
    if (error instanceof McpFailure) throw error
    throw new McpFailure('answered', `the authorization server gave no token: ${messageOf(error)}`, {
      cause: error,
    })
  }
}

/**
 * Refreshes the tokens of a grant.
 * @returns undefined when the grant is no longer valid, and a new sign-in is required
 * @throws McpFailure `unsent` when the authorization server is unavailable
 */
export async function renewGrant(
  { plan, tokens }: Grant,
  { fetch, signal }: { fetch: FetchLike; signal: AbortSignal },
): Promise<Grant | undefined> {
  if (tokens.refresh_token === undefined) return undefined
  const { client, metadata, resource } = plan
  try {
    const renewed = await refreshAuthorization(client.issuer, {
      clientInformation: client.information,
      refreshToken: tokens.refresh_token,
      fetchFn: patient(fetch, signal),
      ...(metadata && { metadata }),
      ...(resource !== undefined && { resource: new URL(resource) }),
    })
    return grantOf(plan, { ...(tokens.scope !== undefined && { scope: tokens.scope }), ...renewed })
  } catch (error) {
    signal.throwIfAborted()
    if (error instanceof InvalidGrantError) return undefined
    throw new McpFailure('unsent', `its token could not be renewed: ${messageOf(error)}`, { cause: error })
  }
}

/** RFC 9207: refuses a response of another authorization server (mix-up attack). @throws McpFailure */
export function checkIssuer({ client, metadata }: SignInPlan, iss: string | undefined): void {
  const issuer = metadata?.issuer ?? client.issuer
  const isPromised = (metadata as { authorization_response_iss_parameter_supported?: unknown } | undefined)
    ?.authorization_response_iss_parameter_supported
  if (iss === undefined ? isPromised === true : iss !== issuer)
    refuse(`the answer must come from '${issuer}', got ${iss === undefined ? 'one that does not say' : `'${iss}'`}`)
}

function grantOf(plan: SignInPlan, tokens: OAuthTokens): Grant {
  if (tokens.token_type.toLowerCase() !== 'bearer')
    refuse(`the token must be a bearer token, got '${tokens.token_type}'`)
  return {
    plan,
    tokens,
    ...(tokens.expires_in !== undefined && { expires_at: Date.now() + tokens.expires_in * 1_000 }),
  }
}

function resourceOf(url: string, described: OAuthProtectedResourceMetadata | undefined): string | undefined {
  if (!described) return undefined
  const requestedResource = resourceUrlFromServerUrl(url)
  if (!checkResourceAllowed({ requestedResource, configuredResource: described.resource }))
    refuse(`it describes itself as another server, '${described.resource}'`)
  return described.resource
}

/**
 * The scope of the challenge; otherwise of the operator's configuration or the server's metadata. Nothing else is requested.
 */
function scopeOf(
  { challenge, configured, granted_scope }: PlanOptions,
  described: OAuthProtectedResourceMetadata | undefined,
  metadata: AuthorizationServerMetadata | undefined,
): string | undefined {
  const asked = [...(configured?.scopes ?? []), ...wordsIn(challenge.scope)]
  const scopes = new Set([
    ...wordsIn(granted_scope),
    ...(asked.length > 0 ? asked : (described?.scopes_supported ?? [])),
  ])
  // Without it some servers issue no refresh token, and users would have to sign in every hour.
  if (metadata?.scopes_supported?.includes('offline_access')) scopes.add('offline_access')
  return scopes.size === 0 ? undefined : [...scopes].join(' ')
}

/** Applies a timeout and a size limit to each response. */
function patient(fetch: FetchLike, signal: AbortSignal): FetchLike {
  const bounded = boundedFetch(fetch, MAX_BYTES)
  return (url, init) => bounded(url, { ...init, signal: AbortSignal.any([signal, AbortSignal.timeout(ANSWER_MS)]) })
}

function isSameUrl(a: string, b: string): boolean {
  return a.replace(/\/$/, '') === b.replace(/\/$/, '')
}

function wordsIn(scope: string | undefined): string[] {
  return scope?.split(' ').filter((word) => word !== '') ?? []
}

function refuse(why: string): never {
  throw new McpFailure('answered', `it wants a sign-in, but ${why}`)
}
