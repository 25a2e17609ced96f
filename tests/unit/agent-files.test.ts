// Agent files: what they may say, what is made of it, and how every mistake is told with its line.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, it, test } from 'vitest'
import { type AgentFileFault, AgentFilesError, type LoadedAgent, loadAgentFiles } from '../../config/agent-files.ts'
import type { ProvidersSettings } from '../../contracts/model-check.ts'
import { VENDOR_NAMES, vendorOf } from '../../contracts/vendors.ts'

const NO_KEYS: ProvidersSettings = { openai: {}, anthropic: {}, gemini: {}, xai: {} }
const OPENAI_KEY: ProvidersSettings = { ...NO_KEYS, openai: { api_key: 'sk-configured' } }
const MEMORY = { long_term: false, database: { sqlite_file: '/data/muxi.db' } }
const WORDS = 'description: d\nsystem_message: s\n'

let dir: string
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'muxi-agents-'))
})
afterEach(() => rmSync(dir, { recursive: true }))

function load(
  files: Record<string, string | Buffer>,
  env: Record<string, string> = {},
  providers = NO_KEYS,
): LoadedAgent[] {
  for (const [name, text] of Object.entries(files)) writeFileSync(join(dir, name), text)
  return loadAgentFiles(dir, env, providers, [], MEMORY)
}

function refused(...args: Parameters<typeof load>): AgentFilesError {
  try {
    load(...args)
  } catch (error) {
    if (error instanceof AgentFilesError) return error
    throw error
  }
  throw new Error('The files were accepted')
}

function brief({ line, path, expected, found }: AgentFileFault): string {
  return `${line} ${path}: ${expected} / ${found}`
}

describe('good files', () => {
  it('give agents by id, with the defaults filled in, from YAML and JSON alike', () => {
    const agents = load({
      'b.yaml': WORDS,
      'a.json':
        '{"name": "zed", "description": "d", "system_message": "\\ud83d\\ude00 \\/ \\u00e9", "memory": {"long_term": true}}',
      'c.yml': `id: alpha\n${WORDS}on_busy: reject\n`,
      'notes.txt': 'not an agent',
      '.hidden.yaml': 'nor this',
    })
    expect(agents.map(({ id, file }) => [id, file])).toEqual([
      ['alpha', 'c.yml'],
      ['b', 'b.yaml'],
      ['zed', 'a.json'],
    ])
    expect(agents[1]?.config).toEqual({
      id: 'b',
      description: 'd',
      system_message: 's',
      memory: { buffer: 20, long_term: false },
      on_busy: 'queue',
    })
    expect(agents[2]?.config).toEqual({
      id: 'zed',
      description: 'd',
      system_message: '😀 / é',
      memory: { buffer: 20, long_term: true },
      on_busy: 'queue',
    })
  })

  it('may be none: a missing folder has no agents', () => {
    expect(loadAgentFiles(join(dir, 'gone'), {}, NO_KEYS, [], MEMORY)).toEqual([])
  })

  it('may use anchors and aliases', () => {
    const [agent] = load({ 'a.yaml': `description: &d the same\nsystem_message: *d\n` })
    expect(agent?.config.system_message).toBe('the same')
  })

  it('must name existing knowledge, below the allowed folders', () => {
    const knowledge =
      'knowledge:\n  - {id: gone, path: ./gone.md}\n  - {id: out, path: ../..}\n  - {id: etc, path: /etc/passwd}\n'
    const expected = 'a file or folder that exists below MUXI_AGENTS_DIR or MUXI_KNOWLEDGE_DIRS'
    expect(refused({ 'a.yaml': WORDS + knowledge }).faults.map(brief)).toEqual([
      `4 knowledge.0.path: ${expected} / './gone.md'`,
      `5 knowledge.1.path: ${expected} / '../..'`,
      `6 knowledge.2.path: ${expected} / '/etc/passwd'`,
    ])
  })

  it('may describe knowledge and MCP servers', () => {
    const knowledge = 'knowledge:\n  - {id: faq, path: ./faq.md}\n  - {id: note, source_type: content, content: Hi}\n'
    const mcp =
      'mcp_servers:\n  - {name: w, url: "http://localhost:1/mcp", approval: always}\n  - {name: fs, command: npx -y x, args: [a], env: {TOKEN: t0ken}}\n'
    const [agent] = load({ 'a.yaml': WORDS + knowledge + mcp, 'faq.md': 'Hello' })
    expect(agent?.config.knowledge).toHaveLength(2)
    expect(agent?.config.mcp_servers?.[1]).toEqual({ name: 'fs', command: 'npx -y x', args: ['a'], env: {} })
    expect(agent?.secrets).toEqual({ 'mcp_servers.1.env.TOKEN': 't0ken' })
  })

  it("include muxi's examples, which need no key", () => {
    const agents = loadAgentFiles(join(import.meta.dirname, '../../agents'), {}, NO_KEYS, [], MEMORY)
    expect(agents.map(({ id, config }) => [id, config.model])).toEqual([
      ['assistant', undefined],
      ['librarian', undefined],
      ['researcher', undefined],
      ['timekeeper', undefined],
    ])
  })
})

