// Converts the TLS settings (files or PEM text) to the options of Temporal's SDK.
import { readFileSync } from 'node:fs'
import type { TLSConfig } from '@temporalio/common/lib/internal-non-workflow/index.js'
import type { TemporalTls } from '../contracts/tls.ts'

/** Reads the files, so call it once per connection: the next connection then uses a renewed certificate. */
export function tlsConfig(tls: boolean | TemporalTls): TLSConfig | boolean {
  if (typeof tls === 'boolean') return tls
  if (tls.disable_host_verification) {
    throw new Error(
      'Cannot connect to Temporal: TEMPORAL_TLS_DISABLE_HOST_VERIFICATION must be off, its SDK always verifies',
    )
  }
  const crt = pem(tls.client_cert_path, tls.client_cert_data)
  const key = pem(tls.client_key_path, tls.client_key_data)
  const ca = pem(tls.server_ca_cert_path, tls.server_ca_cert_data)
  return {
    ...(crt && key && { clientCertPair: { crt, key } }),
    ...(ca && { serverRootCACertificate: ca }),
    ...(tls.server_name && { serverNameOverride: tls.server_name }),
  }
}

function pem(path: string | undefined, data: string | undefined): Buffer | undefined {
  if (data) return Buffer.from(data)
  return path ? readFileSync(path) : undefined
}
