// Loads the operator's agent files, or reports every fault in them.
import { readdirSync, readFileSync, realpathSync, statSync } from 'node:fs'
import { basename, extname, isAbsolute, join, relative, resolve, sep } from 'node:path'
import { isShowableAddress } from '../contracts/hosts.ts'
import { isMainDatabase, MAIN_DATABASE, shownConnection, type MainDatabase } from '../contracts/main-database.ts'
import { mcpFaults, withFallbacks } from '../contracts/mcp-check.ts'
import { modelFaults, type ModelFault, type ProvidersSettings } from '../contracts/model-check.ts'
import {
  type AgentInput,
  AgentIdSchema,
  AgentSchema,
  type MemoryDefaults,
  resolveAgent,
} from '../contracts/schemas/agent.ts'
import { otherAgentFaults } from '../contracts/other-agents.ts'
import { dotted, schemaFaults } from '../contracts/schemas/faults.ts'
import { type AgentDocument, type DocumentFault, type Path, readAgentDocument } from './agent-document.ts'
import { isSecretPath, type SeparatedAgent, separateSecrets, showablePath } from '../contracts/agent-secrets.ts'
import type { Environment } from './environment.ts'

const EXTENSIONS = new Set(['.yaml', '.yml', '.json'])
const MAX_BYTES = 2 ** 20

export interface MemorySettings extends MemoryDefaults {
  database: MainDatabase
}

export interface LoadedAgent extends SeparatedAgent {
  id: string
  /** File name within its folder. */
  file: string
}

export interface AgentFileFault {
  file: string
  line: number
  column: number
  /** Dotted, such as `model.fallbacks.0.provider`; empty for the file as a whole. */
  path: string
  expected: string
  found: string
}

/** All faults of the agent files; the message is ready to print, one line per fault. */
export class AgentFilesError extends Error {
  override readonly name = 'AgentFilesError'
  readonly faults: readonly AgentFileFault[]

  constructor(faults: readonly AgentFileFault[]) {
    super(faults.map(faultLine).join('\n'))
    this.faults = faults
  }
}

/** Why none of the models of an agent can do what it requires. */
type AbilityFaults = (agent: Pick<AgentInput, 'model' | 'mcp_servers'>, source: 'file') => ModelFault[]

/**
 * Every agent described by a `.yaml`, `.yml` or `.json` file in `dir` (not below it), by id, with `${NAME}` replaced from `env`.
 * A missing folder has none. Throws an `AgentFilesError` with every fault of every file.
 * An agent with neither `id` nor `name` is named after its file.
 * @param knowledgeDirs folders that may contain knowledge files, besides `dir`
 * @param memory what agents that do not say so have, and the database whose connection string may stand for `true`
 * @param abilityFaults checks abilities against the table of models
 */
export function loadAgentFiles(
  dir: string,
  env: Environment,
  providers: ProvidersSettings,
  knowledgeDirs: readonly string[],
  memory: MemorySettings,
  abilityFaults: AbilityFaults = () => [],
): LoadedAgent[] {
  const faults: AgentFileFault[] = []
  const agents = new Map<string, LoadedAgent>()
  const checks: (() => void)[] = []
  for (const file of agentFilesIn(dir)) {
    const shown = join(relative(process.cwd(), dir), file)
    const fail = (fault: DocumentFault): void =>
      void faults.push({ ...fault, file: shown, path: dotted(showablePath(fault.path)) })
    const text = readText(join(dir, file))
    if (text === undefined) {
      fail({ line: 1, column: 1, path: [], expected: 'readable UTF-8 text of at most 1 MB', found: 'something else' })
      continue
    }
    const document = withCredentials(readAgentDocument(text, env), env)
    const wrong = faultsOf(document, file, providers, [dir, ...knowledgeDirs], memory.database, abilityFaults)
    wrong.forEach(fail)
    const id = idOf(document, file)
    const other = id === undefined ? undefined : agents.get(id)
    if (id !== undefined && other !== undefined) {
      fail({
        ...document.locate(idPath(document)),
        path: idPath(document),
        expected: `an id that no other file has, and ${other.file} has it`,
        found: `'${id}'`,
      })
    } else if (id !== undefined) {
      // A faulty agent also reserves its id, so that a duplicate is reported in the same run.
      const kept =
        wrong.length === 0
          ? separateSecrets(resolveAgent(document.value as AgentInput, id, memory))
          : ({} as SeparatedAgent)
      agents.set(id, { id, file, ...kept })
    }
    // Once all are known: agents name each other in any order.
    if (id !== undefined && wrong.length === 0)
      checks.push(() => {
        for (const { path, expected } of otherAgentFaults(document.value as AgentInput, id, (other) =>
          agents.has(other),
        ))
          fail({ ...document.locate(path), path, expected, found: show(document, path) })
      })
  }
  for (const check of checks) check()
  if (faults.length > 0) throw new AgentFilesError(faults)
  return [...agents.values()].toSorted((a, b) => (a.id < b.id ? -1 : 1))
}

