// Requests generated from the OpenAPI document by schemathesis, one by one and in sequences, with all of its checks.
import { execFile } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect } from 'vitest'
import { pythonWith } from './python.ts'
import { openStage, type Muxi, type Stage } from './stage.ts'

/** In seconds. Every stream that these requests can open ends by itself, or in `schemathesis_hooks.py`. */
const REQUEST_S = 20
/** Operations that answer 502 when a model, program or server outside muxi fails, as the API contract has it. */
const UPSTREAM = [
  'POST /api/v1/audio/speech',
  'POST /v1/audio/speech',
  'POST /v1/chat/completions',
  'POST /api/v1/agents/{agent_id}/mcp_servers',
  'POST /api/v1/agents/{agent_id}/chat',
  'POST /api/v1/chat',
]
/**
 * Statuses with which operations may refuse what fits their schema, besides 401, 403, 404, 409 and 429, each for a rule that no schema
 * can say.
 */
const WITH_RULES: Record<string, number[]> = {
  // At most one of `cursor`, `after` and `around`.
  'GET /api/v1/conversations/{conversation_id}/messages': [400],
  // What only files of agents may have; settings of MCP servers, and addresses and programs that are looked up.
  'POST /api/v1/agents': [400, 422],
  'POST /api/v1/agents/import': [400, 422],
  'PATCH /api/v1/agents/{agent_id}': [400, 422],
  'POST /api/v1/agents/{agent_id}/mcp_servers': [400, 422, 502],
  ...Object.fromEntries(
    // Neither content nor attachments, more of them than the server is set to take, files that are not what they are called.
    ['', '/stream', '/ui'].flatMap((end) =>
      ['POST /api/v1/agents/{agent_id}/chat', 'POST /api/v1/chat'].map((path) => [
        `${path}${end}`,
        [400, 413, 415, 422],
      ]),
    ),
  ),
  // The offline model's answers have no form that a caller could ask for.
  'POST /api/v1/agents/{agent_id}/chat': [400, 413, 415, 422, 502],
  'POST /api/v1/chat': [400, 413, 415, 422, 502],
  // A file or a text, not both.
  'POST /api/v1/agents/{agent_id}/knowledge': [400, 413, 415, 422],
  // Voices that the synthesizer does not have.
  'POST /api/v1/audio/speech': [400, 502],
  'POST /v1/audio/speech': [400, 502],
  // Bytes that are no recording.
  'POST /api/v1/audio/transcriptions': [400, 415, 422],
  'POST /v1/audio/transcriptions': [400, 415, 422],
  // Forms without a file.
  'POST /api/v1/files': [400, 415, 422],
  // What a kind of job may have, such as the only running one of its kind.
  'POST /api/v1/jobs': [400, 413, 415, 422],
  // A cursor of another `group_by`.
  'GET /api/v1/usage': [400],
  // Networks in CIDR notation, a time in the future.
  'POST /api/v1/keys': [400],
  // Decisions that this call allows, and arguments that its tool takes.
  'POST /api/v1/turns/{turn_id}/approvals/{approval_id}': [400],
  // Sizes of a context memory as a whole.
  'POST /api/v1/users/{user_id}/context_memory': [400, 413],
  'PATCH /api/v1/users/{user_id}/context_memory': [400, 413],
  'DELETE /api/v1/users/{user_id}/context_memory': [400],
  // Days that exist.
  'GET /api/v1/audit': [400],
  'GET /api/v1/logs': [400],
  // Sessions and event ids that the server has given out.
  'GET /mcp': [400],
  'POST /mcp': [400],
  // Which fields of OpenAI's go with which; agents whose provider is not there.
  'POST /v1/chat/completions': [400, 413, 415, 422, 502],
  'POST /v1/embeddings': [400],
  // Metadata in base64, and a length within the limit.
  'POST /api/v1/files/uploads': [400, 413],
  // Bytes beyond the length.
  'PATCH /api/v1/files/uploads/{upload_id}': [400, 413, 415],
}
/** The protocol has a status of its own for a request without its version. */
const VERSIONED = /\/files\/uploads/
/**
 * Paths that are also those of operations with a parameter in their place: a method that only those have is no 405, and `Allow`
 * rightly names it.
 */
