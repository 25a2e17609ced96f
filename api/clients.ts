// Who a request comes from: the peer of the connection, or what a trusted proxy says of its client. The one place that reads
// forwarding headers.
import { Networks, plainAddress } from '../contracts/networks.ts'

/** What is known of the client of a request. */
export interface ClientSide {
  /** Undefined once the connection is closed, and where it cannot be known: no network contains it then. */
  address: string | undefined
  /** As a trusted proxy gives them; undefined where there is none. */
  proto: string | undefined
  host: string | undefined
}

type HeaderReader = (name: string) => string | null | undefined

export class Clients {
  readonly #trusted: Networks

  /** @param proxies the networks of proxies whose forwarding headers count */
  constructor(proxies: readonly string[]) {
    this.#trusted = new Networks(proxies)
  }

  /** @param peer the other end of the connection */
  of(peer: string | undefined, header: HeaderReader): ClientSide {
    const nearest = plainAddress(peer) ?? peer
    if (!this.#trusted.has(nearest)) return { address: nearest, proto: undefined, host: undefined }
    const forwarded = readForwarded(header('forwarded'))
    const hops = readList(header('x-forwarded-for'))
    const forwardedHops = forwarded.map(({ for: hop }) => hop ?? '')
    // A proxy writes one of the two families, and passes on what a client wrote in the other one.
    const agree =
      hops.length === 0 ||
      forwardedHops.length === 0 ||
      this.#client(hops, nearest) === this.#client(forwardedHops, nearest)
    const standard = hops.length === 0 ? forwarded.at(-1) : undefined
    return {
      address: agree ? this.#client(hops.length > 0 ? hops : forwardedHops, nearest) : undefined,
      proto: (standard ? standard.proto : readList(header('x-forwarded-proto')).at(-1))?.toLowerCase(),
      host: standard ? standard.host : readList(header('x-forwarded-host')).at(-1),
    }
  }

  /** The rightmost address that is no trusted proxy: what stands left of it may be invented. Undefined where it is no address. */
  #client(hops: readonly string[], nearest: string | undefined): string | undefined {
    let client = nearest
    for (const hop of hops.toReversed()) {
      if (!this.#trusted.has(client)) break
      client = plainAddress(withoutPort(hop))
    }
    return client
  }
}

const known = new WeakMap<Request, ClientSide>()

/** Remembers the client of a request for `addressOf` and the like. */
export function noteClient(request: Request, client: ClientSide): void {
  known.set(request, client)
}

/** The client's network address. */
export function addressOf(request: Request): string | undefined {
  return known.get(request)?.address
}

/** Whether the client's connection is encrypted, here or at a trusted proxy. */
export function isEncrypted(request: Request): boolean {
  return (known.get(request)?.proto ?? new URL(request.url).protocol.slice(0, -1)) === 'https'
}

/** The host that the client asked for. */
export function hostOf(request: Request): string | null {
  return known.get(request)?.host ?? request.headers.get('host')
}

function readList(header: string | null | undefined): string[] {
  return (header ?? '')
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '')
}

/** RFC 7239. */
function readForwarded(header: string | null | undefined): Partial<Record<'for' | 'proto' | 'host', string>>[] {
  return readList(header).map((hop) =>
    Object.fromEntries(
      hop.split(';').map((pair) => {
        const [name = '', value = ''] = pair.split('=', 2)
        return [name.trim().toLowerCase(), value.trim().replace(/^"(.*)"$/, '$1')]
      }),
    ),
  )
}

/** Of `1.2.3.4:80`, `[::1]` and `[::1]:80`. */
function withoutPort(hop: string): string {
  return /^\[([^\]]+)\](?::\d+)?$/.exec(hop)?.[1] ?? hop.replace(/^(\d+\.\d+\.\d+\.\d+):\d+$/, '$1')
}
