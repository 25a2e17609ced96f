// How muxi is known to an authorization server as a client: configured, by its metadata document, or registered.
import { isHttpsUrl, registerClient } from '@modelcontextprotocol/sdk/client/auth.js'
import { OAuthError } from '@modelcontextprotocol/sdk/server/auth/errors.js'
import type { AuthorizationServerMetadata, OAuthClientInformationMixed } from '@modelcontextprotocol/sdk/shared/auth.js'
import type { FetchLike } from '@modelcontextprotocol/sdk/shared/transport.js'
import type { Challenge } from './failure.ts'

/** The client registration at an authorization server. */
export interface KnownClient {
  issuer: string
  redirect_uri: string
  information: OAuthClientInformationMixed
}

export interface PlanOptions {
  /** The MCP server. */
  url: string
  challenge: Challenge
  configured?:
    | {
        client_id?: string | undefined
        client_secret?: string | undefined
        scopes?: string[] | undefined
        issuer?: string | undefined
      }
    | undefined
  /** The previous client registration. */
  known?: KnownClient | undefined
  /** Scope of the insufficient token. */
  granted_scope?: string | undefined
  redirect_uri: string
  /** URL of the client metadata document, if it is public. */
  client_metadata_url?: string | undefined
  fetch: FetchLike
  signal: AbortSignal
}

/** The client for a sign-in; registers it when it has to be. @throws Error */
export async function registeredClient(
  { configured, known, redirect_uri, client_metadata_url }: PlanOptions,
  issuer: string,
  metadata: AuthorizationServerMetadata | undefined,
  scope: string | undefined,
  fetchFn: FetchLike,
): Promise<OAuthClientInformationMixed> {
  if (configured?.client_id !== undefined) {
    const { client_id, client_secret } = configured
    return { client_id, ...(client_secret !== undefined && { client_secret }) }
  }
  if (known?.issuer === issuer && known.redirect_uri === redirect_uri && !hasEnded(known.information))
    return known.information
  const takesDocuments = metadata?.client_id_metadata_document_supported === true
  if (takesDocuments && isHttpsUrl(client_metadata_url)) return { client_id: client_metadata_url! }
  try {
    return await registerClient(issuer, {
      clientMetadata: { ...CLIENT, redirect_uris: [redirect_uri], token_endpoint_auth_method: methodFor(metadata) },
      fetchFn,
      ...(metadata && { metadata }),
      ...(scope !== undefined && { scope }),
    })
  } catch (error) {
    throw new Error(`muxi is not known there, set 'oauth.client_id' (${messageOf(error)})`, { cause: error })
  }
}

/** The client metadata document for authorization servers. @param ours public URL of the API */
export function clientDocument(ours: string) {
  return {
    client_id: `${ours}/oauth/client.json`,
    client_uri: ours,
    redirect_uris: [`${ours}/oauth/callback`],
    token_endpoint_auth_method: 'none',
    ...CLIENT,
  }
}

/** Shared by the registration and the client metadata document. */
const CLIENT = {
  client_name: 'muxi',
  grant_types: ['authorization_code', 'refresh_token'],
  response_types: ['code'],
}

const METHODS = ['client_secret_basic', 'client_secret_post', 'none']

function methodFor(metadata: AuthorizationServerMetadata | undefined): string {
  const supported = metadata?.token_endpoint_auth_methods_supported ?? METHODS
  return METHODS.find((method) => supported.includes(method)) ?? 'none'
}

function hasEnded(information: OAuthClientInformationMixed): boolean {
  const { client_secret_expires_at: end } = information as { client_secret_expires_at?: number }
  return end !== undefined && end !== 0 && end * 1_000 < Date.now()
}

/** The error without the authorization server's text, which may repeat secrets of the request. */
export function messageOf(error: unknown): string {
  if (error instanceof OAuthError) return error.errorCode
  if (error instanceof Error && error.name === 'ZodError') return 'what it says of itself cannot be read'
  const message = error instanceof Error ? error.message : String(error)
  return message.slice(0, 200)
}