const SHARED_PATHS = ['/api/v1/files/uploads', '/api/v1/agents/import', '/api/v1/agents/{agent_id}/knowledge/search']
/** How often an id in a body is one that exists. */
const KNOWN_IDS = 0.8

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
async function operations(stage: Stage, muxi: Muxi): Promise<Operation[]> {
  const post = async (path: string, body?: object) =>
    (await stage.call(muxi.url, path, { method: 'POST', ...(body && { body }) })).body
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
  const upload = async () => {
    const headers = { 'tus-resumable': '1.0.0', 'upload-length': '4' }
    const begun = await stage.call(muxi.url, '/api/v1/files/uploads', { method: 'POST', headers })
    return begun.headers.get('location')!.split('/').at(-1)!
  }
  const upload_id = await upload()
  const shared = { upload_id, agent_id: 'offline', model: 'offline', turn_id, job_id, conversation_id, file_id }
  const own: Record<string, Record<string, string>> = {
    'DELETE /api/v1/conversations/{conversation_id}': { conversation_id: await conversation() },
    'DELETE /api/v1/files/{file_id}': { file_id: await file('unused.txt') },
    'DELETE /api/v1/files/uploads/{upload_id}': { upload_id: await upload() },
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
      ...(/\/api\/v1\/.*chat/.test(name) && {
        conversation_id: name.includes('{agent_id}') ? conversation_id : routed,
        'attachments[*].file_id': file_id,
      }),
      ...(name === 'POST /api/v1/jobs' && { file_id }),
      ...(name === 'POST /v1/chat/completions' && { model: 'offline' }),
      ...(name === 'POST /mcp' && { 'params.name': 'offline' }),
    },
    // The MCP transport refuses clients that do not accept both.
    headers: new Map(name.endsWith(' /mcp') ? [['accept', 'application/json, text/event-stream']] : []),
  }))
}

function writeConfig(stage: Stage, list: Operation[]): string {
  const text = JSON.stringify
  const sections = list.map(({ name, path, body, headers }) => [
    '[[operations]]',
    `include-name = ${text(name)}`,
    '[operations.headers]',
    ...[...headers].map(([header, value]) => `${text(header)} = ${text(value)}`),
    ...(UPSTREAM.includes(name)
      ? ['[operations.checks.not_a_server_error]', "expected-statuses = ['2xx', '4xx', 502]"]
      : []),
    ...(WITH_RULES[name] ? acceptance(WITH_RULES[name]) : []),
    ...(VERSIONED.test(name)
      ? ['negative_data_rejection', 'missing_required_header'].flatMap((check) => [
          `[operations.checks.${check}]`,
          `expected-statuses = [${REFUSED.join(', ')}, 412]`,
        ])
      : []),
    // It waits up to 10 s for turns and jobs to stop, 2.5 s for processes that still know keys, and up to 10 s for histories.
    ...(name === 'DELETE /api/v1/users/{user_id}' ? ['[operations.checks]', `max_response_time = ${REQUEST_S}`] : []),
    '[operations.parameters]',
    ...Object.entries(path).map(([id, value]) => `${text(`path.${id}`)} = ${text(value)}`),
    ...Object.entries(body).map(
      ([field, id]) => `${text(`body.${field}`)} = { dictionary = ${text(id)}, probability = ${KNOWN_IDS} }`,
    ),
  ])
  // By path: a method that is not declared has no name.
  const shared = SHARED_PATHS.flatMap((path) => [
    '[[operations]]',
    `include-path = ${text(path)}`,
    ...['unsupported_method', 'allow_header_conformance'].flatMap((check) => [
      `[operations.checks.${check}]`,
      'enabled = false',
    ]),
  ])
  const ids = new Set(list.flatMap(({ body }) => Object.values(body)))
  const dictionaries = ['[dictionaries]', ...[...ids].map((id) => `${text(id)} = { values = [${text(id)}] }`)]
  const file = join(stage.folder, 'schemathesis.toml')
  // No schema can say that NUL is refused.
  const texts = ['[generation]', 'allow-x00 = false']
  writeFileSync(file, [...texts, ...dictionaries, ...sections.flat(), ...shared, ''].join('\n'))
  return file
}

/** What invalid input gets: the default of schemathesis. */
const REFUSED = [400, 401, 403, 404, 405, 406, 409, 413, 415, 422, 429]

