// Everything that an e2e test needs around muxi's processes: a folder, a Temporal server, a scripted model, agents, and clients.
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { pathToFileURL } from 'node:url'
import { connectOrThrow } from '../../temporal-config/connection.ts'
import { type DevServer, serverFiles, startDevServer } from '../../temporal-config/dev-server.ts'
import { ensureNamespace } from '../../temporal-config/namespace.ts'
import { findServers } from '../../temporal-config/server-processes.ts'
import { INSTALLED_CACHE, workflowBundle } from '../../workers/workflow-bundle.ts'
import { checkAnswersOf } from './api-check.ts'
import { type Child, cleanEnvironment, killWithUs, type Runtime, startChild } from './children.ts'
import { freePort } from './free-port.ts'
import { checkInvariants, type Expectations } from './invariants.ts'
import { type PostgresServer, startPostgres } from './postgres.ts'
import { type Place, readRows, type Row, writeRows } from './rows.ts'
import { ScriptedModel } from './scripted-model.ts'
import { SseClient } from './sse-client.ts'
import { temporalBinary } from './temporal-binary.ts'
import { WsClient } from './ws-client.ts'

/** Planted as the model's credential: must turn up nowhere but at the model. */
export const MODEL_KEY = 'sk-planted-8d1f6f0c2b7e4a95'

/** What processes on several machines have to share. */
const SECRET_KEY = Buffer.alloc(32, 'muxi').toString('base64')

type Role = 'all' | 'api' | 'worker'
export type DatabaseName = 'sqlite' | 'postgres'

export interface StageOptions {
  /** `postgres`: a server of the stage's own, which a test may kill. */
  database?: DatabaseName
  /** Further settings of every process. */
  env?: Record<string, string>
  /** Agent files besides `scripted` (the scripted model), by file name. */
  agents?: Record<string, object>
  /** Without a Temporal server of its own: for tests that start the supervisor. */
  withoutTemporal?: boolean
}

export interface StartOptions {
  env?: Record<string, string>
  port?: number
  runtime?: Runtime
}

/** A muxi process that serves. */
export interface Muxi extends Child {
  role: Role
  url: string
  /** What it wrote to stderr as JSON lines, and what it wrote there besides. */
  logs(): { level: number; msg: string; [name: string]: unknown }[]
}

/** The supervisor with everything it started. */
export interface Product extends Child {
  url: string
  /** Of its app. */
  logs: Muxi['logs']
  /** Kills the supervisor, the Temporal server and the app at once with -9. */
  killAll(): Promise<void>
  appPid(): number
}

export async function openStage(options: StageOptions = {}): Promise<Stage> {
  const folder = mkdtempSync(join(tmpdir(), 'muxi-e2e-'))
  const model = await ScriptedModel.start()
  const stage = new Stage(folder, model, options)
  if (options.database === 'postgres') await stage.startPostgres()
  // Before the processes that need the bundle: each would make it on its own.
  await Promise.all([workflowBundle(INSTALLED_CACHE), options.withoutTemporal ? undefined : stage.startTemporal()])
  return stage
}

export class Stage {
  readonly folder: string
  readonly dataDir: string
  readonly agentsDir: string
  readonly countFile: string
  readonly model: ScriptedModel
  temporal: DevServer | undefined
  postgres: PostgresServer | undefined
  key = ''
  readonly #env: Record<string, string>
  readonly #children: Child[] = []
  #databaseUrl: string | undefined
  #checked = { turn: '', job: '', calls: 0 }

  constructor(folder: string, model: ScriptedModel, { env = {}, agents = {} }: StageOptions) {
    this.folder = folder
    this.dataDir = join(folder, 'data')
    this.agentsDir = join(folder, 'agents')
    this.countFile = join(folder, 'counted')
    this.model = model
    this.#env = env
    mkdirSync(this.agentsDir)
    writeFileSync(this.countFile, '')
    const scripted = {
      description: 'Says what a test scripted.',
      system_message: 'You say what the test scripted.',
      model: { provider: 'openai', model: 'gpt-4.1-mini' },
    }
    const offline = { ...scripted, description: 'Needs no model.', model: { provider: 'offline', model: 'offline' } }
    for (const [name, agent] of Object.entries({ scripted, offline, ...agents })) {
      writeFileSync(join(this.agentsDir, `${name}.json`), JSON.stringify(agent))
    }
  }

  async startPostgres(): Promise<void> {
    this.postgres = await startPostgres()
    this.#databaseUrl = await this.postgres.createDatabase()
  }

  async startTemporal(): Promise<void> {
    await this.#startTemporal({ port: await freePort(), uiPort: await freePort() })
    const connection = await connectOrThrow(this.temporal!, { patience_ms: 60_000 })
    await ensureNamespace(connection, { namespace: 'default', history_days: 30 })
    await connection.close()
  }

  /** Starts the Temporal server again, where the killed one was. */
  async restartTemporal(): Promise<void> {
    await this.#startTemporal(this.temporal!)
  }

