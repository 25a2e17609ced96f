#!/usr/bin/env node
// The command `muxi`: keeps compiled code on disk, then runs `main.ts`. Plain JavaScript, because the program that strips types
// costs a process 12 MiB (Node 24.21, measured); from the second start on, the compile cache makes it unnecessary.
import module from 'node:module'
import { fileURLToPath } from 'node:url'

const folder = (process.env.NODE_COMPILE_CACHE ||= fileURLToPath(
  new URL('../node_modules/.cache/muxi', import.meta.url),
))
// Deno has a cache of its own.
module.enableCompileCache?.(folder)
await import('./main.ts')
