// Files that are named in documents and in the import rules exist.
import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { expect, it } from 'vitest'

const FILES = execFileSync('git', ['ls-files'], { encoding: 'utf8' }).trim().split('\n')
const FOLDERS = new Set(FILES.filter((file) => file.includes('/')).map((file) => file.split('/')[0]))
const DOCUMENTS = FILES.filter((file) => /^(README|docs\/[^/]+)\.md$/.test(file))

it.each(DOCUMENTS)('%s names only files that exist, and its links lead to them', (document) => {
  const text = readFileSync(document, 'utf8')
  const named = [...text.matchAll(/`([\w.-]+\/[\w./-]+\.(?:ts|js|mjs|cjs|ya?ml|json|md))`/g)].map((match) => match[1]!)
  const linked = [...text.matchAll(/\]\(([^)#:\s]+)(?:#[^)]*)?\)/g)].map((match) => join(dirname(document), match[1]!))
  const files = [...named.filter((file) => FOLDERS.has(file.split('/')[0])), ...linked]
  expect(files.filter((file) => !existsSync(file))).toEqual([])
})

it.each(DOCUMENTS)('%s links only to headings that exist', (document) => {
  const text = readFileSync(document, 'utf8')
  const anchors = [...text.matchAll(/\]\(([^)#:\s]*)#([^)]+)\)/g)].map(([, file, anchor]) => ({
    file: file ? join(dirname(document), file) : document,
    anchor,
  }))
  expect(anchors.filter(({ file, anchor }) => !headingsOf(file).has(anchor!))).toEqual([])
})

it('each alternative of a pattern in the import rules matches a file', () => {
  const { forbidden } = createRequire(import.meta.url)('../../.dependency-cruiser.cjs') as { forbidden: Rule[] }
  // That of 'resolvable' names a package.
  const rules = forbidden.filter(({ name }) => name !== 'resolvable')
  const patterns = rules.flatMap(({ from, to }) => [from.path, from.pathNot, to.path, to.pathNot].flat())
  const alternatives = new Set(patterns.filter((pattern) => pattern !== undefined).flatMap(alternativesOf))
  const ours = [...alternatives].filter((pattern) => !pattern.includes('node_modules'))
  expect(ours.length).toBeGreaterThan(50)
  expect(ours.filter((pattern) => !FILES.some((file) => new RegExp(pattern).test(file)))).toEqual([])
})

interface Rule {
  name: string
  from: Paths
  to: Paths
}

interface Paths {
  path?: string | string[]
  pathNot?: string | string[]
}

/** `a(b|c)?d` gives `abd`, `acd` and `ad`. */
function alternativesOf(pattern: string): string[] {
  const group = /\(([^()]*)\)(\??)/.exec(pattern)
  if (!group) return pattern.split('|')
  const [whole, inside, optional] = group
  const choices = [...inside!.split('|'), ...(optional ? [''] : [])]
  return choices.flatMap((choice) => alternativesOf(pattern.replace(whole, () => choice)))
}

/** As GitHub names them. */
function headingsOf(file: string): Set<string> {
  const headings = readFileSync(file, 'utf8').matchAll(/^#+ (.+)$/gm)
  const named = (heading: string) =>
    heading
      .toLowerCase()
      .replace(/[^\p{L}\p{N}\s_-]/gu, '')
      .replaceAll(' ', '-')
  return new Set([...headings].map((match) => named(match[1]!)))
}
