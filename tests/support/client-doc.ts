// The examples of docs/client.md as programs.
import { execFile } from 'node:child_process'
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { cleanEnvironment, ROOT } from './children.ts'

const DOCUMENT = join(ROOT, 'docs/client.md')
const BLOCK = /```ts( embedded)?\n([\s\S]*?)```\n(?:```text\n([\s\S]*?)```)?/g
const MARK = '--- the next example'

interface ClientExample {
  code: string
  /** What it prints; undefined when the document does not say. */
  prints: string | undefined
}

/** The examples, in order: those with a server, which are one program, or those without. */
export function clientExamples(kind: 'remote' | 'embedded'): ClientExample[] {
  return [...readFileSync(DOCUMENT, 'utf8').matchAll(BLOCK)]
    .filter(([, embedded]) => (embedded === undefined) === (kind === 'remote'))
    .map(([, , code = '', prints]) => ({ code, prints }))
}

/** One program of all examples, with a line between what each prints. */
export function programOf(examples: ClientExample[], { url, key }: { url: string; key: string }): string {
  return examples
    .map(({ code }) => code.replace('http://127.0.0.1:5050', url).replace('sk_muxi_…', key))
    .join(`console.log('${MARK}')\n`)
}

/** Lets programs in a folder import `muxi` and `@muxi/client`. */
export function linkPackages(folder: string): void {
  mkdirSync(join(folder, 'node_modules/@muxi'), { recursive: true })
  symlinkSync(join(ROOT, 'client'), join(folder, 'node_modules/@muxi/client'))
  symlinkSync(ROOT, join(folder, 'node_modules/muxi'))
}

/** Runs a program in a folder. @returns what each of its examples printed */
export async function runProgram(folder: string, program: string, env: Record<string, string> = {}): Promise<string[]> {
  writeFileSync(join(folder, 'program.ts'), program)
  const options = { cwd: folder, env: { ...cleanEnvironment(), ...env }, timeout: 110_000 }
  const { stdout } = await promisify(execFile)(process.execPath, ['program.ts'], options)
  return stdout.split(`${MARK}\n`)
}
