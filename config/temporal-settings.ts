// How to reach Temporal, in the names that Temporal's own environment configuration uses.
import { statSync } from 'node:fs'
import { resolve } from 'node:path'
import type { TemporalTls } from '../contracts/tls.ts'
import type { SettingReader } from './setting-reader.ts'

export interface TemporalSettings {
  /** `host:port`; default: muxi starts its own server. */
  readonly address?: string
  readonly namespace: string
  readonly api_key?: string
  readonly tls: boolean | TemporalTls
  /** Public URL of the Temporal UI. */
  readonly ui_url?: string
  /** Ports of muxi's own server; default: free ones. */
  readonly port?: number
  readonly ui_port?: number
  /** Soft limit of its memory in MiB; default: `DEFAULT_MEMORY_MB` of `temporal-config/dev-server.ts`. */
  readonly memory_mb?: number
}

const PORTS = { min: 1, max: 65_535 }
/** With less the server spends most of its time on garbage collection. */
const MEMORY_MB = { min: 128, max: 1_000_000 }

export function readTemporal(read: SettingReader, cwd: string): TemporalSettings {
  const address = read.matching('TEMPORAL_ADDRESS', isHostAndPort, 'a host and a port such as localhost:7233')
  const api_key = read.secret('TEMPORAL_API_KEY')
  if (api_key !== undefined && read.text('TEMPORAL_ADDRESS') === undefined) {
    read.fault('TEMPORAL_ADDRESS', "set when TEMPORAL_API_KEY is, because muxi's own server takes no key", 'nothing')
  }
  return {
    address,
    namespace:
      read.matching('TEMPORAL_NAMESPACE', (name) => /^\S{1,255}$/.test(name), 'a name without spaces') ?? 'default',
    api_key,
    tls: readTls(read, cwd, api_key !== undefined),
    ui_url: read.url('TEMPORAL_UI_URL'),
    port: read.integer('MUXI_TEMPORAL_PORT', PORTS),
    ui_port: read.integer('MUXI_TEMPORAL_UI_PORT', PORTS),
    memory_mb: read.integer('MUXI_TEMPORAL_MEMORY_MB', MEMORY_MB),
  }
}

/** Same rules as Temporal: an explicit setting takes precedence; otherwise on if a certificate or an API key is set. */
function readTls(read: SettingReader, cwd: string, hasKey: boolean): boolean | TemporalTls {
  const wanted = read.flag('TEMPORAL_TLS')
  const pem = (name: string) => {
    const file = read.text(`${name}_PATH`)
    const data = read.text(`${name}_DATA`)
    if (file !== undefined && data !== undefined)
      read.fault(`${name}_PATH`, `left out when ${name}_DATA is set`, 'both')
    if (file === undefined) return { data }
    const path = resolve(cwd, file)
    if (!statSync(path, { throwIfNoEntry: false })?.isFile()) read.fault(`${name}_PATH`, 'a file', `'${path}'`)
    return { path }
  }
  const cert = pem('TEMPORAL_TLS_CLIENT_CERT')
  const key = pem('TEMPORAL_TLS_CLIENT_KEY')
  const ca = pem('TEMPORAL_TLS_SERVER_CA_CERT')
  if (present(cert) !== present(key)) {
    const missing = present(cert) ? 'TEMPORAL_TLS_CLIENT_KEY_PATH' : 'TEMPORAL_TLS_CLIENT_CERT_PATH'
    read.fault(missing, 'set, because a certificate and its key come together', 'nothing')
  }
  const tls: TemporalTls = {
    client_cert_path: cert.path,
    client_cert_data: cert.data,
    client_key_path: key.path,
    client_key_data: key.data,
    server_ca_cert_path: ca.path,
    server_ca_cert_data: ca.data,
    server_name: read.text('TEMPORAL_TLS_SERVER_NAME'),
    disable_host_verification: read.flag('TEMPORAL_TLS_DISABLE_HOST_VERIFICATION'),
  }
  if (wanted === false) return false
  return Object.values(tls).some((value) => value !== undefined) ? tls : (wanted ?? hasKey)
}

function present(pem: { path?: string; data?: string }): boolean {
  return pem.path !== undefined || pem.data !== undefined
}

function isHostAndPort(value: string): boolean {
  const port = /^(?:[^\s/:@[\]]+|\[[0-9a-fA-F:]+\]):(\d{1,5})$/.exec(value)?.[1]
  return port !== undefined && Number(port) >= PORTS.min && Number(port) <= PORTS.max
}
