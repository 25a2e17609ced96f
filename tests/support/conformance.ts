// Runs the MCP conformance suite, which others wrote, against a server: what is not named as left out must pass, and nothing else may.
import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { stringify } from 'yaml'
import { cleanEnvironment, ROOT } from './children.ts'

const RUN_MS = 60_000

const FIXTURE = "calls a tool of the suite's own test server, which a server with tools of its own does not have"
const NO_SAMPLING = `${FIXTURE}; we ask clients for no model calls`
const NO_RESOURCES = 'we offer tools, no resources'
const NO_PROMPTS = 'we offer tools, no prompts'

/** The scenarios that test what a server of tools alone does not offer, with the reason. */
export const LEFT_OUT: Readonly<Record<string, string>> = {
  'logging-set-level': 'we offer no logging to clients',
  'completion-complete': 'there are no prompts or resources whose arguments could be completed',
  'tools-call-simple-text': FIXTURE,
  'tools-call-image': FIXTURE,
  'tools-call-audio': FIXTURE,
  'tools-call-embedded-resource': FIXTURE,
  'tools-call-mixed-content': FIXTURE,
  'tools-call-with-logging': FIXTURE,
  'tools-call-error': FIXTURE,
  'tools-call-with-progress': FIXTURE,
  'tools-call-sampling': NO_SAMPLING,
  'tools-call-elicitation': FIXTURE,
  'json-schema-2020-12': FIXTURE,
  'elicitation-sep1034-defaults': FIXTURE,
  'elicitation-sep1330-enums': FIXTURE,
  'resources-list': NO_RESOURCES,
  'resources-read-text': NO_RESOURCES,
  'resources-read-binary': NO_RESOURCES,
  'resources-templates-read': NO_RESOURCES,
  'resources-subscribe': NO_RESOURCES,
  'resources-unsubscribe': NO_RESOURCES,
  'prompts-list': NO_PROMPTS,
  'prompts-get-simple': NO_PROMPTS,
  'prompts-get-with-args': NO_PROMPTS,
  'prompts-get-embedded-resource': NO_PROMPTS,
  'prompts-get-with-image': NO_PROMPTS,
}

/** What a server of tools alone can pass; `server-sse-polling` passes too, with nothing checked, where its tool is missing. */
export const CONFORMING = [
  'server-initialize',
  'ping',
  'tools-list',
  'server-sse-multiple-streams',
  'dns-rebinding-protection',
]

const { 'tools-call-simple-text': _text, 'tools-call-error': _error, ...others } = LEFT_OUT

/** The same for servers on the SDK's `McpServer`: it answers a missing tool with an error result, which some scenarios take for an answer. */
export const LEFT_OUT_OF_GENERATED: Readonly<Record<string, string>> = { ...others, 'server-sse-polling': FIXTURE }
export const CONFORMING_GENERATED = [
  ...CONFORMING.slice(0, 3),
  'tools-call-simple-text',
  'tools-call-error',
  ...CONFORMING.slice(3),
]

/** Runs every server scenario. @returns the names of those that passed @throws when another failed, or one left out passes by now */
export async function conformingScenarios(url: string, leftOut = LEFT_OUT): Promise<string[]> {
  const folder = mkdtempSync(join(tmpdir(), 'muxi-conformance-'))
  try {
    const baseline = join(folder, 'left-out.yaml')
    writeFileSync(baseline, stringify({ server: Object.keys(leftOut) }))
    const { code, output } = await run(
      ['server', '--url', url, '--suite', 'all', '--expected-failures', baseline],
      folder,
    )
    if (code !== 0) throw new Error(`the conformance suite ended with ${code}:\n${output.slice(-6_000)}`)
    return [...output.matchAll(/^✓ (\S+): (\d+) passed, 0 failed/gm)]
      .filter(([, , passed]) => Number(passed) > 0)
      .map(([, name]) => name!)
  } finally {
    rmSync(folder, { recursive: true })
  }
}

async function run(args: string[], cwd: string): Promise<{ code: number | null; output: string }> {
  const child = spawn(`${ROOT}node_modules/node/bin/node`, [`${ROOT}node_modules/.bin/conformance`, ...args], {
    cwd,
    env: cleanEnvironment(),
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: RUN_MS,
    killSignal: 'SIGKILL',
  })
  let output = ''
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (text: string) => (output += text))
  const code = await new Promise<number | null>((resolve) => child.on('close', resolve))
  return { code, output }
}
