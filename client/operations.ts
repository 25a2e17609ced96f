// Operations of the API as data, and the methods made from them.
import { type Answer, type CallOptions, type Http, newKey, type RequestQuery } from './http.ts'
import { type List, listOf } from './pages.ts'

/** A method of a resource: ids, then the query or the body, then options. */
export type Call<Args extends unknown[], Reply> = (...args: [...Args, options?: CallOptions]) => Answer<Reply>
/** A method whose answer is read as it comes: a download or a stream. */
export type RawCall<Args extends unknown[]> = (...args: [...Args, options?: CallOptions]) => Promise<Response>
/** A method that lists. */
export type ListCall<Args extends unknown[], Item, Page> = (
  ...args: [...Args, options?: CallOptions]
) => List<Item, Page>

/**
 * An operation: its method, its path, marks, and the array of a list.
 * Marks: `?` takes a query, `=` a body, `!` an idempotency key, `~` has an answer that is read as it comes,
 * `<` is a list whose next page begins before the last id, `f` takes a form, `t` speaks tus 1.0.
 */
export function op<Method>(spec: string): Method {
  return spec as never
}

/** The header of every request of a resumable upload. */
export const TUS = { 'tus-resumable': '1.0.0' }

/** The methods of a resource. @param specs made by `op` */
export function bind<T extends object>(http: Http, specs: T): T {
  const methods = Object.entries(specs).map(([name, spec]) => [name, methodOf(http, spec as string)])
  return Object.fromEntries(methods) as T
}

function methodOf(http: Http, spec: string) {
  const [method = '', path = '', marks = '', items] = spec.split(' ')
  return (...args: unknown[]) => {
    const filled = path.replace(/{(\w+)}/g, (_, name: string) => segmentOf(name, args.shift()))
    const query = marks.includes('?') ? (args.shift() as RequestQuery | undefined) : undefined
    const json = marks.includes('=') ? (args.shift() ?? {}) : undefined
    const form = marks.includes('f') ? (args.shift() as FormData) : undefined
    const options = args[0] as CallOptions | undefined
    const init = { ...options, query, json, form }
    if (marks.includes('t')) init.headers = { ...init.headers, ...TUS }
    if (marks.includes('!')) init.idempotencyKey ??= newKey()
    if (marks.includes('~')) return http.send(method, filled, init)
    const read = (next?: RequestQuery) => http.json<unknown>(method, filled, { ...init, query: { ...query, ...next } })
    return items === undefined ? read() : listOf(items, marks.includes('<'), read)
  }
}

/** An id in a path. An empty one or dots would lead to another operation. */
export function segmentOf(name: string, value: unknown): string {
  if (typeof value !== 'string' || /^\.{0,2}$/.test(value))
    throw new TypeError(`Cannot call the server: '${name}' must be an id, got '${String(value)}'`)
  return encodeURIComponent(value)
}
