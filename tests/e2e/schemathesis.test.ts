// Requests generated from the OpenAPI document by schemathesis, one by one and in sequences, with all of its checks.
import { execFile } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { beforeAll, describe, expect, it } from 'vitest'
import { pythonWith } from '../support/python.ts'
import { openStage, type Muxi, type Stage } from '../support/stage.ts'
import { keeps } from './requirements.ts'

const SEED = 11
const EXAMPLES = 10
/** In seconds. Every stream that these requests can open ends by itself. */
const REQUEST_S = 20
const RUN_MS = 240_000
/** Operations that answer 502 when a program or server outside muxi fails, as the API contract has it. */
const UPSTREAM = ['POST /api/v1/audio/speech', 'POST /api/v1/agents/{agent_id}/mcp_servers']
/** How often an id in a body is one that exists. */
const KNOWN_IDS = 0.8

const onDeno = process.env['MUXI_TEST_RUNTIME'] === 'deno'
if (onDeno) console.log('schemathesis.test.ts is skipped on Deno: it would send the same requests again for a minute')

let stage: Stage
let muxi: Muxi
let python: string

const post = async (path: string, body?: object) =>
  (await stage.call(muxi.url, path, { method: 'POST', ...(body && { body }) })).body

/** The configuration of schemathesis for one operation. */
interface Operation {
  /** Such as `GET /healthz`. */
  name: string
  /** Values of path parameters. */
  path: Record<string, string>
  /** Ids that fields of the body mostly have. */
  body: Record<string, string>
  headers: ReadonlyMap<string, string>
}