/** An agent file that is to be imported: its agent as written, with `${NAME}` replaced. */
export interface ReadAgentFile {
  id: string
  input: AgentInput
  /** Its name within the folder, when it stands directly in it and is loaded at every start. */
  file: string | undefined
}

/**
 * The agent described by one file below `dir`, links resolved; undefined when there is no such file.
 * @throws AgentFilesError
 */
export function readAgentFile(
  dir: string,
  path: string,
  env: Environment,
  providers: ProvidersSettings,
  knowledgeDirs: readonly string[],
  memory: MemorySettings,
  abilityFaults: AbilityFaults,
): ReadAgentFile | undefined {
  if (!isBelow(path, [dir]) || !EXTENSIONS.has(extname(path))) return undefined
  const root = realpathSync(dir)
  const real = realpathSync(isAbsolute(path) ? path : resolve(root, path))
  const shown = relative(root, real)
  const text = readText(real)
  if (text === undefined) return undefined
  const document = withCredentials(readAgentDocument(text, env), env)
  const faults = faultsOf(document, basename(real), providers, [dir, ...knowledgeDirs], memory.database, abilityFaults)
  const told = faults.map((fault) => ({ ...fault, file: shown, path: dotted(showablePath(fault.path)) }))
  if (told.length > 0) throw new AgentFilesError(told)
  const input = document.value as AgentInput
  const { memory: remembers } = input
  const resolved = typeof remembers?.long_term === 'string' ? { memory: { ...remembers, long_term: true } } : {}
  return {
    id: idOf(document, basename(real))!,
    input: { ...input, ...resolved },
    file: shown === basename(shown) ? shown : undefined,
  }
}

function agentFilesIn(dir: string): string[] {
  // The settings refuse a wrong path; the default folder may be missing.
  if (!statSync(dir, { throwIfNoEntry: false })?.isDirectory()) return []
  return readdirSync(dir)
    .filter((file) => EXTENSIONS.has(extname(file)) && !file.startsWith('.'))
    .toSorted()
}

function readText(path: string): string | undefined {
  try {
    const stat = statSync(path)
    if (!stat.isFile() || stat.size > MAX_BYTES) return undefined
    return new TextDecoder('utf-8', { fatal: true }).decode(readFileSync(path))
  } catch {
    return undefined
  }
}

