// What all vendors' calls over HTTP share: the fetch for servers that are not the operator's, and the watch over silence.

export type Fetch = (url: string | URL, init?: RequestInit) => Promise<Response>

/** A fetch as the vendors' clients take it. */
export function toClientFetch(fetch: Fetch): typeof globalThis.fetch {
  return (input, init) => fetch(input instanceof Request ? input.url : input, init)
}

/** The headers of a call besides its key. The clients add others from the environment: organization, project, OPENAI_CUSTOM_HEADERS. */
const OWN_HEADERS = ['accept', 'content-type', 'user-agent', 'anthropic-version']

/** Longest answer to a refused call that is read, in bytes. */
const MAX_ERROR_BODY = 65_536

/**
 * A fetch for servers that the client was not made for: nothing from the environment is sent to them, no redirect is followed with
 * the key, and no endless error is read.
 * @param keyHeaders the headers that hold the agent's own key
 */
export function withoutEnvironment(fetch: Fetch, keyHeaders: Readonly<Record<string, string>>): Fetch {
  return async (url, init) => {
    const given = new Headers(init?.headers)
    const own = OWN_HEADERS.flatMap((name) => (given.has(name) ? [[name, given.get(name)!] as const] : []))
    const headers = { ...Object.fromEntries(own), ...keyHeaders }
    const response = await fetch(url, { ...init, headers, redirect: 'manual' })
    if (response.ok || response.body === null) return response
    return new Response(await readStart(response, MAX_ERROR_BODY), response)
  }
}

async function readStart({ body }: Response, maxBytes: number): Promise<Uint8Array<ArrayBuffer>> {
  const chunks: Uint8Array[] = []
  let size = 0
  for await (const chunk of (body ?? []) as AsyncIterable<Uint8Array>) {
    chunks.push(chunk)
    size += chunk.byteLength
    if (size >= maxBytes) break
  }
  return Buffer.concat(chunks).subarray(0, maxBytes)
}

/** Restarts the timer with each chunk. @throws the reason when it was aborted: a client may end a stream without an error */
export async function* watched<T>(chunks: AsyncIterable<T>, stall: StallTimer, signal: AbortSignal): AsyncGenerator<T> {
  for await (const chunk of chunks) {
    stall.restart()
    yield chunk
  }
  signal.throwIfAborted()
}

/** Aborts when it was not restarted for so long. */
export class StallTimer {
  readonly #controller = new AbortController()
  readonly #timer: NodeJS.Timeout

  constructor(ms: number) {
    this.#timer = setTimeout(() => this.#controller.abort(), ms)
  }

  get signal(): AbortSignal {
    return this.#controller.signal
  }

  restart(): void {
    this.#timer.refresh()
  }

  stop(): void {
    clearTimeout(this.#timer)
  }
}
