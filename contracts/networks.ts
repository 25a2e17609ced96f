// Networks as CIDR blocks, IPv4 and IPv6, and addresses in them.
import { BlockList, isIP } from 'node:net'

/** Whether a text is an IP address or a CIDR block, such as `10.0.0.0/8`. */
export function isNetwork(text: string): boolean {
  const [base = '', bits, ...rest] = text.split('/')
  const family = isIP(base)
  if (family === 0 || rest.length > 0 || base.includes('%')) return false
  return bits === undefined || (/^\d{1,3}$/.test(bits) && Number(bits) <= (family === 6 ? 128 : 32))
}

/** An address in its plain form: an IPv4 address that is written as IPv6 (`::ffff:10.0.0.1`) is the IPv4 one. Undefined when it is none. */
export function plainAddress(text: string | undefined): string | undefined {
  const bare = text?.replace(/%.*$/, '')
  if (bare === undefined || isIP(bare) === 0) return undefined
  if (isIP(bare) === 4) return bare
  const shortest = new URL(`http://[${bare}]`).hostname.slice(1, -1)
  const [, high, low] = /^::ffff:([0-9a-f]{1,4}):([0-9a-f]{1,4})$/.exec(shortest) ?? []
  if (high === undefined || low === undefined) return shortest
  const [a, b] = [Number.parseInt(high, 16), Number.parseInt(low, 16)]
  return [a >> 8, a & 255, b >> 8, b & 255].join('.')
}

export class Networks {
  readonly #list = new BlockList()

  /** @param networks each as `isNetwork` accepts it */
  constructor(networks: readonly string[]) {
    for (const network of networks) {
      const [base = '', given] = network.split('/')
      const plain = plainAddress(base) ?? base
      const family = isIP(plain) === 6 ? 'ipv6' : 'ipv4'
      const mapped = family === 'ipv4' && base.includes(':') ? 96 : 0
      const bits = given === undefined ? undefined : Number(given) - mapped
      // A block that is wider than all mapped addresses.
      if (bits !== undefined && bits < 0) this.#list.addSubnet(base, Number(given), 'ipv6')
      else this.#list.addSubnet(plain, bits ?? (family === 'ipv6' ? 128 : 32), family)
    }
  }

  has(address: string | undefined): boolean {
    const plain = plainAddress(address)
    return plain !== undefined && this.#list.check(plain, isIP(plain) === 6 ? 'ipv6' : 'ipv4')
  }
}
