// Guarded requests to a real server: what is connected to is what was checked, at every hop.
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { urlGuard, type UrlGuard, type UrlGuardOptions } from '../../net/url-guard.ts'

const served: string[] = []
let answer: (request: IncomingMessage, response: ServerResponse) => void
const server = createServer((request, response) => {
  served.push(`${request.headers.host}${request.url}`)
  answer(request, response)
})
let port: number
const guards: UrlGuard[] = []

beforeAll(async () => {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  port = (server.address() as AddressInfo).port
})
beforeEach(() => {
  served.length = 0
  answer = (_, response) => response.end('hello')
})
afterEach(async () => {
  for (const guard of guards.splice(0)) await guard.close()
})
afterAll(() => {
  server.closeAllConnections()
  server.close()
})

function guarded(options: UrlGuardOptions): UrlGuard {
  const guard = urlGuard(options)
  guards.push(guard)
  return guard
}

it.each(['127.0.0.1', 'localhost', '2130706433', '0x7f.1', '[::ffff:127.0.0.1]'])(
  'asks nothing of http://%s',
  async (host) => {
    const { fetch } = guarded({ allow_private: false })
    await expect(fetch(`http://${host}:${port}/`)).rejects.toMatchObject({ name: 'UrlRefused' })
    expect(served).toEqual([])
  },
)

it('requests a private host where that is allowed, with its name', async () => {
  const { fetch } = guarded({ allow_private: true, resolve: async () => ['127.0.0.1'] })
  const response = await fetch(`http://intranet.test:${port}/page`, { headers: new Headers({ accept: 'text/plain' }) })
  expect([response.status, await response.text()]).toEqual([200, 'hello'])
  expect(served).toEqual([`intranet.test:${port}/page`])
})

it('tries the next address of a name when one does not answer', async () => {
  const { fetch } = guarded({ allow_private: true, resolve: async () => ['127.0.0.2', '::1', '127.0.0.1'] })
  expect(await (await fetch(`http://intranet.test:${port}/`)).text()).toBe('hello')
})

describe('a name that changes after it was checked', () => {
  it('is checked again when it is connected to', async () => {
    const answers = [['1.1.1.1'], ['127.0.0.1']]
    const { check, fetch } = guarded({ allow_private: false, resolve: async () => answers.shift() ?? [] })
    const url = `http://rebind.test:${port}/`
    await check(url)
    await expect(fetch(url)).rejects.toThrow(
      "Cannot reach 'rebind.test': it must be on the public internet, got a loopback address",
    )
    expect(served).toEqual([])
  })

  it('is resolved once for a connection: the checked address is the one connected to', async () => {
    const asked: string[] = []
    const resolve = async (host: string) => (asked.push(host), asked.length === 1 ? ['127.0.0.1'] : ['127.0.0.2'])
    const { fetch } = guarded({ allow_private: true, resolve })
    expect(await (await fetch(`http://rebind.test:${port}/`)).text()).toBe('hello')
    expect(asked).toEqual(['rebind.test'])
  })
})

describe('a redirect', () => {
  it.each(['inside.test', '169.254.169.254', '[::ffff:a9fe:a9fe]', '0.0.0.0'])(
    'to http://%s is refused although it comes from a host that is not',
    async (host) => {
      // Both hosts are on this machine: what is public is played by a private address that is allowed, what is private by one that never is.
      const resolve = async (name: string) => [name === 'outside.test' ? '127.0.0.1' : '0.0.0.0']
      answer = (_, response) => response.writeHead(302, { location: `http://${host}:${port}/secret` }).end()
      const { fetch } = guarded({ allow_private: true, resolve })
      await expect(fetch(`http://outside.test:${port}/`)).rejects.toMatchObject({ name: 'UrlRefused' })
      expect(served).toEqual([`outside.test:${port}/`])
    },
  )

  it('is returned unfollowed to callers that ask for that', async () => {
    answer = (_, response) => response.writeHead(307, { location: 'http://169.254.169.254/' }).end()
    const { fetch } = guarded({ allow_private: true })
    const response = await fetch(`http://127.0.0.1:${port}/`, { redirect: 'manual' })
    expect([response.status, response.headers.get('location')]).toEqual([307, 'http://169.254.169.254/'])
  })
})

it('ends with the reason of its signal', async () => {
  answer = () => {}
  const { fetch } = guarded({ allow_private: true })
  const reason = new Error('enough')
  const stop = new AbortController()
  const asked = fetch(`http://127.0.0.1:${port}/`, { signal: stop.signal })
  await expect.poll(() => served.length).toBe(1)
  stop.abort(reason)
  await expect(asked).rejects.toBe(reason)
})
