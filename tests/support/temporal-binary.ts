// The Temporal server's program for tests; `npm test` has made sure that there is one.
import { tmpdir } from 'node:os'
import { runtimeCommand } from '../../cli/runtime-command.ts'
import { getServerBinaryOrThrow } from '../../temporal-config/server-binary.ts'

export function temporalBinary(): Promise<string> {
  return getServerBinaryOrThrow({
    dataDir: tmpdir(),
    env: process.env,
    say: console.log,
    scriptCommand: runtimeCommand,
  })
}
