// The client scenarios of the MCP conformance suite, against our own client: connecting, calling, and every way of signing in.
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { describe, expect, it } from 'vitest'
import { ROOT } from '../support/children.ts'
import { NODE } from '../support/mcp-servers.ts'
import { tempDir } from '../support/temp-dir.ts'

/** Scenarios that do not apply, each with its reason. A scenario of the suite that is neither here nor passes fails the test. */
const LEFT_OUT: Record<string, string> = {
  'auth/client-credentials-jwt': 'an extension: muxi signs people in, and no machine under a key of its own',
  'auth/client-credentials-basic': 'an extension: muxi signs people in, and no machine under a secret of its own',
  'auth/cross-app-access-complete-flow': 'an extension: muxi has no identity provider whose tokens it could exchange',
}

const SUITE = `${ROOT}node_modules/.bin/conformance`
const CLIENT = `${NODE} ${ROOT}tests/support/conformance-client.ts`
const suite = async (...args: string[]) =>
  promisify(execFile)(NODE, [SUITE, ...args], { timeout: 60_000 }).catch(
    (error: { stdout: string; stderr: string }) => error,
  )

const { stdout } = await suite('list', '--client')
const scenarios = [...stdout.matchAll(/^ {2}- (\S+)/gm)].map(([, name = '']) => name)

it('every scenario that is left out is one of the suite', () => {
  expect(scenarios.length).toBeGreaterThan(20)
  expect(Object.keys(LEFT_OUT).filter((name) => !scenarios.includes(name))).toEqual([])
})

describe('the scenario', () => {
  for (const name of scenarios.filter((each) => !(each in LEFT_OUT))) {
    it(`${name} passes`, async () => {
      const told = await suite('client', '--command', CLIENT, '--scenario', name, '--output-dir', tempDir())
      const text = told.stdout + told.stderr
      expect(text).toMatch(/^Passed: ([1-9]\d*)\/\1, 0 failed, 0 warnings/m)
    })
  }
})
