// Settings: what the environment may say, what it means, and what a start that must not happen prints.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { isLocalHost, isLoopbackHost } from '../../contracts/hosts.ts'
import { loadSettings, type Settings, SettingsError } from '../../config/settings.ts'

let cwd: string
beforeEach(() => {
  cwd = mkdtempSync(join(tmpdir(), 'muxi-settings-'))
})
afterEach(() => rmSync(cwd, { recursive: true }))

function load(env: Record<string, string | undefined> = {}): Settings {
  return loadSettings(env, { cwd })
}

function faults(env: Record<string, string | undefined>): readonly string[] {
  try {
    load(env)
  } catch (error) {
    if (error instanceof SettingsError) return error.faults
    throw error
  }
  return []
}

describe('an empty environment', () => {
  it('gives the documented defaults', () => {
    expect(load()).toMatchObject({
      host: '127.0.0.1',
      port: 5050,
      data_dir: join(cwd, 'data'),
      agents_dir: join(cwd, 'agents'),
      knowledge_dirs: [],
      api_key: true,
      allow_no_auth: false,
      api_env: [],
      log_level: 'info',
      role: 'all',
      temporal: { namespace: 'default', tls: false },
      mcp_commands: ['node', 'npx', 'deno', 'python3', 'uvx'],
      allow_private_urls: true,
      limits: {
        json_body_bytes: 1_048_576,
        content_bytes: 262_144,
        carried_bytes: 2_097_152,
        attachments: 20,
        turns_per_user: 10,
        turns_per_key: 100,
        streams_per_key: 500,
        streams: 5_000,
        steps_per_turn: 20,
        turn_seconds: 600,
      },
      offline_words_per_second: 40,
      retention: { event_log_days: 7, log_days: 90, history_days: 30, orphan_file_days: 7, embedding_days: 30 },
    })
  })

  it('gives an object that is frozen all the way down', () => {
    const settings = load()
    const parts = [
      settings,
      settings.limits,
      settings.temporal,
      settings.providers,
      settings.providers.openai,
      settings.mcp_commands,
    ]
    expect(parts.every((part) => Object.isFrozen(part))).toBe(true)
    expect(() => Object.assign(settings.limits, { attachments: 1 })).toThrow(TypeError)
  })
})

describe('daily budgets', () => {
  it('limit nothing unless they are set, each for itself', () => {
    const none = { daily_tokens: null, daily_cost_usd: null }
    expect(load().budgets).toEqual({ key: none, user: none })
    const env = { MUXI_BUDGET_DAILY_TOKENS_PER_KEY: '0', MUXI_BUDGET_DAILY_COST_USD_PER_USER: '2.50' }
    expect(load(env).budgets).toEqual({
      key: { ...none, daily_tokens: 0 },
      user: { ...none, daily_cost_usd: 2.5 },
    })
  })

  it.each([
    ['MUXI_BUDGET_DAILY_TOKENS_PER_KEY', '1.5', 'a whole number'],
    ['MUXI_BUDGET_DAILY_COST_USD_PER_USER', '$5', 'an amount in US dollars'],
    ['MUXI_BUDGET_TOKENS_PER_KEY', '5', 'one of MUXI_BUDGET_DAILY_TOKENS_PER_KEY'],
  ])('refuse %s=%s', (name, value, expected) => {
    expect(faults({ [name]: value })).toEqual([expect.stringContaining(`'${name}' must be ${expected}`)])
  })
})

describe('the .env file', () => {
  it('is read, and the environment takes precedence', () => {
    writeFileSync(
      join(cwd, '.env'),
      '\uFEFF# mine\nexport MUXI_PORT=6000\nOPENAI_API_KEY="sk-file" # note\r\nMUXI_ROLE=worker\n',
    )
    expect(load({ MUXI_ROLE: 'api' })).toMatchObject({
      port: 6000,
      role: 'api',
      providers: { openai: { api_key: 'sk-file' } },
    })
  })

  it('is overridden by an empty variable, which counts as not set', () => {
    writeFileSync(join(cwd, '.env'), 'OPENAI_API_KEY=sk-file\nMUXI_PORT=6000\n')
    const settings = load({ OPENAI_API_KEY: '', MUXI_PORT: ' ' })
    expect(settings.providers.openai.api_key).toBeUndefined()
    expect(settings.port).toBe(5050)
  })

  it('leaves the environment it was given as it was', () => {
    writeFileSync(join(cwd, '.env'), 'MUXI_PORT=6000\n')
    const env = {}
    load(env)
    expect(env).toEqual({})
    expect(process.env['MUXI_PORT']).toBeUndefined()
  })

  it('may be missing, or be a folder', () => {
    mkdirSync(join(cwd, '.env'))
    expect(load().port).toBe(5050)
  })
})