/** What operations need to reach beyond "not found". What they delete or rotate is used by no other, and is never the key in use. */
async function operations(): Promise<Operation[]> {
  const conversation = () => stage.conversation(muxi.url, { agent_id: 'offline' })
  const key = async () => (await post('/api/v1/keys', { name: 'spare', scopes: ['chat'] })).id as string
  const file = (name: string) => stage.upload(muxi.url, name, 'Tea is grown in Assam.')
  const [conversation_id, file_id] = [await conversation(), await file('tea.txt')]
  const routed = (await post('/api/v1/conversations', {})).id as string
  const turn_id = (await post('/api/v1/agents/offline/chat', { content: 'Hello' })).turn_id as string
  const job_id = (await post('/api/v1/jobs', { kind: 'document', file_id })).id as string
  await (
    await stage.followJob(muxi.url, job_id)
  ).ended
  const shared = { agent_id: 'offline', turn_id, job_id, conversation_id, file_id }
  const own: Record<string, Record<string, string>> = {
    'DELETE /api/v1/conversations/{conversation_id}': { conversation_id: await conversation() },
    'DELETE /api/v1/files/{file_id}': { file_id: await file('unused.txt') },
    'DELETE /api/v1/keys/{key_id}': { key_id: await key() },
    'POST /api/v1/keys/{key_id}/rotate': { key_id: await key() },
  }
  const { body: document } = await stage.call(muxi.url, '/openapi.json')
  const names = Object.entries(document.paths as Record<string, object>).flatMap(([path, methods]) =>
    Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`),
  )
  return names.map((name) => ({
    name,
    path: Object.fromEntries(Object.entries({ ...shared, ...own[name] }).filter(([id]) => name.includes(`{${id}}`))),
    body: {
      ...(/chat/.test(name) && {
        conversation_id: name.includes('{agent_id}') ? conversation_id : routed,
        'attachments[*].file_id': file_id,
      }),
      ...(name === 'POST /api/v1/jobs' && { file_id }),
      ...(name === 'POST /mcp' && { 'params.name': 'offline' }),
    },
    // The MCP transport refuses clients that do not accept both.
    headers: new Map(name.endsWith(' /mcp') ? [['accept', 'application/json, text/event-stream']] : []),
  }))
}

function writeConfig(list: Operation[]): string {
  const text = JSON.stringify
  const sections = list.map(({ name, path, body, headers }) => [
    '[[operations]]',
    `include-name = ${text(name)}`,
    '[operations.headers]',
    ...[...headers].map(([header, value]) => `${text(header)} = ${text(value)}`),
    ...(UPSTREAM.includes(name)
      ? ['[operations.checks.not_a_server_error]', "expected-statuses = ['2xx', '4xx', 502]"]
      : []),
    '[operations.parameters]',
    ...Object.entries(path).map(([id, value]) => `${text(`path.${id}`)} = ${text(value)}`),
    ...Object.entries(body).map(
      ([field, id]) => `${text(`body.${field}`)} = { dictionary = ${text(id)}, probability = ${KNOWN_IDS} }`,
    ),
  ])
  const ids = new Set(list.flatMap(({ body }) => Object.values(body)))
  const dictionaries = ['[dictionaries]', ...[...ids].map((id) => `${text(id)} = { values = [${text(id)}] }`)]
  const file = join(stage.folder, 'schemathesis.toml')
  writeFileSync(file, [...dictionaries, ...sections.flat(), ''].join('\n'))
  return file
}

const UNFINISHED = `select id from turns where status not in ('completed', 'failed', 'cancelled')
  union all select id from jobs where status not in ('completed', 'failed', 'cancelled')`

/** @returns its exit code and its report */
async function schemathesis(
  command: string[],
  options: Record<string, string | number>,
): Promise<{ code: number; report: string }> {
  const flags = Object.entries(options).map(([name, value]) => `--${name}=${value}`)
  const args = ['-m', 'schemathesis.cli', ...command, ...flags, '--no-shrink', '--continue-on-failure']
  return new Promise((resolve) => {
    const limits = { cwd: stage.folder, timeout: RUN_MS, maxBuffer: 64 * 2 ** 20 }
    execFile(python, [...args, `${muxi.url}/openapi.json`], limits, (error, stdout, stderr) =>
      resolve({ code: error === null ? 0 : Number(error.code ?? -1), report: `${stdout}${stderr}` }),
    )
  })
}

describe.skipIf(onDeno)('requests generated from the OpenAPI document', () => {
  beforeAll(async () => {
    // No generated request may start a program, and all messages go to the agent that needs no model.
    const routing = { MUXI_DEFAULT_AGENT: 'offline', MUXI_ROUTING_THRESHOLD_PERCENT: '100' }
    stage = await openStage({ env: { MUXI_MCP_COMMANDS: 'none', ...routing } })
    const requirements = fileURLToPath(new URL('../support/schemathesis.txt', import.meta.url))
    ;[python, muxi] = await Promise.all([pythonWith('schemathesis', requirements), stage.start('all')])
    return () => stage.close()
  }, 300_000)

  it(
    keeps('fuzz.requests', `${EXAMPLES} examples an operation, seed ${SEED}`),
    async () => {
      const tested = await operations()
      const { code, report } = await schemathesis(['--no-color', `--config-file=${writeConfig(tested)}`, 'run'], {
        checks: 'all',
        phases: 'examples,coverage,fuzzing,stateful',
        'max-examples': EXAMPLES,
        seed: SEED,
        'generation-database': 'none',
        header: `Authorization: Bearer ${stage.key}`,
        'request-timeout': REQUEST_S,
        'suppress-health-check': 'all',
        warnings: 'off',
      })
      expect(code, report).toBe(0)
      expect(report).toContain(`Tested: ${tested.length}`)
      console.log(report.trim().split('\n').at(-1))

      expect([muxi.child.exitCode, muxi.child.signalCode]).toEqual([null, null])
      expect(muxi.logs().filter(({ level }) => level >= 50)).toEqual([])
      // The key was good for all of it, and requests got as far as the rows.
      expect((await stage.call(muxi.url, '/api/v1/keys')).status).toBe(200)
      const [{ made } = {}] = await stage.rows('select count(*) as made from conversations')
      expect(Number(made)).toBeGreaterThan(5)
      await expect.poll(() => stage.rows(UNFINISHED), { timeout: 60_000 }).toEqual([])
      await stage.check()
    },
    RUN_MS,
  )
})
