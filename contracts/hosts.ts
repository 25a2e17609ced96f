// Which host names mean this machine or its own network, judged by the name alone.
// Not a guard against requests into private networks: that requires the resolved address of a name.

/** Whether a host (an address or a name, IPv6 with or without brackets) is this very machine. */
export function isLoopbackHost(host: string): boolean {
  const name = bare(host)
  return name === 'localhost' || name.endsWith('.localhost') || name === '::1' || /^127(\.\d{1,3}){3}$/.test(name)
}

/**
 * Whether a host is this machine or in its local network: loopback, a private or link-local address, a name without dots,
 * `.local`, `.internal`.
 */
export function isLocalHost(host: string): boolean {
  const name = bare(host)
  if (isLoopbackHost(name)) return true
  if (name.includes(':')) return /^f[cd]|^fe[89ab]/.test(name)
  if (/^\d+(\.\d+){3}$/.test(name)) return /^(10\.|192\.168\.|169\.254\.|172\.(1[6-9]|2\d|3[01])\.)/.test(name)
  return !name.includes('.') || name.endsWith('.local') || name.endsWith('.internal')
}

/** Whether an invalid address may be shown: it looks like an address, and no part of it can contain a key or a password. */
export function isShowableAddress(value: string): boolean {
  return /^([a-z][a-z0-9+.-]*:\/\/[\w.-]+(:\d+)?|[\w.-]+:\d{1,5})(\/[\w./-]*)?$/i.test(value)
}

function bare(host: string): string {
  return host
    .toLowerCase()
    .replace(/^\[(.*)\]$/, '$1')
    .replace(/\.$/, '')
}