describe('${NAME}', () => {
  it('is replaced in values, as text, whatever the variable holds', () => {
    const [agent] = load(
      { 'a.yaml': 'description: "for ${WHO}, ${WHO}"\nsystem_message: ${TEXT}\n' },
      { WHO: '12', TEXT: '{x: [1, ${WHO}' },
    )
    expect(agent?.config).toMatchObject({ description: 'for 12, 12', system_message: '{x: [1, ${WHO}' })
  })

  it('is written $${NAME} where the text itself is meant, and is left alone in keys and comments', () => {
    const [agent] = load({ 'a.yaml': '# ${NOT_SET}\ndescription: costs $5\nsystem_message: echo $${HOME} $HOME\n' })
    expect(agent?.config.system_message).toBe('echo ${HOME} $HOME')
    expect(agent?.config.description).toBe('costs $5')
  })

  it('is a fault when the variable is missing or empty, or when it names none, each once', () => {
    const error = refused(
      {
        'a.yaml':
          'description: ${GONE}\nsystem_message: ${EMPTY} ${GONE:-x} ${open\nmodel: {provider: openai, model: m, base_url: "${GONE}"}\n',
      },
      { EMPTY: '' },
    )
    expect(error.faults.map(({ line, path, found }) => [line, path, found])).toEqual([
      [1, 'description', "'${GONE}'"],
      [2, 'system_message', "'${EMPTY}'"],
      [2, 'system_message', "something else after '${'"],
      [2, 'system_message', "something else after '${'"],
      [3, 'model.base_url', "'${GONE}'"],
    ])
  })
})