describe('a wrong environment', () => {
  it('is refused with one line for each fault, all at once', () => {
    expect(
      faults({
        MUXI_PORT: 'abc',
        MUXI_LOG_LEVEL: 'loud',
        MUXI_ROLE: 'boss',
        MUXI_ALLOW_PRIVATE_URLS: 'maybe',
        MUXI_LIMIT_ATTACHMENTS: '-1',
      }),
    ).toEqual([
      "Cannot start: 'MUXI_PORT' must be a whole number from 1 to 65535, got 'abc'",
      "Cannot start: 'MUXI_LOG_LEVEL' must be one of 'trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent', got 'loud'",
      "Cannot start: 'MUXI_ROLE' must be one of 'all', 'api', 'worker', got 'boss'",
      "Cannot start: 'MUXI_ALLOW_PRIVATE_URLS' must be 'yes' or 'no', got 'maybe'",
      "Cannot start: 'MUXI_LIMIT_ATTACHMENTS' must be a whole number from 1 to 1099511627776, got '-1'",
    ])
  })

  it.each(['0', '65536', '1e3', '0x10', '50.5', '-1', '5050x', '٣'])('is refused when the port is %s', (port) => {
    expect(faults({ MUXI_PORT: port })).toHaveLength(1)
  })

  it('is refused for a misspelt limit, which would otherwise have no effect', () => {
    expect(faults({ MUXI_LIMIT_ATTACHMENT: '3' })[0]).toMatch(
      /'MUXI_LIMIT_ATTACHMENT' must be one of MUXI_LIMIT_JSON_BODY_BYTES,/,
    )
  })

  it('never shows a secret', () => {
    const planted = 'pl4nted'
    const told = faults({
      MUXI_API_KEY: `a ${planted}`,
      MUXI_SECRET_KEY: planted,
      OPENAI_API_KEY: `sk ${planted}`,
      TEMPORAL_API_KEY: `${planted} x`,
      DATABASE_URL: `mysql://u:${planted}@host/db`,
      BLOB_URL: planted,
      OPENAI_BASE_URL: `http://u:${planted}@host/`,
      ANTHROPIC_BASE_URL: `sk-${planted}`,
      GEMINI_BASE_URL: `https://host/v1?key=${planted}`,
      XAI_BASE_URL: `https://u:${planted}`,
    })
    expect(told.length).toBeGreaterThanOrEqual(10)
    expect(told.join('\n')).not.toContain(planted)
  })

  it('is refused when folders and files that it names are not there', () => {
    expect(faults({ MUXI_AGENTS_DIR: 'nowhere', MUXI_KNOWLEDGE_DIRS: `., gone`, MUXI_MODELS_FILE: '.' })).toEqual([
      `Cannot start: 'MUXI_MODELS_FILE' must be a file that exists, got '${cwd}'`,
      `Cannot start: 'MUXI_AGENTS_DIR' must be a folder that exists, got '${join(cwd, 'nowhere')}'`,
      `Cannot start: 'MUXI_KNOWLEDGE_DIRS' must be a comma list of folders that exist, got '${join(cwd, 'gone')}'`,
    ])
  })
})

const PROXY = { MUXI_TRUSTED_PROXIES: '10.0.0.0/8' }

