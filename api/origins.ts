// A web page elsewhere must not drive a local server: Host and Origin are checked against the names we are known by.
import { MuxiError } from '../contracts/failures.ts'
import { isLoopbackHost } from '../contracts/hosts.ts'

export class Origins {
  readonly #names: ReadonlySet<string>

  /** @param urls addresses whose host names are ours besides the loopback ones; undefined ones are left out */
  constructor(urls: readonly (string | undefined)[]) {
    this.#names = new Set(urls.filter((url) => url !== undefined).map((url) => hostNameOf(url)))
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

  #knows(name: string): boolean {
    return isLoopbackHost(name) || this.#names.has(name)
  }
}

function hostNameOf(url: string): string {
  return URL.canParse(url) ? new URL(url).hostname.toLowerCase() : ''
}
