// What `muxi mcp new` writes, used on its own: npm installs it, and its own commands check, test, build and start it.
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it, onTestFinished } from 'vitest'
import { newMcpServer } from '../../cli/mcp-new.ts'
import { CONFORMING_GENERATED, conformingScenarios, LEFT_OUT_OF_GENERATED } from '../support/conformance.ts'
import { runIn, startIn } from '../support/generated.ts'

it('installs, type-checks, passes its tests, builds, starts and conforms', async () => {
  const cwd = mkdtempSync(join(tmpdir(), 'muxi-generated-'))
  onTestFinished(() => rmSync(cwd, { recursive: true }))
  const tool = 'weather(city: string, days?: integer, unit: metric|imperial) Tells the weather of a city'
  await newMcpServer(['forecast', '--tool', tool, '--tool', 'ping Says pong'], cwd, undefined)
  const folder = join(cwd, 'forecast')
  const { dependencies, devDependencies } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'))
  for (const version of Object.values({ ...dependencies, ...devDependencies }))
    expect(version).toMatch(/^\d+\.\d+\.\d+$/)
  await runIn(folder, 'npm', 'install', '--no-fund', '--no-audit')
  expect(existsSync(join(folder, 'package-lock.json'))).toBe(true)
  await runIn(folder, 'npm', 'run', 'typecheck')
  expect(await runIn(folder, 'npm', 'test', '--', '--no-color')).toMatch(/Tests +\d+ passed \(\d+\)/)
  await runIn(folder, 'npm', 'run', 'build')
  for (const main of ['src/main.ts', 'dist/main.js']) {
    const served = await startIn(folder, 'node', main, '--http')
    try {
      expect(await conformingScenarios(served.url, LEFT_OUT_OF_GENERATED)).toEqual(CONFORMING_GENERATED)
    } finally {
      expect(await served.stop()).toBe(0)
    }
  }
})
