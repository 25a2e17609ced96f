// The state file of the dev server's last start on a data folder, for the next start and for other processes.
import { readFileSync, renameSync, writeFileSync } from 'node:fs'

export interface ServerPorts {
  port: number
  uiPort: number
}

export interface ServerState extends ServerPorts {
  codecEndpoint: string
  /** Informational; no code depends on it. */
  pid: number
}

export function readServerState(file: string): ServerState | undefined {
  try {
    const { port, ui_port, codec_endpoint, pid } = JSON.parse(readFileSync(file, 'utf8'))
    return { port, uiPort: ui_port, codecEndpoint: codec_endpoint, pid }
  } catch {
    return undefined // the first start
  }
}

export function writeServerState(file: string, { port, uiPort, codecEndpoint, pid }: ServerState): void {
  const text = JSON.stringify({ port, ui_port: uiPort, codec_endpoint: codecEndpoint, pid })
  writeFileSync(`${file}.new`, `${text}\n`)
  renameSync(`${file}.new`, file)
}
