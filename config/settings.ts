// The settings: read from the environment, checked once at the start and frozen.
import { statSync } from 'node:fs'
import { isIP } from 'node:net'
import { join, resolve } from 'node:path'
import { parseBlobUrl } from '../contracts/blob-url.ts'
import { isLoopbackHost } from '../contracts/hosts.ts'
import { SQLITE_FILE } from '../contracts/main-database.ts'
import type { ProviderSettings, ProvidersSettings } from '../contracts/model-check.ts'
import type { RateLimits } from '../contracts/rate-limits.ts'
import { VENDOR_NAMES, vendorOf } from '../contracts/vendors.ts'
import { ENGINE, type EngineSettings, LIMITS, type Limits, RETENTION, type Retention } from './defaults.ts'
import { checkEdge, readEdge, type EdgeSettings } from './edge-settings.ts'
import { type Environment, readEnvironment } from './environment.ts'
import { readRateLimits } from './rate-settings.ts'
import { readBudgets, type BudgetSettings } from './budget-settings.ts'
import { readRouting, type RoutingSettings } from './routing-settings.ts'
import { databaseName, readLongTermMemory } from './memory-settings.ts'
import { SettingReader } from './setting-reader.ts'
import { SettingsError } from './settings-error.ts'
import { readTemporal, type TemporalSettings } from './temporal-settings.ts'

export { SettingsError }

const ROLES = ['all', 'api', 'worker'] as const
const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const
const LAUNCHERS = ['node', 'npx', 'deno', 'python3', 'uvx']

export type Role = (typeof ROLES)[number]
export type LogLevel = (typeof LOG_LEVELS)[number]

export interface Settings {
  readonly host: string
  readonly port: number
  readonly public_url?: string
  readonly edge: EdgeSettings
  /** Absolute, like all folders here. */
  readonly data_dir: string
  readonly agents_dir: string
  readonly knowledge_dirs: readonly string[]
  /** `true`: generate one and print it once; `false`: no authentication. */
  readonly api_key: boolean | string
  readonly allow_no_auth: boolean
  readonly secret_key?: string
  /** Names of variables that `${NAME}` may read in secret fields over the API. */
  readonly api_env: readonly string[]
  readonly log_level: LogLevel
  readonly role: Role
  readonly temporal: TemporalSettings
  readonly database_url?: string
  /** Whether agents that do not say so have long-term memory. */
  readonly long_term_memory: boolean
  readonly blob_url?: string
  /** Omitted: the AWS default credential chain (profiles, instance roles). */
  readonly blob_credentials?: { access_key_id: string; secret_access_key: string; session_token?: string }
  readonly providers: ProvidersSettings
  /** What the operator says of models: prices, context windows, pictures. */
  readonly models_file?: string
  /** Programs that an MCP server may run; `*` allows any. */
  readonly mcp_commands: readonly string[]
  readonly allow_private_urls: boolean
  readonly limits: Limits
  readonly rate_limits: RateLimits
  readonly engine: EngineSettings
  readonly offline_words_per_second: number
  /** How the orchestrator chooses agents. */
  readonly routing: RoutingSettings
  /** Of keys and users without a budget of their own. */
  readonly budgets: BudgetSettings
  /** `local`, `local-model:<folder or package>` or `<provider>:<model>[@dimension]`; default: the provider's when there is a key, else local. */
  readonly embedding_model?: string
  /** `none`, `local`, `openai:<model>`, `deepgram:<model>` or the address of a server; default: the first available. */
  readonly transcription?: string
  /** `espeak-ng` or `openai:<model>`; default: OpenAI's when its key is set, else espeak-ng. */
  readonly speech?: string
  readonly deepgram: ProviderSettings
  readonly retention: Retention
}

