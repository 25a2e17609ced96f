// TLS settings of the connection to Temporal.

/** TLS with certificates: each certificate or key is a file (absolute) or the PEM text itself. */
export interface TemporalTls {
  readonly client_cert_path?: string
  readonly client_cert_data?: string
  readonly client_key_path?: string
  readonly client_key_data?: string
  readonly server_ca_cert_path?: string
  readonly server_ca_cert_data?: string
  readonly server_name?: string
  readonly disable_host_verification?: boolean
}