describe('wrong files', () => {
  it('are refused with file, line, path, what was expected and what was found, all faults of all files at once', () => {
    const error = refused({
      'one.yaml':
        '# mine\ndescription: d\nsystem_message: s\nmodel:\n  provider: offline\n  model: offline\n  temperature: hot\n  temprature: 1\nmemory:\n  buffer: 1.5\n',
      'two.json': '{\n  "description": "d",\n  "on_busy": "wait"\n}\n',
    })
    expect(error.faults.map(brief)).toEqual([
      "7 model.temperature: a number from 0 to 2 / 'hot'",
      "8 model.temprature: one of the keys provider, model, api_key, base_url, temperature, top_p, reasoning, api, max_cost_usd, max_first_token_ms, max_output_tokens, fallbacks, requires, strategy / the unknown key 'temprature'",
      '10 memory.buffer: a whole number from 0 to 1000 or an object with the keys max_size, buffer_multiplier / 1.5',
      '1 system_message: given (text of 1 to 100000 characters) / nothing',
      "3 on_busy: one of 'queue', 'reject', 'interrupt' / 'wait'",
    ])
    expect(error.message.split('\n')[0]).toBe(
      `Cannot load ${join(relative(process.cwd(), dir), 'one.yaml')}:7:16: 'model.temperature' must be a number from 0 to 2, got 'hot'`,
    )
  })

  it.each([
    [
      '',
      '1 : an object with the keys id, name, description, system_message, model, memory, agent_tools, handoffs, on_busy, knowledge, mcp_servers / nothing',
    ],
    [
      '- a\n',
      '1 : an object with the keys id, name, description, system_message, model, memory, agent_tools, handoffs, on_busy, knowledge, mcp_servers / a list',
    ],
    [`${WORDS}description: e\n`, '3 : well-formed YAML or JSON / map keys must be unique'],
    [
      `${WORDS}__proto__: {id: x}\n`,
      "3 __proto__: one of the keys id, name, description, system_message, model, memory, agent_tools, handoffs, on_busy, knowledge, mcp_servers / the unknown key '__proto__'",
    ],
    [
      `id: 7\n${WORDS}`,
      "1 id: 1 to 64 lower-case letters, digits, '_' or '-', beginning with a letter or a digit, and not 'auto' or 'import' / 7",
    ],
    [
      `id: Bot\n${WORDS}`,
      "1 id: 1 to 64 lower-case letters, digits, '_' or '-', beginning with a letter or a digit, and not 'auto' or 'import' / 'Bot'",
    ],
    [
      `id: auto\n${WORDS}`,
      "1 id: 1 to 64 lower-case letters, digits, '_' or '-', beginning with a letter or a digit, and not 'auto' or 'import' / 'auto'",
    ],
    [`id: a\nname: b\n${WORDS}`, "2 name: left out or the same as 'id', because both name the agent / 'b'"],
    [`${WORDS}---\n${WORDS}`, "3 : one agent / another one after '---'"],
    [
      `description: *d\nsystem_message: s\n`,
      "1 description: an alias of an anchor above it / an unknown one (text that begins with '*' needs quotes)",
    ],
    [
      `description: !secret d\nsystem_message: s\n`,
      "1 : without tags of its own / an unknown one (text that begins with '!' needs quotes)",
    ],
    [`${WORDS}knowledge:\n  - id: k\n    path: 3\n`, '5 knowledge.0.path: text of 1 to 4096 characters / 3'],
    [
      `${WORDS}mcp_servers:\n  - name: k\n    command: [npx]\n`,
      '5 mcp_servers.0.command: text of 1 to 4096 characters / a list',
    ],
  ])('are told what is wrong with %j', (text, told) => {
    expect(refused({ 'a.yaml': text }).faults.map(brief)).toEqual([told])
  })

  it('are reported when they are not text', () => {
    expect(refused({ 'a.yaml': Buffer.from([0xff, 0xfe, 0x00]) }).faults.map(brief)).toEqual([
      '1 : readable UTF-8 text of at most 1 MB / something else',
    ])
  })

  it('are reported when their name is not an id and they have no other', () => {
    expect(refused({ 'My Bot.yaml': WORDS }).faults[0]?.found).toBe("'My Bot.yaml'")
  })

  it('are reported when two have the same id, also when one has other faults', () => {
    const error = refused({ 'a.yaml': `${WORDS}on_busy: 1\n`, 'b.yaml': `${WORDS}id: a\n` })
    expect(error.faults.map(brief)).toEqual([
      "3 on_busy: one of 'queue', 'reject', 'interrupt' / 1",
      "3 id: an id that no other file has, and a.yaml has it / 'a'",
    ])
  })

  it('that cannot be parsed take no id, for they may have another than their name', () => {
    expect(refused({ 'a.yaml': 'id: [\n', 'b.yaml': `${WORDS}id: a\n` }).faults.map(({ line }) => line)).toEqual([2])
  })

  it('end soon when their aliases multiply, or are cyclic', () => {
    const bomb = ['a0: &a0 [x, x, x, x, x, x, x, x, x, x]']
    for (let n = 1; n < 9; n += 1)
      bomb.push(
        `a${n}: &a${n} [${Array(10)
          .fill(`*a${n - 1}`)
          .join(', ')}]`,
      )
    expect(refused({ 'a.yaml': bomb.join('\n') }).faults.map(({ expected }) => expected)).toContain(
      'at most 20000 parts',
    )
    rmSync(join(dir, 'a.yaml'))
    expect(refused({ 'b.yaml': `${WORDS}knowledge: &k\n  - *k\n` }).faults.length).toBeGreaterThan(0)
  })
})

