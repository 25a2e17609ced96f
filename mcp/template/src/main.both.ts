#!/usr/bin/env node
// Starts the server: on standard input and output, or over Streamable HTTP with --http.
import { parseArgs } from 'node:util'
import { readConfig } from './config.ts'
import { readHttpOptions, serveHttp } from './http.ts'
import { createServer, NAME } from './server.ts'
import { serveStdio } from './stdio.ts'

try {
  const { values } = parseArgs({ options: { http: { type: 'boolean' } } })
  const config = readConfig(process.env)
  if (values.http) await serveHttp(() => createServer(config), readHttpOptions(process.env))
  else await serveStdio(createServer(config))
  process.exit(0)
} catch (error) {
  console.error(`${NAME}: ${error instanceof Error ? error.message : String(error)}`)
  process.exit(1)
}
