#!/usr/bin/env node
// Starts the server on standard input and output.
import { readConfig } from './config.ts'
import { createServer, NAME } from './server.ts'
import { serveStdio } from './stdio.ts'

try {
  await serveStdio(createServer(readConfig(process.env)))
  process.exit(0)
} catch (error) {
  console.error(`${NAME}: ${error instanceof Error ? error.message : String(error)}`)
  process.exit(1)
}
