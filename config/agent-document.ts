// Parses an agent file, YAML or JSON, into a value with the line of each part.
import { type Alias, isAlias, isMap, isScalar, isSeq, LineCounter, type Node, parseDocument } from 'yaml'
import { dotted } from '../contracts/schemas/faults.ts'
import { replaceVariables } from '../contracts/variables.ts'
import type { Environment } from './environment.ts'

export type Path = readonly (string | number)[]

export interface Position {
  line: number
  column: number
}

export interface DocumentFault extends Position {
  path: Path
  /** Completes "'<path>' must be …"; without a path, "the file must be …". */
  expected: string
  found: string
}

export interface AgentDocument {
  value: unknown
  faults: DocumentFault[]
  /** The position of a path, or of its nearest existing parent. */
  locate(path: Path): Position
  /** The source value at a path, before `${NAME}` was replaced, for error messages. */
  written(path: Path): unknown
}

/** Limit of nodes: aliases can expand a small file without bound. */
const MAX_NODES = 20_000
const MAX_DEPTH = 32

/** Parses `text`, replacing each `${NAME}` in a value by the variable of that name; `$${` stands for `${`. */
export function readAgentDocument(text: string, env: Environment): AgentDocument {
  const lines = new LineCounter()
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, logLevel: 'error' })
  const offsets = new Map<string, number>()
  const raw = new Map<string, unknown>()
  const faults: DocumentFault[] = []
  let nodes = 0
  let deepest = 0

  function at(offset: number): Position {
    const { line, col } = lines.linePos(offset)
    return { line: Math.max(line, 1), column: Math.max(col, 1) }
  }

  function read(node: Node | null, path: Path, above: number): unknown {
    nodes += 1
    const offset = node?.range?.[0] ?? above
    if (!offsets.has(dotted(path))) offsets.set(dotted(path), offset)
    deepest = Math.max(deepest, path.length)
    if (nodes > MAX_NODES || path.length > MAX_DEPTH) return undefined
    if (isAlias(node)) {
      const target = (node as Alias).resolve(document)
      if (target === undefined)
        faults.push({
          ...at(offset),
          path,
          expected: 'an alias of an anchor above it',
          found: "an unknown one (text that begins with '*' needs quotes)",
        })
      return read(target ?? null, path, offset)
    }
    if (isSeq<Node | null>(node)) return node.items.map((item, index) => read(item, [...path, index], offset))
    if (isMap<Node | null, Node | null>(node)) {
      // Not an object literal: a key named `__proto__` must be reported as an unknown key.
      return Object.fromEntries(
        node.items.map(({ key, value }) => {
          const name = isScalar(key) ? String(key.value) : String(key)
          const keyOffset = key?.range?.[0] ?? offset
          // A multi-line or missing value is reported at its key.
          if (!isScalar(value)) offsets.set(dotted([...path, name]), keyOffset)
          return [name, read(value, [...path, name], keyOffset)]
        }),
      )
    }
    const value = isScalar(node) ? node.value : null
    raw.set(dotted(path), value)
    return typeof value === 'string' ? substitute(value, path, offset) : value
  }

  function substitute(value: string, path: Path, offset: number): string {
    return replaceVariables(value, env, (name) => {
      const expected =
        name === undefined
          ? 'of the form ${NAME}, a name and nothing else (write $${ for the text itself)'
          : `an environment variable that is set (write $\${${name}} for the text itself)`
      const found = name === undefined ? "something else after '${'" : `'\${${name}}'`
      faults.push({ ...at(offset), path, expected, found })
    })
  }

  // A warning is an unknown tag such as `!secret`.
  for (const { code, message, pos } of [...document.errors, ...document.warnings]) {
    const position = { ...at(pos[0]), path: [] }
    if (code === 'MULTIPLE_DOCS') faults.push({ ...position, expected: 'one agent', found: "another one after '---'" })
    // Further errors of a line follow from its first one.
    else if (code === 'TAG_RESOLVE_FAILED')
      faults.push({
        ...position,
        expected: 'without tags of its own',
        found: "an unknown one (text that begins with '!' needs quotes)",
      })
    else if (faults.at(-1)?.line !== position.line)
      faults.push({ ...position, expected: 'well-formed YAML or JSON', found: sentence(message) })
  }
  const value = faults.length === 0 ? read(document.contents as Node | null, [], 0) : undefined
  const start = { line: 1, column: 1, path: [] }
  if (nodes > MAX_NODES)
    faults.push({
      ...start,
      expected: `at most ${MAX_NODES} parts`,
      found: 'more (do its aliases repeat one another?)',
    })
  if (deepest > MAX_DEPTH)
    faults.push({
      ...start,
      expected: `nested at most ${MAX_DEPTH} deep`,
      found: 'deeper (does an alias hold itself?)',
    })

  function locate(path: Path): Position {
    for (let length = path.length; length >= 0; length -= 1) {
      const offset = offsets.get(dotted(path.slice(0, length)))
      if (offset !== undefined) return at(offset)
    }
    return { line: 1, column: 1 }
  }
  return {
    value: nodes > MAX_NODES || deepest > MAX_DEPTH ? undefined : value,
    faults,
    locate,
    written: (path) => raw.get(dotted(path)),
  }
}

/** The message of a syntax error, without the source excerpt at its end: it may contain a secret. */
function sentence(message: string): string {
  return message.charAt(0).toLowerCase() + message.slice(1).replace(/: .*$/s, '').replaceAll(/\s+/g, ' ')
}
