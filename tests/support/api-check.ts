// Checks answers, events and frames of a server against the document that it serves, and records which operations were called with success.
import { appendFileSync } from 'node:fs'
import { createParser } from 'eventsource-parser'
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js'

/** File to which each process appends the operations of the document and those that it has called with success, a JSON line each. */
const RECORD = process.env['MUXI_TEST_OPERATIONS']

interface Document {
  paths: Record<string, Record<string, { responses: Record<string, Described> }>>
  components: {
    responses: Record<string, Described>
    schemas: Record<string, EventSchema & { anyOf?: EventSchema[] }>
  }
}
interface EventSchema {
  properties?: { event?: { const?: string } }
}
interface Described {
  $ref?: string
  content?: Record<string, object>
}
interface Operation {
  name: string
  /** Where it stands in the document, and its parts. */
  pointer: string[]
  responses: Record<string, Described>
}

/** What of an answer is checked besides its body. */
type Answered = Pick<Response, 'ok' | 'status' | 'headers'>

/** Paths outside of the document: pages, and what other programs define. */
const UNDOCUMENTED = /^\/(?!api\/|v1\/|mcp$|healthz$|readyz$|metrics$)/

class ApiCheck {
  readonly #document: Document
  readonly #ajv = new Ajv2020({
    strict: false,
    validateFormats: false,
    validateSchema: false,
    code: { optimize: false },
  })
  readonly #patterns: { pattern: RegExp; path: string }[]
  readonly #called = new Set<string>()

  constructor(document: Document) {
    this.#document = document
    this.#ajv.addSchema({ $id: 'openapi', ...document })
    // Paths with fewer parameters first: `/users/export` is not a user.
    this.#patterns = Object.keys(document.paths)
      .toSorted((a, b) => a.split('{').length - b.split('{').length)
      .map((path) => ({
        path,
        pattern: new RegExp(`^${path.replaceAll('.', '\\.').replaceAll(/\{\w+\}/g, '[^/]+')}$`),
      }))
    record({
      operations: Object.entries(document.paths).flatMap(([path, methods]) =>
        Object.keys(methods).map((method) => nameOf(method, path)),
      ),
    })
  }

  /** @throws when the status, the content type or the body of an answer is not as documented */
  answer(method: string, url: string, response: Answered, json: string | undefined): void {
    if (method === 'HEAD' || method === 'OPTIONS') return
    const { pathname } = new URL(url)
    const operation = this.#find(method, pathname)
    if (!operation) {
      if (response.ok && !UNDOCUMENTED.test(pathname)) throw new Error(`${method} ${pathname} is not documented`)
      return
    }
    const { name } = operation
    if (response.ok) this.#note(name)
    const described = operation.responses[response.status]
    if (!described) throw new Error(`${name}: the status ${response.status} is not documented: ${json?.slice(0, 300)}`)
    const at = described.$ref?.split('/').slice(1) ?? [...operation.pointer, 'responses', String(response.status)]
    const { content = {} } = described.$ref === undefined ? described : this.#document.components.responses[at.at(-1)!]!
    const type = response.headers.get('content-type')?.split(';')[0]
    if (type === undefined && Object.keys(content).length === 0) return
    const documented = [type ?? '', '*/*'].find((each) => each in content)
    if (documented === undefined) throw new Error(`${name}: ${response.status} is not documented as '${type}'`)
    if (documented === 'application/json' && json !== undefined)
      this.#check([...at, 'content', documented, 'schema'], JSON.parse(json), `${name}: ${response.status}`)
  }

  #note(name: string): void {
    if (!this.#called.has(name)) record({ called: name })
    this.#called.add(name)
  }

  /** @throws when an event of a stream is not as documented */
  event(method: string, url: string, event: { event: string; data: unknown }): void {
    const operation = this.#find(method, new URL(url).pathname)
    if (!operation) throw new Error(`${method} ${url} is not documented`)
    const stream = operation.responses['200']?.content?.['text/event-stream'] as
      | { schema: { $ref: string } }
      | undefined
    const named = stream?.schema.$ref.split('/').slice(1) ?? []
    const schema = this.#document.components.schemas[named.at(-1) ?? '']
    // A stream of one kind of event has no alternatives.
    const index = (schema?.anyOf ?? [schema]).findIndex((each) => each?.properties?.event?.const === event.event)
    if (index < 0) throw new Error(`${operation.name}: the event '${event.event}' is not documented`)
    const at = [...named, ...(schema?.anyOf ? ['anyOf', String(index)] : []), 'properties', 'data', 'contentSchema']
    this.#check(at, event.data, `${operation.name}: the event '${event.event}'`)
  }

  /** @throws when a frame is not as documented */
  frame(frame: unknown): void {
    this.#check(['components', 'schemas', 'ServerFrame'], frame, 'the frame')
  }

  #find(method: string, pathname: string): Operation | undefined {
    const path = this.#patterns.find(({ pattern }) => pattern.test(pathname.replace(/(?<=.)\/$/, '')))?.path
    const operation = path === undefined ? undefined : this.#document.paths[path]?.[method.toLowerCase()]
    return operation && { name: nameOf(method, path!), pointer: ['paths', path!, method.toLowerCase()], ...operation }
  }

  #check(pointer: string[], value: unknown, what: string): void {
    const escaped = pointer.map((part) => encodeURIComponent(part.replaceAll('~', '~0').replaceAll('/', '~1')))
    const check = this.#ajv.getSchema(`openapi#/${escaped.join('/')}`) as ValidateFunction | undefined
    if (!check) throw new Error(`${what} has no schema`)
    if (check(value)) return
    const faults = (check.errors ?? [])
      .slice(0, 8)
      .map(({ instancePath, message, params }) => `${instancePath} ${message} ${JSON.stringify(params)}`)
    throw new Error(`${what} is not as documented: ${faults.join('; ')}\n${JSON.stringify(value)?.slice(0, 1_000)}`)
  }
}