/** Reads the settings from `env` and the `.env` file in `cwd`, or throws a `SettingsError` that lists every fault. */
export function loadSettings(env: Environment, { cwd = process.cwd() }: { cwd?: string } = {}): Settings {
  const read = new SettingReader(readEnvironment(env, cwd))
  const host =
    read.matching('MUXI_HOST', isHost, 'an IP address or a host name, without brackets or a port') ?? '127.0.0.1'
  const onLoopback = isLoopbackHost(host)
  const data_dir = resolve(cwd, read.text('MUXI_DATA_DIR') ?? 'data')
  const database_url = readUrl(read, databaseName(read), ['postgres:', 'postgresql:'])
  const settings: Settings = {
    host,
    port: read.integer('MUXI_PORT', { min: 1, max: 65_535 }, 5050),
    public_url: read.url('MUXI_PUBLIC_URL'),
    edge: readEdge(read, cwd),
    data_dir,
    agents_dir: resolve(cwd, read.text('MUXI_AGENTS_DIR') ?? 'agents'),
    knowledge_dirs: (read.list('MUXI_KNOWLEDGE_DIRS') ?? []).map((dir) => resolve(cwd, dir)),
    api_key: readApiKey(read),
    allow_no_auth: read.flag('MUXI_ALLOW_NO_AUTH', false),
    secret_key: read.secret(
      'MUXI_SECRET_KEY',
      (key) => key.length >= 32,
      'at least 32 characters, for instance from: openssl rand -hex 32',
    ),
    api_env: read.list('MUXI_API_ENV') ?? [],
    log_level: read.oneOf('MUXI_LOG_LEVEL', LOG_LEVELS, 'info'),
    role: read.oneOf('MUXI_ROLE', ROLES, 'all'),
    temporal: readTemporal(read, cwd),
    database_url,
    long_term_memory: readLongTermMemory(read, { database_url, sqlite_file: join(data_dir, SQLITE_FILE) }, cwd),
    blob_url: readBlobUrl(read),
    blob_credentials: readBlobCredentials(read),
    providers: readProviders(read),
    models_file: readModelsPath(read, cwd),
    mcp_commands: read.list('MUXI_MCP_COMMANDS') ?? (onLoopback ? LAUNCHERS : []),
    allow_private_urls: read.flag('MUXI_ALLOW_PRIVATE_URLS', onLoopback),
    limits: read.numbers('MUXI_LIMIT_', LIMITS, { min: 1, max: 2 ** 40 }),
    rate_limits: readRateLimits(read),
    engine: read.numbers('MUXI_ENGINE_', ENGINE, { min: 1, max: 2 ** 31 - 1 }),
    offline_words_per_second: read.integer('MUXI_OFFLINE_WORDS_PER_SECOND', { min: 1, max: 100_000 }, 40),
    routing: readRouting(read),
    budgets: readBudgets(read),
    embedding_model: read.matching(
      'MUXI_EMBEDDING_MODEL',
      (choice) => /^(local|local-model:.+|[a-z]+:[^@\s]+(@\d+)?)$/.test(choice),
      "'local', 'local-model:' and a folder or package, or a provider and its model, such as openai:text-embedding-3-small@384",
    ),
    transcription: read.matching(
      'MUXI_TRANSCRIPTION',
      (choice) => /^(none|local|(openai|deepgram):\S+|https?:\/\/[^\s#]+(#\S+)?)$/.test(choice),
      "'none', 'local', 'openai:' or 'deepgram:' and a model, or the address of a server, such as http://gpu:8000/v1#whisper-1",
    ),
    speech: read.matching(
      'MUXI_SPEECH',
      (choice) => /^(espeak-ng|openai:\S+)$/.test(choice),
      "'espeak-ng', or 'openai:' and a model, such as openai:gpt-4o-mini-tts",
    ),
    deepgram: readProvider(read, 'DEEPGRAM'),
    retention: read.numbers('MUXI_RETENTION_', RETENTION, { min: 1, max: 36_500 }),
  }
  checkTogether(settings, read)
  if (read.faults.length > 0) throw new SettingsError(read.faults)
  return deepFreeze(settings)
}

/** Checks across settings. */
function checkTogether(settings: Settings, read: SettingReader): void {
  if (settings.api_key === false && !isLoopbackHost(settings.host) && !settings.allow_no_auth) {
    read.fault(
      'MUXI_HOST',
      "a loopback address while MUXI_API_KEY is 'false' (MUXI_ALLOW_NO_AUTH=yes lifts this)",
      `'${settings.host}'`,
    )
  }
  if (settings.role !== 'worker') checkEdge(read, settings.host, settings.edge)
  // Two processes over one SQLite folder share its key and its blobs; over one Postgres they may be on two machines.
  if (read.text(databaseName(read)) !== undefined && settings.role !== 'all') {
    for (const name of ['MUXI_SECRET_KEY', 'BLOB_URL']) {
      if (read.text(name) === undefined)
        read.fault(
          name,
          `set and the same everywhere, because MUXI_ROLE is '${settings.role}' on a shared database`,
          'nothing',
        )
    }
  }
  for (const name of settings.api_env) {
    if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(name))
      read.fault('MUXI_API_ENV', 'a comma list of names of variables', `'${name}'`)
  }
  const folder = read.text('MUXI_AGENTS_DIR')
  if (folder !== undefined && !isFolder(settings.agents_dir))
    read.fault('MUXI_AGENTS_DIR', 'a folder that exists', `'${settings.agents_dir}'`)
  for (const dir of settings.knowledge_dirs) {
    if (!isFolder(dir)) read.fault('MUXI_KNOWLEDGE_DIRS', 'a comma list of folders that exist', `'${dir}'`)
  }
}

function readApiKey(read: SettingReader): boolean | string {
  const word = read.text('MUXI_API_KEY')?.toLowerCase()
  if (word === undefined || word === 'true') return true
  if (word === 'false') return false
  return (
    read.secret(
      'MUXI_API_KEY',
      (key) => /^[\x21-\x7e]{8,}$/.test(key),
      "'true', 'false' or a key of at least 8 visible characters without spaces",
    ) ?? true
  )
}

/** An address that may contain a password, so faults report only its scheme. */
function readUrl(read: SettingReader, name: string, schemes: string[]): string | undefined {
  const value = read.text(name)
  // Postgres over a Unix socket has no host: postgresql://user:password@/database?host=/folder.
  const parsed = value === undefined ? null : URL.parse(value.replace('@/', '@localhost/'))
  const scheme = parsed?.protocol
  if (value === undefined || (scheme !== undefined && schemes.includes(scheme))) return value
  const known = scheme !== undefined && value.startsWith(`${scheme}//`)
  read.fault(
    name,
    `an address that begins with ${schemes.map((each) => `${each}//`).join(' or ')}`,
    known ? `one that begins with ${scheme}//` : 'something else',
  )
  return undefined
}

/** The value may be a misplaced credential, so faults do not report it. */
function readBlobUrl(read: SettingReader): string | undefined {
  const value = read.text('BLOB_URL')
  const parsed = value === undefined ? undefined : parseBlobUrl(value)
  if (!parsed || 'place' in parsed) return value
  read.fault('BLOB_URL', parsed.expected, 'something else')
  return undefined
}

/** Both parts, or neither: then the AWS default credential chain is used. */
function readBlobCredentials(read: SettingReader): Settings['blob_credentials'] {
  const access_key_id = read.secret('AWS_ACCESS_KEY_ID')
  const secret_access_key = read.secret('AWS_SECRET_ACCESS_KEY')
  const session_token = read.secret('AWS_SESSION_TOKEN')
  if (access_key_id === undefined || secret_access_key === undefined) return undefined
  return { access_key_id, secret_access_key, ...(session_token !== undefined && { session_token }) }
}

function readModelsPath(read: SettingReader, cwd: string): string | undefined {
  const given = read.text('MUXI_MODELS_FILE')
  if (given === undefined) return undefined
  const path = resolve(cwd, given)
  if (!statSync(path, { throwIfNoEntry: false })?.isFile())
    read.fault('MUXI_MODELS_FILE', 'a file that exists', `'${path}'`)
  return path
}

function readProviders(read: SettingReader): ProvidersSettings {
  const settings = VENDOR_NAMES.map((name) => [name, readProvider(read, vendorOf(name).prefix)] as const)
  return Object.fromEntries(settings) as unknown as ProvidersSettings
}

function readProvider(read: SettingReader, name: string): ProviderSettings {
  return { api_key: read.secret(`${name}_API_KEY`), base_url: read.url(`${name}_BASE_URL`) }
}

function isHost(value: string): boolean {
  return isIP(value) !== 0 || /^[A-Za-z0-9._-]*[A-Za-z][A-Za-z0-9._-]*$/.test(value)
}

function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false
}

function deepFreeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null) Object.values(Object.freeze(value)).forEach(deepFreeze)
  return value
}
