// How muxi meets its network: certificate files, trusted proxies, networks of administrators; and what is refused at the start.
import { createPrivateKey, X509Certificate, type KeyObject } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { isLocalHost } from '../contracts/hosts.ts'
import { isNetwork } from '../contracts/networks.ts'
import type { SettingReader } from './setting-reader.ts'

export interface EdgeSettings {
  /** Absolute paths of PEM files; undefined: plain HTTP. */
  readonly tls: { cert: string; key: string } | undefined
  /** Networks of proxies whose forwarding headers count. */
  readonly trusted_proxies: readonly string[]
  /** Where the scope `admin` may be used; undefined: everywhere. */
  readonly admin_networks: readonly string[] | undefined
}

export function readEdge(read: SettingReader, cwd: string): EdgeSettings {
  return {
    tls: readTls(read, cwd),
    trusted_proxies: readNetworks(read, 'MUXI_TRUSTED_PROXIES') ?? [],
    admin_networks: readNetworks(read, 'MUXI_ADMIN_NETWORKS'),
  }
}

/** Keys and messages must not cross a public network in plain text. */
export function checkEdge(read: SettingReader, host: string, { tls, trusted_proxies }: EdgeSettings): void {
  const wasGiven = ['MUXI_TLS_CERT', 'MUXI_TLS_KEY', 'MUXI_TRUSTED_PROXIES'].some(
    (name) => read.text(name) !== undefined,
  )
  if (isLocalHost(host) || tls || trusted_proxies.length > 0 || wasGiven) return
  read.fault(
    'MUXI_HOST',
    'a loopback or private address unless MUXI_TLS_CERT and MUXI_TLS_KEY name a certificate, or MUXI_TRUSTED_PROXIES the proxy that encrypts',
    `'${host}'`,
  )
}

function readNetworks(read: SettingReader, name: string): string[] | undefined {
  const networks = read.list(name)
  const wrong = networks?.find((network) => !isNetwork(network))
  if (wrong !== undefined)
    read.fault(name, 'a comma list of addresses and CIDR blocks, such as 10.0.0.0/8,::1', `'${wrong}'`)
  return networks?.filter(isNetwork)
}

function readTls(read: SettingReader, cwd: string): EdgeSettings['tls'] {
  const names = { cert: read.text('MUXI_TLS_CERT'), key: read.text('MUXI_TLS_KEY') }
  if (names.cert === undefined && names.key === undefined) return undefined
  if (names.cert === undefined || names.key === undefined) {
    const missing = names.cert === undefined ? 'MUXI_TLS_CERT' : 'MUXI_TLS_KEY'
    read.fault(missing, 'set together with the other of MUXI_TLS_CERT and MUXI_TLS_KEY', 'nothing')
    return undefined
  }
  const paths = { cert: resolve(cwd, names.cert), key: resolve(cwd, names.key) }
  const cert = parseFile(read, 'MUXI_TLS_CERT', paths.cert, 'a certificate in PEM', (pem) => new X509Certificate(pem))
  const key = parseFile(read, 'MUXI_TLS_KEY', paths.key, 'a private key in PEM without a passphrase', createPrivateKey)
  if (!cert || !key) return undefined
  return checkPair(read, paths, cert, key) ? paths : undefined
}

function parseFile<T>(
  read: SettingReader,
  name: string,
  path: string,
  expected: string,
  parse: (pem: Buffer) => T,
): T | undefined {
  let pem: Buffer
  try {
    pem = readFileSync(path)
  } catch (error) {
    read.fault(name, 'a file that muxi may read', `'${path}' (${(error as NodeJS.ErrnoException).code})`)
    return undefined
  }
  try {
    return parse(pem)
  } catch {
    read.fault(name, expected, `something else in '${path}'`)
    return undefined
  }
}

function checkPair(
  read: SettingReader,
  { cert: path }: { cert: string },
  cert: X509Certificate,
  key: KeyObject,
): boolean {
  if (!cert.checkPrivateKey(key)) {
    read.fault('MUXI_TLS_KEY', 'the key of the certificate in MUXI_TLS_CERT', 'that of another one')
    return false
  }
  const now = Date.now()
  if (now >= Date.parse(cert.validFrom) && now <= Date.parse(cert.validTo)) return true
  read.fault('MUXI_TLS_CERT', 'valid now', `'${path}', which is valid from ${cert.validFrom} to ${cert.validTo}`)
  return false
}
