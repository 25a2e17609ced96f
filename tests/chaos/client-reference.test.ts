// The reference of the client's names, made from the package as it is published; warnings are errors.
import { execFile } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, it, onTestFinished } from 'vitest'
import { buildClient } from '../../publish/client.ts'
import { ROOT } from '../support/children.ts'

it('has a page for the function, the classes and the transport', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'muxi-reference-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  const built = join(folder, 'built')
  await buildClient(built)
  const read = (name: string): object => JSON.parse(readFileSync(join(ROOT, 'publish', name), 'utf8'))
  const write = (name: string, value: object) => {
    writeFileSync(join(folder, name), JSON.stringify(value))
    return join(folder, name)
  }
  const out = join(folder, 'reference')
  const tsconfig = write('tsconfig.json', { ...read('typedoc.tsconfig.json'), include: [`${built}/**/*.d.ts`] })
  const entryPoints = ['index.d.ts', 'chat-transport.d.ts'].map((name) => join(built, name))
  const readme = join(built, 'README.md')
  const options = write('typedoc.json', { ...read('typedoc.json'), tsconfig, entryPoints, readme, out })
  const typedoc = join(ROOT, 'node_modules/.bin/typedoc')
  const { stderr } = await promisify(execFile)(typedoc, ['--options', options])
  expect(stderr).toBe('')
  const pages = readdirSync(out, { recursive: true, encoding: 'utf8' })
  expect(pages).toEqual(
    expect.arrayContaining([
      'functions/index.muxi.html',
      'classes/index.Muxi.html',
      'classes/index.MuxiError.html',
      'classes/chat-transport.MuxiChatTransport.html',
    ]),
  )
})
