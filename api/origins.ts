// A web page elsewhere must not drive a local server: Host and Origin are checked against the names we are known by.
import { MuxiError } from '../contracts/failures.ts'
import { isLoopbackHost } from '../contracts/hosts.ts'

export class Origins {
  readonly #names: ReadonlySet<string>
  readonly #configured: ReadonlySet<string>

  /** @param urls our own addresses and those of pages that work with us; undefined ones are left out */
  constructor(urls: readonly (string | undefined)[]) {
    const known = urls.filter((url) => url !== undefined)
    this.#names = new Set(known.map((url) => hostNameOf(url)))
    this.#configured = new Set(known.filter((url) => URL.canParse(url)).map((url) => new URL(url).origin))
  }

  /** @throws MuxiError forbidden */
  check(host: string | null | undefined, origin: string | null | undefined): void {
    if (!this.#knows(hostNameOf(`http://${host ?? ''}`))) {
      throw new MuxiError('forbidden', "Cannot answer: 'Host' must be a loopback name or that of MUXI_PUBLIC_URL")
    }
    if (origin && !this.allows(origin)) {
      throw new MuxiError('forbidden', "Cannot answer: 'Origin' must be a loopback name or that of MUXI_PUBLIC_URL")
    }
  }

  allows(origin: string): boolean {
    return this.#knows(hostNameOf(origin))
  }

  /** Whether pages of an origin may send credentials and read the answer: scheme, name and port are those of the settings. */
  isConfigured(origin: string): boolean {
    return this.#configured.has(origin)
  }

  /** Whether a request with our cookie is one that we or a configured page made. */
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
