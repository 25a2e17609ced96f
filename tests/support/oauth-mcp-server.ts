// An MCP server that wants a sign-in, and its authorization server, on one port: real OAuth 2.1, strict where clients are often lax,
// with counters. Written by hand, so that its faults can be chosen.
import { createHash, randomUUID } from 'node:crypto'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

interface Visit {
  client_id: string
  redirect_uri: string
  challenge: string
  scope: string
  resource: string
  subject: string
}
interface Token {
  client_id: string
  scope: string
  subject: string
}
interface RpcMessage {
  id?: number
  method?: string
  params?: { name?: string; arguments?: Record<string, string>; protocolVersion?: string }
}

const LABEL = { type: 'object', properties: { label: { type: 'string' } } }
/** `admin` wants the scope of that name. */
const TOOLS = ['whoami', 'count', 'admin'].map((name) => ({ name, description: `It is ${name}.`, inputSchema: LABEL }))

export class OAuthMcpServer {
  /** What it was asked for, each time. */
  readonly counts = { registered: 0, authorized: 0, exchanged: 0, refused: 0 }
  /** Whose tokens it was asked to renew, each time. */
  readonly renewals: string[] = []
  /** The calls that it has run: `subject: tool label`. */
  readonly calls: string[] = []
  /** How the person at the authorization page decides, or what goes wrong there. */
  answers: 'yes' | 'access_denied' | 'server_error' | 'wrong issuer' = 'yes'
  /** Of the tokens that it gives. */
  expires_in = 3_600
  /** Whether listing needs a token, or calls alone. */
  wants: 'always' | 'calls' = 'always'
  readonly #server = createServer((request, response) => {
    this.#handle(request, response).catch((error: unknown) => {
      response.writeHead(500).end(String(error))
    })
  })
  readonly #clients = new Map<string, { secret: string; redirect_uris: string[] }>()
  readonly #visits = new Map<string, Visit>()
  readonly #access = new Map<string, Token>()
  readonly #refresh = new Map<string, Token>()
  #origin = ''

  static async start(): Promise<OAuthMcpServer> {
    const server = new OAuthMcpServer()
    await new Promise<void>((resolve) => server.#server.listen(0, '127.0.0.1', resolve))
    server.#origin = `http://127.0.0.1:${(server.#server.address() as AddressInfo).port}`
    return server
  }

  get url(): string {
    return `${this.#origin}/mcp`
  }

  /** Every token that is or was good: none of them may turn up anywhere. */
  readonly secrets: string[] = []

  /** Access tokens are good no longer; they can be renewed. */
  expire(): void {
    this.#access.clear()
  }

  /** Nothing is good any longer. */
  revoke(): void {
    this.#access.clear()
    this.#refresh.clear()
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections()
    await new Promise((resolve) => this.#server.close(resolve))
  }

  async #handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { pathname, searchParams } = new URL(request.url ?? '/', this.#origin)
    const json = (status: number, body: object, headers = {}) =>
      void response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(body))
    const body = await text(request)
    switch (`${request.method} ${pathname}`) {
      case 'GET /described':
        return json(200, { resource: this.url, authorization_servers: [this.#origin], scopes_supported: ['tools'] })
      case 'GET /.well-known/oauth-authorization-server':
        return json(200, {
          issuer: this.#origin,
          authorization_endpoint: `${this.#origin}/authorize`,
          token_endpoint: `${this.#origin}/token`,
          registration_endpoint: `${this.#origin}/register`,
          response_types_supported: ['code'],
          grant_types_supported: ['authorization_code', 'refresh_token'],
          code_challenge_methods_supported: ['S256'],
          token_endpoint_auth_methods_supported: ['client_secret_basic'],
          authorization_response_iss_parameter_supported: true,
        })
      case 'POST /register': {
        this.counts.registered += 1
        const { redirect_uris } = JSON.parse(body) as { redirect_uris: string[] }
        const client = { client_id: randomUUID(), client_secret: this.#secret() }
        this.#clients.set(client.client_id, { secret: client.client_secret, redirect_uris })
        return json(201, { ...client, redirect_uris, token_endpoint_auth_method: 'client_secret_basic' })
      }
      case 'GET /authorize':
        return this.#authorize(searchParams, String(request.headers['x-subject'] ?? 'somebody'), response)
      case 'POST /token':
        return this.#token(new URLSearchParams(body), request.headers.authorization ?? '', json)
      case 'POST /mcp':
        return this.#serve(JSON.parse(body) as RpcMessage, request.headers.authorization ?? '', json)
      case 'GET /mcp':
        return void response.writeHead(405).end()
    }
    return json(404, {})
  }

  #authorize(given: URLSearchParams, subject: string, response: ServerResponse): void {
    this.counts.authorized += 1
    const redirect_uri = given.get('redirect_uri') ?? ''
    const client = this.#clients.get(given.get('client_id') ?? '')
    const isRight =
      client?.redirect_uris.includes(redirect_uri) &&
      given.get('response_type') === 'code' &&
      given.get('code_challenge_method') === 'S256' &&
      given.get('resource') === this.url
    if (!isRight) return void response.writeHead(400).end('this request is not right')
    const back = new URL(redirect_uri)
    back.searchParams.set('state', given.get('state') ?? '')
    back.searchParams.set('iss', this.answers === 'wrong issuer' ? 'https://evil.test' : this.#origin)
    if (this.answers === 'access_denied' || this.answers === 'server_error')
      back.searchParams.set('error', this.answers)
    else {
      const code = this.#secret()
      back.searchParams.set('code', code)
      this.#visits.set(code, {
        client_id: given.get('client_id') ?? '',
        redirect_uri,
        challenge: given.get('code_challenge') ?? '',
        scope: given.get('scope') ?? '',
        resource: given.get('resource') ?? '',
        subject,
      })
    }
    response.writeHead(302, { location: back.href }).end()
  }

  #token(given: URLSearchParams, authorization: string, json: (status: number, body: object) => void): void {
    const [client_id = '', secret] = Buffer.from(authorization.replace(/^Basic /, ''), 'base64')
      .toString()
      .split(':')
    if (this.#clients.get(client_id)?.secret !== secret) return json(401, { error: 'invalid_client' })
    if (given.get('resource') !== this.url) return json(400, { error: 'invalid_target' })
    if (given.get('grant_type') === 'refresh_token') {
      const old = given.get('refresh_token') ?? ''
      const token = this.#refresh.get(old)
      this.renewals.push(token?.subject ?? 'nobody')
      // Good once, as those of many servers: a second caller with the old one would be turned away.
      this.#refresh.delete(old)
      if (token?.client_id !== client_id) return json(400, { error: 'invalid_grant' })
      return json(200, this.#give(token))
    }
    this.counts.exchanged += 1
    const code = given.get('code') ?? ''
    const visit = this.#visits.get(code)
    this.#visits.delete(code)
    const proof = createHash('sha256')
      .update(given.get('code_verifier') ?? '')
      .digest('base64url')
    const isRight =
      visit?.client_id === client_id && visit.challenge === proof && visit.redirect_uri === given.get('redirect_uri')
    if (!visit || !isRight) return json(400, { error: 'invalid_grant' })
    return json(200, this.#give(visit))
  }

  #give({ client_id, scope, subject }: Token): object {
    const [access_token, refresh_token] = [this.#secret(), this.#secret()]
    this.#access.set(access_token, { client_id, scope, subject })
    this.#refresh.set(refresh_token, { client_id, scope, subject })
    return { access_token, refresh_token, token_type: 'Bearer', expires_in: this.expires_in, scope }
  }

  #serve(
    { id, method = '', params = {} }: RpcMessage,
    authorization: string,
    json: (status: number, body: object, headers?: object) => void,
  ): void {
    const token = this.#access.get(authorization.replace(/^Bearer /, ''))
    const refuse = (status: 401 | 403, more: string) => {
      this.counts.refused += 1
      json(status, {}, { 'www-authenticate': `Bearer resource_metadata="${this.#origin}/described"${more}` })
    }
    if (!token && (this.wants === 'always' || method === 'tools/call')) return refuse(401, ', scope="tools"')
    const answer = (result: object) => json(200, { jsonrpc: '2.0', id, result })
    const { name = '', arguments: given = {} } = params
    if (method === 'initialize')
      return answer({
        protocolVersion: params.protocolVersion,
        capabilities: { tools: {} },
        serverInfo: { name: 'guarded', version: '1' },
      })
    if (method === 'tools/list') return answer({ tools: TOOLS })
    if (method !== 'tools/call') return id === undefined ? json(202, {}) : answer({})
    if (name === 'admin' && !token?.scope.split(' ').includes('admin'))
      return refuse(403, ', error="insufficient_scope", scope="admin"')
    this.calls.push(`${token?.subject}: ${name} ${given['label'] ?? ''}`.trim())
    return answer({ content: [{ type: 'text', text: `${name} for ${token?.subject}` }] })
  }

  #secret(): string {
    const secret = `planted-${randomUUID()}`
    this.secrets.push(secret)
    return secret
  }
}

async function text(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks).toString()
}

/** A browser with cookies, whose person is `subject`. */
export class ScriptedBrowser {
  readonly #cookies = new Map<string, string>()
  readonly #subject: string

  constructor(subject = 'somebody') {
    this.#subject = subject
  }

  /** Opens a page and follows where it leads. */
  async open(url: string): Promise<{ status: number; text: string; url: string }> {
    let at = new URL(url)
    for (let steps = 0; steps < 10; steps += 1) {
      const cookie = this.#cookies.get(at.origin)
      const headers = { 'x-subject': this.#subject, ...(cookie !== undefined && { cookie }) }
      const response = await fetch(at, { redirect: 'manual', headers })
      const set = response.headers.get('set-cookie')?.split(';')[0]
      if (set !== undefined) this.#cookies.set(at.origin, set)
      const location = response.headers.get('location')
      if (location === null) return { status: response.status, text: await response.text(), url: at.href }
      at = new URL(location, at)
    }
    throw new Error('it leads nowhere')
  }
}
