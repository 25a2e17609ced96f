// Web search with the configured service: SearXNG, Brave or Tavily; strict requests, lenient parsing of responses.
import { tryParse } from '../../contracts/json.ts'
import { UrlRefused } from '../../contracts/url-refused.ts'
import type { UrlGuard } from '../../net/url-guard.ts'
import { withoutSecrets } from '../target.ts'
import { networkFault, readBody, retryAfter } from './bounded-body.ts'

export const FRESHNESS = ['day', 'week', 'month', 'year'] as const

export interface SearchRequest {
  query: string
  max_results: number
  freshness?: (typeof FRESHNESS)[number] | undefined
}

export interface SearchResult {
  title: string
  url: string
  snippet: string
  published?: string
}

export interface SearchService {
  name: string
  base_url: string
  api_key: string
}

/** Timeout of a response, in milliseconds, and its size limit, in bytes. */
const ANSWER_MS = 15_000
const MAX_ANSWER = 2_000_000
/** Longest parts of a result, in characters. */
const MAX_TITLE = 300
const MAX_SNIPPET = 1_500
const MAX_URL = 2_000
const MAX_DETAIL = 200

type Ask = Pick<RequestInit, 'method' | 'body'> & { headers?: Record<string, string> }

interface Provider {
  label: string
  base_url?: string
  /** Environment variables of its address, and of its key if it has one. */
  variables: { base_url: string; api_key?: string }
  request: (service: SearchService, search: SearchRequest) => { path: string; init: Ask }
  /** Extracts the results from its response. */
  results: (answer: unknown) => unknown
  read: (result: unknown) => Partial<Record<keyof SearchResult, unknown>>
  /** Hints for statuses with a service-specific meaning. */
  hints?: Record<number, string>
}

const PROVIDERS: Record<string, Provider> = {
  searxng: {
    label: 'SearXNG',
    variables: { base_url: 'SEARXNG_BASE_URL' },
    request: (_service, { query, freshness }) => {
      const parameters = { q: query, format: 'json', ...(freshness && { time_range: freshness }) }
      return { path: `/search?${new URLSearchParams(parameters)}`, init: {} }
    },
    results: (answer) => field(answer, 'results'),
    read: (result) => ({
      title: field(result, 'title'),
      url: field(result, 'url'),
      snippet: field(result, 'content'),
      published: field(result, 'publishedDate'),
    }),
    hints: { 403: "its settings must allow the format 'json' (search.formats)" },
  },
  brave: {
    label: 'Brave',
    base_url: 'https://api.search.brave.com',
    variables: { base_url: 'BRAVE_BASE_URL', api_key: 'BRAVE_API_KEY' },
    request: ({ api_key }, { query, max_results, freshness }) => {
      const parameters = {
        q: query,
        count: String(max_results),
        text_decorations: 'false',
        ...(freshness && { freshness: `p${freshness[0]}` }),
      }
      const headers = { 'x-subscription-token': api_key }
      return { path: `/res/v1/web/search?${new URLSearchParams(parameters)}`, init: { headers } }
    },
    results: (answer) => field(field(answer, 'web'), 'results'),
    read: (result) => ({
      title: field(result, 'title'),
      url: field(result, 'url'),
      snippet: field(result, 'description'),
      published: field(result, 'page_age') ?? field(result, 'age'),
    }),
  },
  tavily: {
    label: 'Tavily',
    base_url: 'https://api.tavily.com',
    variables: { base_url: 'TAVILY_BASE_URL', api_key: 'TAVILY_API_KEY' },
    request: ({ api_key }, { query, max_results, freshness }) => ({
      path: '/search',
      init: {
        method: 'POST',
        headers: { authorization: `Bearer ${api_key}`, 'content-type': 'application/json' },
        body: JSON.stringify({ query, max_results, ...(freshness && { time_range: freshness }) }),
      },
    }),
    results: (answer) => field(answer, 'results'),
    read: (result) => ({
      title: field(result, 'title'),
      url: field(result, 'url'),
      snippet: field(result, 'content'),
      published: field(result, 'published_date'),
    }),
  },
}

/**
 * The service selected by the environment: the named one, otherwise the first configured one. @throws when the configuration
 * is invalid
 */
