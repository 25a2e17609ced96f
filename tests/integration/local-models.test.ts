// Models of servers on this machine: which one an agent gets that names none.
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, expect, it } from 'vitest'
import { LocalModels } from '../../providers/local-models.ts'
import { ModelRegistry } from '../../providers/registry.ts'
import { freePort } from '../support/free-port.ts'
import { OFFLINE } from '../support/call-model.ts'

const servers: Server[] = []
afterEach(async () => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
  }
})

/** A server that lists models, as Ollama and LM Studio do. @param answer the body of `/v1/models`; none: it never answers */
async function serve(answer: unknown): Promise<string> {
  const server = createServer((request, response) => {
    if (answer === undefined) return
    response.statusCode = request.url === '/v1/models' ? 200 : 404
    response.end(typeof answer === 'string' ? answer : JSON.stringify(answer))
  })
  servers.push(server)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`
}

const listOf = (...ids: unknown[]) => ({ object: 'list', data: ids.map((id) => ({ id, object: 'model' })) })

async function chosen(ollama: string, lmstudio: string, openai: { api_key?: string } = {}) {
  const providers = { ...OFFLINE.providers, openai, ollama: { base_url: ollama }, lmstudio: { base_url: lmstudio } }
  const local = new LocalModels(providers)
  const found = await local.look()
  const [model] = new ModelRegistry({ ...OFFLINE, providers, local }).chainOf({}, 'file')
  return { found, model: `${model!.provider}:${model!.model}` }
}

it('the first model that talks, of the first server that has one', async () => {
  const ollama = await serve(listOf('nomic-embed-text:latest', 'qwen3:8b', 'llama3.2'))
  const lmstudio = await serve(listOf('gpt-oss-20b'))
  expect(await chosen(ollama, lmstudio)).toMatchObject({ model: 'ollama:qwen3:8b' })
  const closed = `http://127.0.0.1:${await freePort()}/v1`
  expect(await chosen(closed, lmstudio)).toMatchObject({ model: 'lmstudio:gpt-oss-20b' })
  expect(await chosen(await serve(listOf('bge-m3')), lmstudio)).toMatchObject({ model: 'lmstudio:gpt-oss-20b' })
})

it('none when no server answers with a list: then the offline model answers', async () => {
  const closed = `http://127.0.0.1:${await freePort()}/v1`
  for (const answer of ['<html>', { data: 'none' }, listOf(7, null), undefined])
    expect(await chosen(await serve(answer), closed)).toMatchObject({ found: undefined, model: 'offline:offline' })
})

it('a provider with a key goes before', async () => {
  const ollama = await serve(listOf('qwen3:8b'))
  expect(await chosen(ollama, ollama, { api_key: 'k' })).toMatchObject({ model: /^openai:/ })
})