describe('HTTPS and proxies', () => {
  const file = (name: string) => join(import.meta.dirname, '../fixtures/tls', name)
  const pair = (cert: string, key: string) => ({ MUXI_TLS_CERT: file(cert), MUXI_TLS_KEY: file(key) })
  const pathed = (expected: string) => expect.stringMatching(new RegExp(`^Cannot start: '${expected}`))

  it('plain HTTP is for loopback, private addresses and trusted proxies', () => {
    for (const MUXI_HOST of ['127.0.0.1', '::1', '192.168.1.5', 'muxi']) expect(faults({ MUXI_HOST })).toEqual([])
    for (const MUXI_HOST of ['0.0.0.0', '::', '203.0.113.5', 'muxi.example.com']) {
      expect(faults({ MUXI_HOST })).toEqual([pathed("MUXI_HOST' must be a loopback or private address unless")])
      expect(faults({ MUXI_HOST, ...PROXY })).toEqual([])
      expect(faults({ MUXI_HOST, MUXI_ROLE: 'worker' })).toEqual([])
      expect(faults({ MUXI_HOST, ...pair('server.crt', 'server.key') })).toEqual([])
    }
  })

  it.each([
    [
      'server.crt',
      'other.key',
      "MUXI_TLS_KEY' must be the key of the certificate in MUXI_TLS_CERT, got that of another",
    ],
    ['expired.crt', 'server.key', "MUXI_TLS_CERT' must be valid now, got '.*expired.crt', which is valid from .* to "],
    ['missing.crt', 'server.key', "MUXI_TLS_CERT' must be a file that muxi may read, got '.*missing.crt' \\(ENOENT\\)"],
    ['server.key', 'server.key', "MUXI_TLS_CERT' must be a certificate in PEM, got something else"],
    ['server.crt', 'server.crt', "MUXI_TLS_KEY' must be a private key in PEM without a passphrase, got something else"],
  ])('%s and %s are no pair', (cert, key, expected) => expect(faults(pair(cert, key))).toEqual([pathed(expected)]))

  it('a certificate needs a key, lists need networks', () => {
    expect(faults({ MUXI_TLS_CERT: file('server.crt') })).toEqual([pathed("MUXI_TLS_KEY' must be set together")])
    expect(faults({ MUXI_TRUSTED_PROXIES: '10.0.0.0/8,all' })).toEqual([
      pathed("MUXI_TRUSTED_PROXIES' must be a comma"),
    ])
    expect(faults({ MUXI_ADMIN_NETWORKS: '10.0.0.0/33' })).toEqual([pathed("MUXI_ADMIN_NETWORKS' must be a comma")])
    expect(load({ MUXI_ADMIN_NETWORKS: '10.0.0.0/8, ::1' }).edge.admin_networks).toEqual(['10.0.0.0/8', '::1'])
  })
})

describe('authentication', () => {
  it.each([
    [undefined, true],
    ['true', true],
    ['FALSE', false],
    ['sk_muxi_mine', 'sk_muxi_mine'],
  ])('MUXI_API_KEY=%s is read as %s', (written, meant) => {
    expect(load({ MUXI_API_KEY: written }).api_key).toBe(meant)
  })

  it('may be off on loopback only', () => {
    expect(faults({ MUXI_API_KEY: 'false', MUXI_HOST: '::1' })).toEqual([])
    expect(faults({ ...PROXY, MUXI_API_KEY: 'false', MUXI_HOST: '0.0.0.0' })).toEqual([
      "Cannot start: 'MUXI_HOST' must be a loopback address while MUXI_API_KEY is 'false' (MUXI_ALLOW_NO_AUTH=yes lifts this), got '0.0.0.0'",
    ])
    expect(faults({ ...PROXY, MUXI_API_KEY: 'false', MUXI_HOST: '0.0.0.0', MUXI_ALLOW_NO_AUTH: 'yes' })).toEqual([])
  })

  it('does not accept a short word as a key, because it may be a misspelt false', () => {
    expect(faults({ MUXI_API_KEY: 'off' })).toHaveLength(1)
  })

  it('away from loopback, closes MCP programs and private addresses by default', () => {
    expect(load({ ...PROXY, MUXI_HOST: '0.0.0.0' })).toMatchObject({ mcp_commands: [], allow_private_urls: false })
    expect(load({ ...PROXY, MUXI_HOST: '0.0.0.0', MUXI_MCP_COMMANDS: '*' }).mcp_commands).toEqual(['*'])
  })
})