export function readService(env: Readonly<Record<string, string | undefined>>): SearchService | undefined {
  const set = (variable = '') => env[variable]?.trim() || undefined
  const chosen = set('SEARCH_PROVIDER')
  const names = Object.keys(PROVIDERS)
  if (chosen !== undefined && !names.includes(chosen))
    throw new Error(`Cannot start: 'SEARCH_PROVIDER' must be one of ${names.join(', ')}, got '${chosen}'`)
  for (const [name, { variables, base_url }] of Object.entries(PROVIDERS)) {
    if (chosen !== undefined && chosen !== name) continue
    const needed = variables.api_key ?? variables.base_url
    if (set(needed) === undefined) {
      if (chosen === undefined) continue
      throw new Error(`Cannot start: '${needed}' must be set, because SEARCH_PROVIDER is '${name}'`)
    }
    const address = (set(variables.base_url) ?? base_url ?? '').replace(/\/+$/, '')
    if (!/^https?:\/\/[^\s?#@]+$/.test(address) || !URL.canParse(address))
      throw new Error(
        `Cannot start: '${variables.base_url}' must be an http:// or https:// address without a user name, a query or a fragment`,
      )
    return { name, base_url: address, api_key: set(variables.api_key) ?? '' }
  }
  return undefined
}

/** The message is for the model and contains no key. */
class SearchFailed extends Error {
  override readonly name = 'SearchFailed'
}

/** Sends one request to the service. @throws an error for the model that contains no key, or the signal's reason */
export async function searchWeb(
  service: SearchService | undefined,
  search: SearchRequest,
  guard: UrlGuard,
  signal: AbortSignal,
): Promise<SearchResult[]> {
  if (!service)
    throw new Error(
      'Cannot search the web: one of SEARXNG_BASE_URL, BRAVE_API_KEY or TAVILY_API_KEY must be set for the server, got none of them',
    )
  const provider = PROVIDERS[service.name]!
  const { path, init } = provider.request(service, search)
  const fail = (why: string, cause?: unknown) =>
    new SearchFailed(withoutSecrets(`Cannot search the web with ${provider.label}: ${why}`, [service.api_key]), {
      cause,
    })
  const patience = AbortSignal.timeout(ANSWER_MS)
  let answer: unknown
  try {
    // A redirect must not forward the key.
    const response = await guard.fetch(service.base_url + path, {
      ...init,
      headers: { accept: 'application/json', ...init.headers },
      redirect: 'manual',
      signal: AbortSignal.any([signal, patience]),
    })
    const { bytes, is_cut } = await readBody(response, MAX_ANSWER)
    const text = new TextDecoder().decode(bytes)
    if (!response.ok) throw fail(explain(provider, response, text))
    if (is_cut) throw fail(`its answer is longer than ${MAX_ANSWER} bytes`)
    answer = tryParse(text)
    if (answer === undefined) throw fail('it did not answer with JSON')
  } catch (error) {
    signal.throwIfAborted()
    if (patience.aborted) throw fail(`it did not answer within ${ANSWER_MS / 1_000} s`, error)
    if (error instanceof SearchFailed) throw error
    throw fail(error instanceof UrlRefused ? 'its address may not be reached' : networkFault(error), error)
  }
  const results = provider.results(answer)
  if (!Array.isArray(results)) {
    // Brave omits an empty section.
    if (results === undefined && typeof answer === 'object') return []
    throw fail('its answer holds no results that can be read')
  }
  return results.flatMap((result) => tidy(provider.read(result))).slice(0, search.max_results)
}

function explain({ label, variables, hints = {} }: Provider, response: Response, text: string): string {
  const { status } = response
  if (status >= 300 && status < 400)
    return `it sends elsewhere (${status}); ${variables.base_url} must be its final address`
  const seconds = retryAfter(response)
  const later = seconds === undefined ? '' : `; it may be asked again in ${seconds} s`
  if (status === 429) return `it takes no more questions for now (429)${later}`
  if ((status === 401 || status === 403) && variables.api_key)
    return `${label} refuses the key in ${variables.api_key} (${status})`
  const said = detailOf(tryParse(text))
  return `it answered ${status}${hints[status] ? `: ${hints[status]}` : said === '' ? '' : `: ${said}`}${later}`
}

/** The message in an error's body, in any of the services' formats. */
function detailOf(body: unknown): string {
  for (const path of [
    ['detail', 'error'],
    ['error', 'detail'],
    ['error', 'message'],
    ['detail'],
    ['error'],
    ['message'],
  ]) {
    const value = path.reduce<unknown>(field, body)
    if (typeof value === 'string') return line(value, MAX_DETAIL)
  }
  return ''
}

function tidy({ title, url, snippet, published }: ReturnType<Provider['read']>): SearchResult[] {
  if (typeof url !== 'string' || url.length > MAX_URL || !/^https?:\/\/\S+$/i.test(url)) return []
  const heading = typeof title === 'string' ? line(plain(title), MAX_TITLE) : ''
  const date = typeof published === 'string' ? line(published, 40) : ''
  return [
    {
      title: heading || url,
      url,
      snippet: typeof snippet === 'string' ? line(plain(snippet), MAX_SNIPPET) : '',
      ...(date !== '' && { published: date }),
    },
  ]
}

const ENTITIES: Record<string, string> = { amp: '&', lt: '<', gt: '>', quot: '"', '#39': "'", '#x27': "'", nbsp: ' ' }

/** Text without the services' highlighting tags. */
function plain(text: string): string {
  return text
    .replaceAll(/<\/?(?:strong|b|em|i|mark|span|br|p)\b[^<>]*>/gi, '')
    .replaceAll(/&(#?\w{2,5});/g, (whole, name: string) => ENTITIES[name.toLowerCase()] ?? whole)
}

function line(text: string, maxLength: number): string {
  const one = text.replaceAll(/\s+/g, ' ').trim()
  return one.length <= maxLength ? one : `${one.slice(0, maxLength - 1).toWellFormed()}…`
}

function field(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[name] : undefined
}
