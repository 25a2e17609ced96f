#!/usr/bin/env node
// Starts the server over Streamable HTTP.
import { readConfig } from './config.ts'
import { readHttpOptions, serveHttp } from './http.ts'
import { createServer, NAME } from './server.ts'

try {
  const config = readConfig(process.env)
  await serveHttp(() => createServer(config), readHttpOptions(process.env))
  process.exit(0)
} catch (error) {
  console.error(`${NAME}: ${error instanceof Error ? error.message : String(error)}`)
  process.exit(1)
}
