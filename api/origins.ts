// Defends a local server against other web pages: Host and Origin are checked against the configured names.
import { MuxiError } from '../contracts/failures.ts'
import { isLoopbackHost } from '../contracts/hosts.ts'

export class Origins {
  readonly #names: ReadonlySet<string>
  readonly #configured: ReadonlySet<string>
  /** The last one that was allowed: nearly all requests have the same. */
  #host: string | null | undefined

  /** @param urls the server's own addresses and those of trusted pages; undefined ones are skipped */
  constructor(urls: readonly (string | undefined)[]) {
    const known = urls.filter((url) => url !== undefined)
    this.#names = new Set(known.map((url) => hostNameOf(url)))
    this.#configured = new Set(known.filter((url) => URL.canParse(url)).map((url) => new URL(url).origin))
  }

  /** @throws MuxiError forbidden */
  check(host: string | null | undefined, origin: string | null | undefined): void {
    if (host !== this.#host && !this.#knows(hostNameOf(`http://${host ?? ''}`))) {
      throw new MuxiError('forbidden', "Cannot answer: 'Host' must be a loopback name or that of MUXI_PUBLIC_URL")
    }
    this.#host = host
    if (origin && !this.allows(origin)) {
      throw new MuxiError('forbidden', "Cannot answer: 'Origin' must be a loopback name or that of MUXI_PUBLIC_URL")
    }
  }

  allows(origin: string): boolean {
    return this.#knows(hostNameOf(origin))
  }

  /** Whether pages of an origin may send credentials and read responses: scheme, host and port match the settings. */
  isConfigured(origin: string): boolean {
    return this.#configured.has(origin)
  }

  /** Whether a request with the session cookie comes from muxi's page or a configured one. */
  trusts(origin: string, host: string | null): boolean {
    return this.isConfigured(origin) || (URL.canParse(origin) && new URL(origin).host === host)
  }

  #knows(name: string): boolean {
    return isLoopbackHost(name) || this.#names.has(name)
  }
}

function hostNameOf(url: string): string {
  return URL.canParse(url) ? new URL(url).hostname.toLowerCase() : ''
}