describe('models', () => {
  function model(yaml: string, providers = NO_KEYS, env = {}): string[] {
    try {
      load({ 'a.yaml': `${WORDS}model: {${yaml}}\n` }, env, providers)
      return []
    } catch (error) {
      return (error as AgentFilesError).faults.map(({ path, expected }) => `${path}: ${expected}`)
    }
  }

  it('need a key when they name a provider, never falling back to offline in silence', () => {
    const named = 'provider: openai, model: gpt'
    expect(model(named)).toEqual(['model.api_key: given, or OPENAI_API_KEY be set, because the model names openai'])
    expect(model(named, OPENAI_KEY)).toEqual([])
    expect(model(`${named}, api_key: "\${MINE}"`, NO_KEYS, { MINE: 'sk' })).toEqual([])
    expect(model('provider: offline, model: offline')).toEqual([])
  })

  it.each(['\\0', '\\x01', '\\x7f', ' '])('have an address without the character "%s"', (character) => {
    const at = `provider: openai, model: m, base_url: "http://127.0.0.1:11434/v1${character}x"`
    expect(model(at)).toEqual([expect.stringContaining('model.base_url: an http:// or https:// address')])
  })

  it('need none on a local server, but their own on any other', () => {
    const at = (url: string) => `provider: openai, model: m, base_url: "${url}"`
    expect(model(at('http://127.0.0.1:11434/v1'))).toEqual([])
    expect(model(at('http://ollama:11434/v1'))).toEqual([])
    expect(model(at('https://api.x.ai/v1'), OPENAI_KEY)).toEqual([
      'model.api_key: given, because api.x.ai is no local server',
    ])
    expect(
      model(at('https://gate.example/v1/'), {
        ...NO_KEYS,
        openai: { api_key: 'k', base_url: 'https://gate.example/v1' },
      }),
    ).toEqual([])
    expect(model(at('http://localhost:99999'))).toEqual([
      'model.base_url: an address with a host and a port that can exist',
    ])
    expect(model('provider: openai, model: m', { ...NO_KEYS, openai: { base_url: 'http://localhost:8000' } })).toEqual(
      [],
    )
  })

  it.each(VENDOR_NAMES.filter((name) => !vendorOf(name).isLocal))('of %s need a key', (provider) => {
    expect(model(`provider: ${provider}, model: m, api_key: k`)).toEqual([])
    expect(model(`provider: ${provider}, model: m`)).toEqual([
      `model.api_key: given, or ${vendorOf(provider).prefix}_API_KEY be set, because the model names ${provider}`,
    ])
  })

  it.each(VENDOR_NAMES.filter((name) => vendorOf(name).isLocal))('of %s need none', (provider) => {
    expect(model(`provider: ${provider}, model: m`)).toEqual([])
  })

  it('are checked down to their fallbacks', () => {
    expect(model('provider: offline, model: offline, fallbacks: [{provider: openai, model: m}]')).toEqual([
      'model.fallbacks.0.api_key: given, or OPENAI_API_KEY be set, because the model names openai',
    ])
  })
})

describe('secrets', () => {
  it('are kept apart from the agent, each under its path', () => {
    const [agent] = load(
      {
        'a.yaml': `${WORDS}model:\n  provider: openai\n  model: m\n  api_key: \${KEY}\n  fallbacks:\n    - {provider: openai, model: n, api_key: k2}\nmcp_servers:\n  - {name: x, url: "https://x", credentials: {TOKEN: t1}}\n  - {name: y, url: "https://y", credentials: [{id: i, param_name: p, value: t2, in: header}]}\n`,
      },
      { KEY: 'k1' },
    )
    expect(agent?.secrets).toEqual({
      'model.api_key': 'k1',
      'model.fallbacks.0.api_key': 'k2',
      'mcp_servers.0.credentials.TOKEN': 't1',
      'mcp_servers.1.credentials.0.value': 't2',
    })
    expect(JSON.stringify(agent?.config)).not.toMatch(/k1|k2|t1|t2/)
    expect(agent?.config.model).toEqual({
      provider: 'openai',
      model: 'm',
      fallbacks: [{ provider: 'openai', model: 'n' }],
    })
  })

  it.each([
    'model: {provider: openai, model: m, api_key: [pl4nted]}',
    'model: {provider: openai, model: m, api_key: 4711000, x: pl4nted}',
    'mcp_servers: [{name: x, url: "ftp://x", credentials: pl4nted}]',
    'mcp_servers: [{name: x, url: "https://x", credentials: [{value: pl4nted}]}]',
    'mcp_servers: [{name: x, url: "https://u:pl4nted@x"}]',
    'memory: {buffer: "${SECRET}"}',
    'model: {api_key: "pl4nted',
    'model: {{api_key: pl4nted}: x}',
    'model: {api_key: *pl4nted}',
    'model: {api_key: !pl4nted}',
    'model: {api_key: "a${pl4nted-"}',
    'mcp_servers: [{name: x, url: "https://x", credentials: {TOKEN:pl4nted}}]',
    'mcp_servers: [{name: x, url: "https://x", credentials: {pl4nted}}]',
    'model:\n  api_key: pl4nted: x\n  - pl4nted ]',
    'model: }pl4nted',
  ])('are not told by a fault: %s', (text) => {
    expect(refused({ 'a.yaml': `${WORDS}${text}\n` }, { SECRET: 'pl4nted' }).message).not.toMatch(/pl4nted|4711000/)
  })
})

