// Which addresses a URL may lead to.
import { afterEach, describe, expect, it, test } from 'vitest'
import { UrlRefused } from '../../contracts/url-refused.ts'
import { urlGuard, type UrlGuard } from '../../net/url-guard.ts'

const guards: UrlGuard[] = []
afterEach(async () => {
  for (const guard of guards.splice(0)) await guard.close()
})

/** A guard for which every name has these addresses. */
function guardOf(allow_private: boolean, ...addresses: string[]): UrlGuard {
  const guard = urlGuard({ allow_private, resolve: async () => addresses })
  guards.push(guard)
  return guard
}

const refusal = async (guard: UrlGuard, url: string) => {
  const error: unknown = await guard.check(url).catch((error: unknown) => error)
  return error instanceof UrlRefused ? error.message : error
}

const words = (text: string) => text.trim().split(/\s+/)
const PUBLIC = words(`
  93.184.215.14 1.1.1.1 [2606:2800:21f:cb07:6820:80da:af6b:8b2c] [::ffff:1.1.1.1] [64:ff9b::1.1.1.1]
`)
const PRIVATE = words(`
  127.0.0.1 127.255.255.254 10.1.2.3 172.16.0.1 172.31.255.255 192.168.1.1 100.64.0.1 [::1] [fc00::1]
  [fd12:3456::1] [::ffff:127.0.0.1] [::ffff:10.0.0.1] [64:ff9b::127.0.0.1]
`)
const NEVER = words(`
  0.0.0.0 0.1.2.3 169.254.169.254 224.0.0.1 239.255.255.250 255.255.255.255 240.0.0.1 192.0.2.1
  198.18.0.1 100.100.100.200 168.63.129.16 192.0.0.192 [::] [fe80::1] [ff02::1] [fd00:ec2::254]
  [::127.0.0.1] [::ffff:0:127.0.0.1] [100::1] [2002:7f00:1::] [2001::1] [2001:db8::1] [fec0::1]
  [64:ff9b:1::7f00:1] [4000::1] [::ffff:169.254.169.254] [64:ff9b::169.254.169.254]
`)

test.each(PUBLIC)('%s is on the public internet', async (host) => {
  expect(await refusal(guardOf(false), `http://${host}/`)).toBeUndefined()
})

test.each(PRIVATE)('%s may be reached only where private networks are allowed', async (host) => {
  expect(await refusal(guardOf(false), `http://${host}/`)).toMatch(
    /^Cannot reach '.*': it must be on the public internet/,
  )
  expect(await refusal(guardOf(true), `http://${host}/`)).toBeUndefined()
})

test.each(NEVER)('%s may never be reached', async (host) => {
  expect(await refusal(guardOf(false), `http://${host}/`)).toMatch(/^Cannot reach/)
  expect(await refusal(guardOf(true), `http://${host}/`)).toMatch(/^Cannot reach/)
})

test.each([...PRIVATE, ...NEVER])(
  'a name for %s is refused like the address itself, without telling it',
  async (host) => {
    const address = host.replace(/[[\]]/g, '')
    const message = await refusal(guardOf(false, address), 'https://example.test/')
    expect(message).toMatch(/^Cannot reach 'example\.test': it must be on the public internet, got an? /)
    expect(message).not.toContain(address)
  },
)

test.each([
  ['http://2130706433/', 'decimal'],
  ['http://0x7f000001/', 'hexadecimal'],
  ['http://0x7f.0.0.1/', 'hexadecimal in part'],
  ['http://017700000001/', 'octal'],
  ['http://0177.0.0.1/', 'octal in part'],
  ['http://127.1/', 'short'],
  ['http://127.0.0.1./', 'with a dot at its end'],
  ['http://①②⑦.⓪.⓪.①/', 'in other digits'],
  ['http://%31%32%37.0.0.1/', 'with escapes'],
  ['http://[0:0:0:0:0:ffff:7f00:1]/', 'mapped, in full'],
])('%s is loopback, written %s', async (url) => {
  expect(await refusal(guardOf(false, '1.1.1.1'), url)).toMatch(/got a loopback address$/)
})

describe('a name', () => {
  it('is refused when only one of its addresses is', async () => {
    expect(await refusal(guardOf(false, '1.1.1.1', '10.0.0.1'), 'http://example.test/')).toMatch(
      /got a private address$/,
    )
  })

  it('is refused when it has no address, or none that can be understood', async () => {
    expect(await refusal(guardOf(false), 'http://example.test/')).toBe(
      "Cannot reach 'example.test': the name has no address",
    )
    expect(await refusal(guardOf(false, 'localhost'), 'http://example.test/')).toMatch(/got what is no address$/)
  })

  it('is refused with a zone as well', async () => {
    expect(await refusal(guardOf(true, 'fe80::1%eth0'), 'http://example.test/')).toMatch(/got a link-local address$/)
  })

  it('is waited for only so long', async () => {
    const guard = urlGuard({ allow_private: false, resolve: () => new Promise(() => {}), connect_ms: 20 })
    guards.push(guard)
    await expect(guard.check('http://example.test/')).rejects.toThrow("Cannot resolve 'example.test' within 20 ms")
  })
})

test.each([
  ['file:///etc/passwd', /must begin with http:\/\/ or https:\/\/, got file:$/],
  ['ftp://example.test/', /got ftp:$/],
  ['data:text/html,hello', /got data:$/],
  ['http://me:secret@example.test/', /must not hold a user name or a password$/],
  ['/relative', /must be complete/],
  ['http://[fe80::1%25eth0]/', /must be complete/],
])('%s is refused for its form', async (url, message) => {
  expect(await refusal(guardOf(true, '1.1.1.1'), url)).toMatch(message)
  await expect(guardOf(true, '1.1.1.1').fetch(url)).rejects.toThrow(message)
})
