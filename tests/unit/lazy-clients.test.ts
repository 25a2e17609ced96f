// The vendors' clients are loaded when they are needed: who uses none of them pays nothing for them.
import { execFileSync } from 'node:child_process'
import { expect, it } from 'vitest'
import { ROOT } from '../support/children.ts'

const SCRIPT = `
const { registerHooks } = await import('node:module')
const loaded = new Set()
registerHooks({
  resolve(name, context, next) {
    const found = next(name, context)
    const [, client] = /node_modules.(openai|@anthropic-ai.sdk|@google.genai)/.exec(found.url) ?? []
    if (client) loaded.add(client)
    return found
  },
})
const { ModelRegistry } = await import('./providers/registry.ts')
await import('./providers/create-embedder.ts')
await import('./providers/find-transcriber.ts')
const atStart = [...loaded]
const options = { own_models: {}, offline_words_per_second: 1, stall_ms: 1, guardedFetch: fetch }
await new ModelRegistry({ ...options, providers: { openai: {} } }).warm()
const unconfigured = [...loaded]
await new ModelRegistry({ ...options, providers: { openai: {}, gemini: { api_key: 'k' } } }).warm()
console.log(JSON.stringify({ atStart, unconfigured, configured: [...loaded] }))
`

it('no client is loaded before its provider is configured or called', () => {
  const said = execFileSync(process.execPath, ['--input-type=module', '--eval', SCRIPT], {
    cwd: ROOT,
    encoding: 'utf8',
  })
  expect(JSON.parse(said)).toEqual({ atStart: [], unconfigured: [], configured: ['@google/genai'] })
})