describe('MCP servers', () => {
  const server = (more: string) => `${WORDS}mcp_servers:\n  - {name: s, command: node, ${more}}\n`

  it('take a credential from the variable that stands for it', () => {
    const credentials = 'credentials: [{id: i, param_name: TOKEN, required: true, env_fallback: MY_TOKEN}]'
    const [agent] = load({ 'a.yaml': server(credentials) }, { MY_TOKEN: 't0ken' })
    expect(agent?.secrets).toEqual({ 'mcp_servers.0.credentials.0.value': 't0ken' })
    expect(JSON.stringify(agent?.config)).not.toContain('t0ken')
    expect(refused({ 'a.yaml': server(credentials) }).faults.map(brief)).toEqual([
      "4 mcp_servers.0.credentials.0.value: given, or the variable MY_TOKEN be set, because 'i' is required / nothing",
    ])
  })

  it('may do without a credential that is not required', () =>
    expect(load({ 'a.yaml': server('credentials: [{id: i, param_name: TOKEN}]') })[0]?.secrets).toEqual({}))

  it.each([
    [
      server('credentials: [{id: i, param_name: T, value: v, in: query}]'),
      "4 mcp_servers.0.credentials.0.in: 'env' for a program / 'query'",
    ],
    [
      `${server('args: []')}  - {name: s, command: node}\n`,
      "5 mcp_servers.1.name: a name that no other server of the agent has / 's'",
    ],
    [
      `${WORDS}mcp_servers: [{name: s, url: "http://x:99999"}]\n`,
      "3 mcp_servers.0.url: an address with a host and a port that can exist / 'http://x:99999'",
    ],
    [server('timeouts: {connect: 0}'), '4 mcp_servers.0.timeouts.connect: a whole number from 1 to 600 / 0'],
    [server('idle_stop: 0'), "4 mcp_servers.0.idle_stop: a whole number from 1 to 86400 or 'never' / 0"],
    [server('idle_stop: always'), "4 mcp_servers.0.idle_stop: a whole number from 1 to 86400 or 'never' / 'always'"],
    [server('idempotent_tools: all'), "4 mcp_servers.0.idempotent_tools: a list of at most 1000 / 'all'"],
  ])('are refused with the reason: %j', (text, fault) =>
    expect(refused({ 'a.yaml': text }).faults.map(brief)).toEqual([fault]),
  )
})

describe('other agents', () => {
  const naming = (list: string) => `${WORDS}agent_tools: ${list}\nhandoffs: ${list}\n`

  it('are named in any order', () => {
    const agents = load({ 'a.yaml': naming('[b]'), 'b.yaml': naming('[a]') })
    expect(agents.map(({ config }) => [config.agent_tools, config.handoffs])).toEqual([
      [['b'], ['b']],
      [['a'], ['a']],
    ])
  })

  it.each([
    [
      '[b, c]',
      ["3 agent_tools.1: the id of an agent that exists / 'c'", "4 handoffs.1: the id of an agent that exists / 'c'"],
    ],
    ['[a]', ["3 agent_tools.0: another agent, not this one / 'a'", "4 handoffs.0: another agent, not this one / 'a'"]],
  ])('must exist and be others: %s', (list, faults) =>
    expect(refused({ 'a.yaml': naming(list), 'b.yaml': WORDS }).faults.map(brief)).toEqual(faults),
  )

  it('are named once', () =>
    expect(refused({ 'a.yaml': naming('[b, b]'), 'b.yaml': WORDS }).faults.map(({ path }) => path)).toEqual([
      'agent_tools',
      'handoffs',
    ]))
})

test.each(['../../agents', '../../examples/routing/agents', '../../examples/handoffs/agents'])(
  'the files in %s are good',
  (folder) => {
    const agents = loadAgentFiles(fileURLToPath(new URL(folder, import.meta.url)), {}, OPENAI_KEY, [], MEMORY)
    expect(agents.length).toBeGreaterThan(0)
  },
)
