// The options of an embedded muxi, and the settings that they stand for.
import type { Environment } from '../config/environment.ts'
import type { MuxiOptions } from '../client/index.ts'

export interface EmbeddedOptions extends Omit<
  MuxiOptions,
  'serverUrl' | 'server_url' | 'apiKey' | 'api_key' | 'fetch' | 'WebSocket'
> {
  serverUrl?: undefined
  server_url?: undefined
  /** Where everything is stored; one process at a time may use it. Default: `MUXI_DATA_DIR`, else `./data`. */
  dataDir?: string | undefined
  /** Agents that are described in files. Default: `MUXI_AGENTS_DIR`, else `./agents`. */
  agentsDir?: string | undefined
  /** Settings as in the environment, which they come before; the file `.env` comes last. */
  env?: Environment | undefined
  /** Gets the lines of the log, JSON each with its line break; default: standard error. Their level is `MUXI_LOG_LEVEL`, `warn` by default. */
  output?: ((line: string) => void) | undefined
}

export interface ServeOptions {
  /** Default: `MUXI_PORT`, else 5050. 0: one that is free. */
  port?: number | undefined
  /** Default: `MUXI_HOST`, else 127.0.0.1. */
  host?: string | undefined
  /**
   * `true`: if there is no key yet, one is made and shown once. A text is the key itself. `false`: no authentication, on loopback
   * addresses only. Default: `MUXI_API_KEY`, else `true`.
   */
  apiKey?: boolean | string | undefined
  /** Alias of `apiKey`. */
  api_key?: boolean | string | undefined
}

/** An HTTP server that listens. */
export interface ListeningServer {
  url: string
  /** Only when it was just made: it is not stored in plain text. */
  key?: string | undefined
  /** Stops listening; everything else goes on. */
  close(): Promise<void>
}