function nameOf(method: string, path: string): string {
  return `${method.toUpperCase()} ${path}`
}

function record(line: object): void {
  if (RECORD !== undefined) appendFileSync(RECORD, `${JSON.stringify(line)}\n`)
}

let made: ApiCheck | undefined

/** The checks, from the document of a server; undefined when it does not answer any more: a later call asks again. */
export async function apiCheck(url: string): Promise<ApiCheck | undefined> {
  if (made) return made
  const address = new URL('/openapi.json', url.replace(/^ws/, 'http'))
  const response = await unchecked(address, { signal: AbortSignal.timeout(20_000) }).catch(() => undefined)
  if (!response?.ok) return undefined
  return (made ??= new ApiCheck((await response.json()) as Document))
}

const unchecked = globalThis.fetch
const origins = new Set<string>()

/** From now on, whatever this process fetches from a server, also through other packages, is checked. */
export function checkAnswersOf(url: string): void {
  origins.add(new URL(url).origin)
  globalThis.fetch = checkedFetch
}

async function checkedFetch(input: string | URL | Request, init?: RequestInit): Promise<Response> {
  const response = await unchecked(input, init)
  const url = input instanceof Request ? input.url : String(input)
  if (!origins.has(new URL(url).origin)) return response
  const check = await apiCheck(url)
  const { method: sent = 'GET', headers } = init ?? (input instanceof Request ? input : {})
  const method = new Headers(headers).get('x-http-method-override') ?? sent
  const isJson = response.headers.get('content-type')?.includes('json')
  check?.answer(method, url, response, isJson ? await response.clone().text() : undefined)
  return response
}

/** One line for each request of curl: the arguments that make it write them to standard error, and their reader. */
export const CURL_REPORT = String.raw`-w '%{stderr}\nanswered %{http_code} %{method} %{url_effective} %{content_type}\n'`
const ANSWERED = /^answered (\d+) (\w+) (\S+) ?(.*)$/gm

/** Checks what curl got, by its reports. @throws when an answer is not as documented */
export async function checkCurl(reports: string, stdout: string): Promise<void> {
  const answers = [...reports.matchAll(ANSWERED)]
  for (const [, status, method = '', url = '', type] of answers) {
    const check = await apiCheck(url)
    const code = Number(status)
    const headers = new Headers(type ? { 'content-type': type } : {})
    // What several requests wrote is not told apart.
    const json = answers.length === 1 && type?.includes('json') && isJson(stdout) ? stdout : undefined
    check?.answer(method, url, { ok: code >= 200 && code < 300, status: code, headers }, json)
    if (answers.length > 1 || !type?.startsWith('text/event-stream')) continue
    const parser = createParser({
      onEvent: ({ event, data }) => event && check?.event(method, url, { event, data: JSON.parse(data) as unknown }),
    })
    parser.feed(stdout)
  }
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}

/** Fails the test file: for faults that are found while nothing awaits them. */
export function failLater(error: unknown): void {
  void Promise.reject(error instanceof Error ? error : new Error(String(error)))
}
