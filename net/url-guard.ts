// Requests to URLs that did not come from the operator: they reach the public internet, and private networks only where allowed.
// The connection uses the address that was checked, so DNS rebinding between check and connection has no effect.
import { lookup } from 'node:dns/promises'
import ipaddr from 'ipaddr.js'
import { Agent, buildConnector, fetch as undiciFetch, type RequestInit as UndiciInit } from 'undici'
import { UrlRefused } from '../contracts/url-refused.ts'

export interface UrlGuardOptions {
  /** Whether loopback, private, unique local and carrier-grade addresses may be reached; link-local and cloud metadata addresses never may. */
  allow_private: boolean
  /** The addresses of a name; by default the system's resolver. */
  resolve?: (host: string) => Promise<string[]>
  /** Timeout of the resolver, and of each connection attempt, in milliseconds. */
  connect_ms?: number
}

export interface UrlGuard {
  /**
   * Checks a URL without connecting, to refuse it early; `fetch` checks each connection again.
   * @throws UrlRefused, or the resolver's error
   */
  check: (url: string | URL) => Promise<void>
  /**
   * Like the global `fetch`, with every connection checked, also of redirects. No timeout other than its signal.
   * A redirect keeps custom headers (`Authorization` and `Cookie` only within the origin): callers that send keys use `redirect: 'manual'`.
   * @throws UrlRefused, the signal's reason, or an error of fetch
   */
  fetch: (url: string | URL, init?: RequestInit) => Promise<Response>
  /** Closes all connections, including active ones. */
  close: () => Promise<void>
}

/** Default timeout of the resolver and of a connection attempt, in milliseconds. */
const CONNECT_MS = 5_000
/** Addresses of a name that are tried. */
const MAX_ADDRESSES = 3
/** Ranges that an operator may allow. */
const PRIVATE = new Set(['loopback', 'private', 'carrierGradeNat', 'uniqueLocal'])
/** Cloud metadata services outside the link-local range: AWS by IPv6, Alibaba, Azure, Oracle. */
const METADATA = new Set(['fd00:ec2::254', '100.100.100.200', '168.63.129.16', '192.0.0.192'])
/** All of the public IPv6 internet so far. */
const GLOBAL_UNICAST = ipaddr.IPv6.parseCIDR('2000::/3')
/** Prefixes of addresses that embed an IPv4 address in their last 32 bits. */
const MAPPED = ipaddr.IPv6.parseCIDR('::ffff:0:0/96')
const NAT64 = ipaddr.IPv6.parseCIDR('64:ff9b::/96')

export function urlGuard({ allow_private, resolve = resolveName, connect_ms = CONNECT_MS }: UrlGuardOptions): UrlGuard {
  const connect = buildConnector({ timeout: connect_ms, allowH2: false })

  /** The allowed addresses of a name (or an address). */
  async function addressesOf(name: string): Promise<string[]> {
    const addresses = ipaddr.isValid(name) ? [name] : await inTime(resolve(name), name, connect_ms)
    if (addresses.length === 0) throw new UrlRefused(`Cannot reach '${name}': the name has no address`)
    for (const address of addresses) {
      const fault = faultOf(address, allow_private)
      if (fault) throw new UrlRefused(`Cannot reach '${name}': it must be on the public internet, got ${fault}`)
    }
    return addresses.slice(0, MAX_ADDRESSES)
  }

  /** Connects to the first address that answers. */
  function connectTo(
    addresses: string[],
    options: buildConnector.Options,
    callback: buildConnector.Callback,
    failed?: Error,
  ): void {
    const [hostname, ...others] = addresses
    if (hostname === undefined) return callback(failed ?? new Error('no address'), null)
    connect({ ...options, hostname }, (error, socket) => {
      if (error) connectTo(others, options, callback, error)
      else callback(null, socket)
    })
  }

  async function open(options: buildConnector.Options, callback: buildConnector.Callback): Promise<void> {
    const name = nameIn(options.hostname)
    const servername = options.protocol === 'https:' && !ipaddr.isValid(name) ? { servername: name } : {}
    try {
      connectTo(await addressesOf(name), { ...options, ...servername }, callback)
    } catch (error) {
      callback(error instanceof Error ? error : new Error(String(error)), null)
    }
  }

  const agent = new Agent({
    bodyTimeout: 0,
    headersTimeout: 0,
    allowH2: false,
    connect: (options, callback) => void open(options, callback),
  })

  return {
    async check(url) {
      await addressesOf(nameIn(parse(url).hostname))
    },
    async fetch(url, init) {
      const target = parse(url)
      try {
        // undici's own types of the same web interfaces differ from those of the platform in name only
        const response = await undiciFetch(target, { ...init, dispatcher: agent } as UndiciInit)
        return response as unknown as Response
      } catch (error) {
        if (error instanceof Error && error.cause instanceof UrlRefused) throw error.cause
        throw error
      }
    },
    close: () => agent.destroy(),
  }
}

function parse(url: string | URL): URL {
  if (!URL.canParse(url)) throw new UrlRefused('Cannot open the URL: it must be complete, as in https://example.org/')
  const parsed = new URL(url)
  if (parsed.protocol !== 'http:' && parsed.protocol !== 'https:')
    throw new UrlRefused(`Cannot open the URL: it must begin with http:// or https://, got ${parsed.protocol}`)
  if (parsed.username || parsed.password)
    throw new UrlRefused('Cannot open the URL: it must not hold a user name or a password')
  return parsed
}

/** The host of a URL without the brackets of an IPv6 address. */
function nameIn(host: string): string {
  return host.replace(/^\[(.*)\]$/, '$1')
}

/** The reason why an address is refused, or undefined. */
function faultOf(text: string, allowPrivate: boolean): string | undefined {
  if (!ipaddr.isValid(text)) return 'what is no address'
  const address = bare(ipaddr.parse(text))
  if (METADATA.has(address.toString())) return 'a cloud metadata address'
  const range = address.range()
  if (range === 'unicast') {
    const isPublic = address.kind() === 'ipv4' || address.match(GLOBAL_UNICAST)
    return isPublic ? undefined : 'a reserved address'
  }
  if (PRIVATE.has(range)) return allowPrivate ? undefined : WORDS[range]
  return WORDS[range] ?? 'a reserved address'
}

const WORDS: Record<string, string> = {
  loopback: 'a loopback address',
  private: 'a private address',
  carrierGradeNat: 'an address behind a carrier-grade NAT',
  uniqueLocal: 'a private address',
  linkLocal: 'a link-local address',
  multicast: 'a multicast address',
  broadcast: 'a broadcast address',
  unspecified: 'an unspecified address',
}

/** The IPv4 address that is embedded in an IPv6 address, if any. */
function bare(address: ipaddr.IPv4 | ipaddr.IPv6): ipaddr.IPv4 | ipaddr.IPv6 {
  if (address instanceof ipaddr.IPv4) return address
  return address.match(MAPPED) || address.match(NAT64) ? new ipaddr.IPv4(address.toByteArray().slice(12)) : address
}

async function resolveName(host: string): Promise<string[]> {
  return (await lookup(host, { all: true })).map(({ address }) => address)
}

/** A lookup cannot be cancelled; it is only abandoned. */
async function inTime(answer: Promise<string[]>, host: string, ms: number): Promise<string[]> {
  const late = Promise.withResolvers<never>()
  const timer = setTimeout(() => late.reject(new Error(`Cannot resolve '${host}' within ${ms} ms`)), ms)
  try {
    return await Promise.race([answer, late.promise])
  } finally {
    clearTimeout(timer)
  }
}