function faultsOf(
  document: AgentDocument,
  file: string,
  providers: ProvidersSettings,
  knowledgeDirs: readonly string[],
  database: MainDatabase,
  abilityFaults: AbilityFaults,
): DocumentFault[] {
  if (document.value === undefined) return document.faults
  const faults = [...document.faults]
  const add = (path: Path, expected: string, found = show(document, path)): void =>
    void faults.push({ ...document.locate(path), path, expected, found })
  for (const { path, expected, kind } of schemaFaults(AgentSchema, document.value)) {
    // An unset ${NAME} has been reported already.
    if (faults.some((told) => dotted(told.path) === dotted(path))) continue
    add(
      path,
      expected,
      kind === 'missing'
        ? 'nothing'
        : kind === 'unknown'
          ? `the unknown key '${showablePath(path).at(-1)}'`
          : undefined,
    )
  }
  const sound = (...parts: string[]): boolean =>
    !faults.some(({ path }) => path.length === 0 || parts.includes(String(path[0])))
  const input = document.value as AgentInput
  if (sound('model')) {
    const wrong = modelFaults(input.model, providers, 'file')
    for (const { path, expected } of wrong.length > 0 ? wrong : abilityFaults(input, 'file')) add(path, expected)
  }
  if (sound('knowledge')) {
    for (const [index, source] of (input.knowledge ?? []).entries()) {
      if ('path' in source && !isBelow(source.path, knowledgeDirs))
        add(['knowledge', index, 'path'], 'a file or folder that exists below MUXI_AGENTS_DIR or MUXI_KNOWLEDGE_DIRS')
    }
  }
  if (sound('memory')) {
    const long_term = input.memory?.long_term
    if (typeof long_term === 'string' && !isMainDatabase(long_term, database, (path) => resolve(path)))
      add(['memory', 'long_term'], MAIN_DATABASE, shownConnection(long_term))
  }
  if (sound('mcp_servers')) {
    for (const { path, expected } of mcpFaults(input.mcp_servers ?? [])) add(path, expected)
  }
  if (sound('id', 'name')) {
    if (input.id !== undefined && input.name !== undefined && input.id !== input.name)
      add(['name'], "left out or the same as 'id', because both name the agent")
    if (idOf(document, file) === undefined)
      add([], `given an 'id', because its own name is not ${AgentIdSchema.description}`, `'${file}'`)
  }
  return faults.toSorted((a, b) => a.line - b.line || a.column - b.column)
}

/** Whether a path, with symbolic links resolved, is below one of the folders. */
function isBelow(path: string, dirs: readonly string[]): boolean {
  return dirs.some((dir) => {
    try {
      const root = realpathSync(dir)
      return realpathSync(isAbsolute(path) ? path : resolve(root, path)).startsWith(root + sep)
    } catch {
      return false
    }
  })
}

/** Adds the MCP server credentials that come from the environment. Faults are reported later. */
function withCredentials(document: AgentDocument, env: Environment): AgentDocument {
  if (schemaFaults(AgentSchema, document.value).length > 0) return document
  const value = document.value as AgentInput
  if (value.mcp_servers === undefined) return document
  return { ...document, value: { ...value, mcp_servers: withFallbacks(value.mcp_servers, env) } }
}

function idOf(document: AgentDocument, file: string): string | undefined {
  if (document.value === undefined) return undefined
  const input = document.value as Partial<Record<'id' | 'name', unknown>> | null | undefined
  const id = input?.id ?? input?.name ?? file.slice(0, -extname(file).length)
  return typeof id === 'string' && new RegExp(AgentIdSchema.pattern ?? '').test(id) ? id : undefined
}

function idPath(document: AgentDocument): Path {
  const input = document.value as Partial<Record<'id' | 'name', unknown>> | null | undefined
  return input?.id !== undefined ? ['id'] : input?.name !== undefined ? ['name'] : []
}

/** The found value as in the file: with `${NAME}` unreplaced, and without secrets. */
function show(document: AgentDocument, path: Path): string {
  let value = document.value
  for (const step of path) value = (value as Record<string | number, unknown> | null | undefined)?.[step]
  if (value === undefined || value === null) return 'nothing'
  if (Array.isArray(value)) return 'a list'
  if (typeof value === 'object') return 'an object'
  const written = document.written(path)
  if (isSecretPath(path)) return `a ${typeof value} that is not shown here`
  if (typeof written !== 'string') return String(written)
  if (String(path.at(-1)).endsWith('url') && !isShowableAddress(written) && !written.includes('${'))
    return 'something that is not shown here'
  const text = written.length > 60 ? `${written.slice(0, 60)}…` : written
  return `'${text}'${text.includes('${') ? ' (which is always text)' : ''}`
}

function faultLine({ file, line, column, path, expected, found }: AgentFileFault): string {
  return `Cannot load ${file}:${line}:${column}: ${path === '' ? 'the file' : `'${path}'`} must be ${expected}, got ${found}`
}