  async #startTemporal({ port, uiPort }: { port: number; uiPort: number }): Promise<void> {
    this.temporal = await startDevServer({
      binary: await temporalBinary(),
      dataDir: this.dataDir,
      codecEndpoint: undefined,
      port,
      uiPort,
      env: cleanEnvironment(),
    })
    void this.temporal.ended.then(killWithUs(this.temporal.pid))
  }

  /** The settings that all processes share. */
  env(): Record<string, string> {
    return {
      MUXI_DATA_DIR: this.dataDir,
      MUXI_AGENTS_DIR: this.agentsDir,
      OPENAI_BASE_URL: this.model.baseUrl,
      OPENAI_API_KEY: MODEL_KEY,
      MUXI_OFFLINE_WORDS_PER_SECOND: '100000',
      MUXI_LIMIT_TURNS_PER_USER: '1000',
      MUXI_LIMIT_TURNS_PER_KEY: '1000',
      MUXI_RATE_CHAT: 'off',
      MUXI_RATE_WRITE: 'off',
      MUXI_RATE_READ: 'off',
      MUXI_RATE_WRONG_KEY: 'off',
      MUXI_TEST_COUNT_FILE: this.countFile,
      ...(this.#databaseUrl !== undefined && {
        DATABASE_URL: this.#databaseUrl,
        MUXI_SECRET_KEY: SECRET_KEY,
        BLOB_URL: pathToFileURL(join(this.dataDir, 'blobs')).href,
      }),
      ...(this.temporal && { TEMPORAL_ADDRESS: this.temporal.address, TEMPORAL_UI_URL: this.temporal.uiUrl }),
      ...this.#env,
    }
  }

  /** Starts a process with the counting tools and waits until it serves. */
  async start(role: Role, options: StartOptions = {}): Promise<Muxi> {
    const port = options.port ?? (await freePort())
    const child = startChild({
      script: 'tests/support/process-with-tools.ts',
      args: [role],
      env: { ...this.env(), MUXI_PORT: String(port), ...options.env },
      cwd: this.folder,
      runtime: options.runtime,
    })
    this.#children.push(child)
    const [, announced = '{}'] = await child.says(/^ready (.*)$/m)
    const { url = '', key } = JSON.parse(announced) as { url?: string; key?: string }
    if (key !== undefined) this.key = key
    if (url !== '') checkAnswersOf(url)
    return { ...child, role, url, logs: () => parseLogs(child.stderr()) }
  }

  /** Starts the real supervisor, as `npm start` does, and waits until it serves. */
  async startProduct({ port, env }: { port: number; env?: Record<string, string> }): Promise<Product> {
    const child = startChild({
      script: 'cli/muxi.mjs',
      args: ['serve'],
      env: { ...this.env(), MUXI_PORT: String(port), ...env },
      cwd: this.folder,
    })
    this.#children.push(child)
    await child.says(/chat\/stream/, { ms: 90_000 })
    const key = /API key +(\S+)/.exec(child.stdout())?.[1]
    if (key !== undefined) this.key = key
    checkAnswersOf(`http://127.0.0.1:${port}`)
    const appPid = () => {
      const [pid] = childrenOf(child.pid).filter((each) => !this.serverPids().includes(each))
      if (pid === undefined) throw new Error('the supervisor has no app process')
      return pid
    }
    return {
      ...child,
      url: `http://127.0.0.1:${port}`,
      appPid,
      logs: () => parseLogs(child.stderr()),
      killAll: async () => {
        for (const pid of [child.pid, appPid(), ...this.serverPids()]) process.kill(pid, 'SIGKILL')
        await child.ended
      },
    }
  }

  /** The Temporal servers on this folder. */
  serverPids(): number[] {
    return findServers(serverFiles(this.dataDir).db).map(({ pid }) => pid)
  }

  /** One request to the API with the key of the stage, or another one. */
  async call(url: string, path: string, { key = this.key, body, ...init }: CallOptions = {}): Promise<Answer> {
    const headers = { ...this.#headers(key, body), ...(init.headers as Record<string, string> | undefined) }
    const text =
      typeof body === 'string' || body instanceof Uint8Array
        ? body
        : body === undefined
          ? undefined
          : JSON.stringify(body)
    const response = await fetch(`${url}${path}`, {
      method: body === undefined ? 'GET' : 'POST',
      ...init,
      headers,
      ...(text !== undefined && { body: text as BodyInit }),
    })
    const answered = await response.text()
    const json = response.headers.get('content-type')?.includes('json') ? JSON.parse(answered) : undefined
    return { status: response.status, headers: response.headers, text: answered, body: json }
  }

  /** Sends a message and follows its events. @param more.agent `auto` for the orchestrator */
  chat(
    url: string,
    content: string,
    more: { agent?: string; key?: string; headers?: Record<string, string>; [field: string]: unknown } = {},
  ): Promise<SseClient> {
    const { agent = 'scripted', key = this.key, headers = {}, ...fields } = more
    const body = JSON.stringify({ content, ...fields })
    const to = agent === 'auto' ? '/chat' : `/agents/${agent}/chat`
    return SseClient.open(`${url}/api/v1${to}/stream`, {
      method: 'POST',
      headers: { ...this.#headers(key, body), ...headers },
      body,
    })
  }

  /** Follows a turn, from its start or after an event. */
  follow(url: string, turnId: string, after?: number, key = this.key): Promise<SseClient> {
    const headers = { ...this.#headers(key), ...(after !== undefined && { 'last-event-id': String(after) }) }
    return SseClient.open(`${url}/api/v1/turns/${turnId}/stream`, { headers })
  }

  /** Uploads a file. @returns its id */
  async upload(url: string, name: string, bytes: Uint8Array | string, key = this.key): Promise<string> {
    const body = new FormData()
    body.set('file', new Blob([bytes as Uint8Array<ArrayBuffer>]), name)
    const headers = this.#headers(key)
    const response = await fetch(`${url}/api/v1/files`, {
      method: 'POST',
      headers,
      body,
      signal: AbortSignal.timeout(60_000),
    })
    if (response.status !== 201) throw new Error(`not uploaded: ${await response.text()}`)
    return ((await response.json()) as { id: string }).id
  }

  /** Follows a job, from its start or after an event. */
  followJob(url: string, jobId: string, after?: number): Promise<SseClient> {
    const headers = { ...this.#headers(this.key), ...(after !== undefined && { 'last-event-id': String(after) }) }
    return SseClient.open(`${url}/api/v1/jobs/${jobId}/stream`, { headers })
  }

  socket(url: string, key = this.key): Promise<WsClient> {
    return WsClient.open(`${url}/api/v1/ws`, { authorization: `Bearer ${key}` })
  }

  /** A conversation of its own, so that tests do not wait for each other. */
  async conversation(url: string, fields: { agent_id?: string; user_id?: string } = {}): Promise<string> {
    const { body, status, text } = await this.call(url, '/api/v1/conversations', {
      body: { agent_id: 'scripted', ...fields },
    })
    if (status !== 201) throw new Error(`no conversation: ${text}`)
    return body.id
  }

  async turn(url: string, turnId: string) {
    return (await this.call(url, `/api/v1/turns/${turnId}`)).body
  }

  /** What the counting tools have counted, in order. */
  counted(): string[] {
    return readFileSync(this.countFile, 'utf8').split('\n').filter(Boolean)
  }

  /** Lets tools that are held return, those that run and those to come. */
  releaseTools(): void {
    writeFileSync(`${this.countFile}.released`, '')
  }

  /** Rows of the database, for what no route shows. */
  rows(statement: string, ...parameters: string[]): Promise<Row[]> {
    return readRows(this.place(), (ask) => ask(statement, ...parameters))
  }

  /** Runs statements that change the database, for what no route changes. */
  async write(statements: string[] | Record<DatabaseName, string[]>): Promise<void> {
    const place = this.place()
    const name = 'file' in place ? 'sqlite' : 'postgres'
    await writeRows(place, Array.isArray(statements) ? statements : statements[name])
  }

  /** Checks what must be true of every turn and job since the last check, once they are over: one fault fails one test. */
  async check(expectations: Omit<Expectations, 'after' | 'modelCalls'> = {}): Promise<void> {
    const { turn, job, calls } = this.#checked
    const [last] = await this.rows('select (select max(id) from turns) as turn, (select max(id) from jobs) as job')
    this.#checked = {
      turn: String(last?.['turn'] ?? ''),
      job: String(last?.['job'] ?? ''),
      calls: this.model.calls(),
    }
    const modelCalls = this.#checked.calls - calls
    const after = { turn, job }
    await checkInvariants(this.place(), { after, modelCalls, counted: this.counted(), ...expectations })
  }

  /** Where the database is. */
  place(): Place {
    return this.#databaseUrl === undefined ? { file: join(this.dataDir, 'muxi.db') } : { url: this.#databaseUrl }
  }

  async close(): Promise<void> {
    await Promise.all(this.#children.map((child) => child.kill()))
    for (const pid of this.serverPids()) process.kill(pid, 'SIGKILL')
    while (this.serverPids().length > 0) await sleep(20)
    await this.postgres?.stop()
    await this.model.stop()
    if (existsSync(this.folder)) rmSync(this.folder, { recursive: true, force: true, maxRetries: 5 })
  }

  #headers(key: string, body?: unknown): Record<string, string> {
    return {
      ...(key !== '' && { authorization: `Bearer ${key}` }),
      ...(body !== undefined && { 'content-type': 'application/json' }),
    }
  }
}

export interface CallOptions extends Omit<RequestInit, 'body'> {
  key?: string
  /** Sent as JSON, unless it is text or bytes. */
  body?: unknown
}

export interface Answer {
  status: number
  headers: Headers
  text: string
  // oxlint-disable-next-line typescript/no-explicit-any -- what a test looks at is up to the test
  body: any
}

function parseLogs(text: string): ReturnType<Muxi['logs']> {
  return text
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line))
}

/** Linux only, as the tests that need it. */
export function childrenOf(pid: number): number[] {
  return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ').filter(Boolean).map(Number)
}