function acceptance(statuses: number[]): string[] {
  const expected = ['2xx', 401, 403, 404, 409, 429, 503, ...statuses]
  return ['[operations.checks.positive_data_acceptance]', `expected-statuses = ${JSON.stringify(expected)}`]
}

const UNFINISHED = `select id from turns where status not in ('completed', 'failed', 'cancelled')
  union all select id from jobs where status not in ('completed', 'failed', 'cancelled')`

/** A run of schemathesis. */
interface Fuzzing {
  /** Of schemathesis; 0: it found nothing. */
  code: number
  report: string
  /** How many operations there are. */
  operations: number
  /** What was logged as an error. */
  errors: object[]
  /** Rows that the requests made. */
  made: number
  /** The turns and jobs that are not over. */
  unfinished: () => Promise<object[]>
  stage: Stage
}

interface Plan {
  /** For each operation in the phases `fuzzing` and `stateful`. */
  examples: number
  /** `coverage` sends a request for each bound of each field, some thousands. */
  phases: readonly ('examples' | 'coverage' | 'fuzzing' | 'stateful')[]
  seed: number
  /** Of the run. */
  max_ms: number
}

/** Sends generated requests to a server of their own. The caller closes the stage. */
async function fuzzRequests({ examples, phases, seed, max_ms }: Plan): Promise<Fuzzing> {
  // No generated request may start a program, and all messages go to the agent that needs no model.
  const routing = { MUXI_DEFAULT_AGENT: 'offline', MUXI_ROUTING_THRESHOLD_PERCENT: '100' }
  const stage = await openStage({ env: { MUXI_MCP_COMMANDS: 'none', ...routing } })
  try {
    const requirements = fileURLToPath(new URL('schemathesis.txt', import.meta.url))
    const [python, muxi] = await Promise.all([pythonWith('schemathesis', requirements), stage.start('all')])
    const tested = await operations(stage, muxi)
    // All checks are on; naming them here would turn those on again that the configuration turns off for an operation.
    const flags = {
      phases: phases.join(),
      'max-examples': examples,
      seed,
      'generation-database': 'none',
      header: `Authorization: Bearer ${stage.key}`,
      'request-timeout': REQUEST_S,
      'suppress-health-check': 'all',
      warnings: 'off',
    }
    const env = { ...process.env, SCHEMATHESIS_HOOKS: fileURLToPath(new URL('schemathesis_hooks.py', import.meta.url)) }
    const config = `--config-file=${writeConfig(stage, tested)}`
    const named = Object.entries(flags).map(([name, value]) => `--${name}=${value}`)
    const command = ['-m', 'schemathesis.cli', '--no-color', config, 'run', ...named]
    const args = [...command, '--no-shrink', '--continue-on-failure', `${muxi.url}/openapi.json`]
    const { code, report } = await new Promise<Pick<Fuzzing, 'code' | 'report'>>((resolve) => {
      const limits = { cwd: stage.folder, env, timeout: max_ms, maxBuffer: 64 * 2 ** 20 }
      execFile(python, args, limits, (error, stdout, stderr) =>
        resolve({ code: error === null ? 0 : Number(error.code ?? -1), report: `${stdout}${stderr}` }),
      )
    })
    if (muxi.child.exitCode !== null || muxi.child.signalCode !== null) throw new Error('the server has ended')
    const [{ made } = {}] = await stage.rows('select count(*) as made from conversations')
    return {
      code,
      report,
      operations: tested.length,
      errors: muxi.logs().filter(({ level }) => level >= 50),
      made: Number(made),
      unfinished: () => stage.rows(UNFINISHED),
      stage,
    }
  } catch (error) {
    await stage.close()
    throw error
  }
}

/** Expects that generated requests get what is documented, that nothing was logged as an error, and that all turns and jobs end. */
export async function expectDocumented(plan: Plan): Promise<void> {
  const { code, report, operations, errors, made, unfinished, stage } = await fuzzRequests(plan)
  try {
    expect(code, report).toBe(0)
    expect(report).toContain(`Tested: ${operations}`)
    console.log(report.trim().split('\n').at(-1))
    expect(errors).toEqual([])
    // The key was good for all of it, and requests got as far as the rows.
    expect(made).toBeGreaterThan(5)
    await expect.poll(unfinished, { timeout: 60_000 }).toEqual([])
    await stage.check()
  } finally {
    await stage.close()
  }
}