describe('roles', () => {
  it.each(['api', 'worker'])('%s needs a shared secret key and blobs beside a shared database', (role) => {
    const env = { MUXI_ROLE: role, POSTGRES_DATABASE_URL: 'postgres://u:p@h/d' }
    expect(faults(env).map((fault) => /'(\w+)'/.exec(fault)?.[1])).toEqual(['MUXI_SECRET_KEY', 'BLOB_URL'])
    expect(faults({ ...env, MUXI_SECRET_KEY: 'x'.repeat(32), BLOB_URL: 's3://bucket' })).toEqual([])
  })

  it('takes a bucket with its server and region, and never shows what may be a credential', () => {
    const place = 's3://muxi-files/some/where?endpoint=http://127.0.0.1:9000&region=eu-north-1'
    expect(load({ BLOB_URL: place }).blob_url).toBe(place)
    for (const wrong of [
      's3://key:planted@bucket',
      's3://b',
      's3://bucket?key=planted',
      's3://bucket?endpoint=planted',
    ]) {
      const [fault] = faults({ BLOB_URL: wrong })
      expect(fault, wrong).toMatch(/^Cannot start: 'BLOB_URL' must be file:.* or s3:.*, got something else$/)
    }
    const keys = { AWS_ACCESS_KEY_ID: 'a', AWS_SECRET_ACCESS_KEY: 's' }
    expect(load(keys).blob_credentials).toEqual({ access_key_id: 'a', secret_access_key: 's' })
    expect(load({ AWS_ACCESS_KEY_ID: 'a' }).blob_credentials).toBeUndefined()
  })

  it.each([
    'postgresql://user:pw@/db?host=/run/postgresql',
    'postgres:///db?host=/run/postgresql',
    'postgres://u:p@h/d',
  ])('takes the database %s', (url) => expect(load({ DATABASE_URL: url }).database_url).toBe(url))

  it.each(['mysql://u:planted@/db', 'user:planted@/db', 'postgres', '@/'])('refuses the database %s', (url) => {
    const [fault, ...more] = faults({ DATABASE_URL: url })
    expect(more).toEqual([])
    expect(fault).toMatch(
      /^Cannot start: 'DATABASE_URL' must be an address that begins with postgres:.* or postgresql:/,
    )
    expect(fault).not.toContain('planted')
  })

  it('may be split over one SQLite folder', () => {
    expect(faults({ MUXI_ROLE: 'api' })).toEqual([])
  })
})

describe('Temporal', () => {
  it('is reached with TLS when there is a key, unless TLS is turned off', () => {
    const env = { TEMPORAL_ADDRESS: 'ns.tmprl.cloud:7233', TEMPORAL_API_KEY: 'key' }
    expect(load(env).temporal.tls).toBe(true)
    expect(load({ ...env, TEMPORAL_TLS: 'false' }).temporal.tls).toBe(false)
  })

  it('takes certificates by absolute path, in pairs, from files that are there', () => {
    writeFileSync(join(cwd, 'c.pem'), '')
    const env = { TEMPORAL_ADDRESS: '[::1]:7233', TEMPORAL_TLS_CLIENT_CERT_PATH: 'c.pem' }
    expect(load({ ...env, TEMPORAL_TLS_CLIENT_KEY_DATA: 'PEM' }).temporal.tls).toMatchObject({
      client_cert_path: join(cwd, 'c.pem'),
      client_key_data: 'PEM',
    })
    expect(faults(env)).toHaveLength(1)
    expect(faults({ ...env, TEMPORAL_TLS_CLIENT_KEY_PATH: 'k.pem' })).toEqual([
      `Cannot start: 'TEMPORAL_TLS_CLIENT_KEY_PATH' must be a file, got '${join(cwd, 'k.pem')}'`,
    ])
  })

  it.each(['localhost', 'http://localhost:7233', 'localhost:0', 'a b:1', '::1:7233'])('is not at %s', (address) => {
    expect(faults({ TEMPORAL_ADDRESS: address })).toHaveLength(1)
  })
})

it.each(['127.0.0.1', '127.9.9.9', 'localhost', 'LOCALHOST.', 'muxi.localhost', '::1', '[::1]'])(
  '%s is loopback',
  (host) => {
    expect([isLoopbackHost(host), isLocalHost(host)]).toEqual([true, true])
  },
)

it.each(['10.1.2.3', '172.31.0.1', '192.168.0.1', 'ollama', 'gpu.local', 'host.docker.internal', '[fd00::1]'])(
  '%s is local',
  (host) => {
    expect([isLoopbackHost(host), isLocalHost(host)]).toEqual([false, true])
  },
)

it.each([
  '0.0.0.0',
  '8.8.8.8',
  '172.32.0.1',
  'localhost.evil.com',
  '127.0.0.1.evil.com',
  '[2001:db8::1]',
  'api.openai.com',
])('%s is neither', (host) => {
  expect([isLoopbackHost(host), isLocalHost(host)]).toEqual([false, false])
})
