// Old office formats: converted by a program with limits, a stand-in for LibreOffice, and by LibreOffice where it is installed.
import { execFileSync } from 'node:child_process'
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { withConverted } from '../../media/document/convert-office.ts'
import { readDocument } from '../../media/document/parse-document.ts'
import { isAlive } from '../support/is-alive.ts'

const fixture = (name: string) => `tests/fixtures/office/${name}`
const options = (time_ms = 60_000) => ({
  signal: new AbortController().signal,
  limits: { memory_mb: 1_024, time_ms, output_bytes: 2 ** 24, max_pages: 100 },
})

let folder: string
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'office-'))
})
afterAll(() => rmSync(folder, { recursive: true }))

/** A folder with a program of this name that is a script; the result is to be written to `$out`. */
function stand(...lines: string[]): string[] {
  const programs = mkdtempSync(join(folder, 'bin-'))
  const script = join(programs, 'soffice')
  const out = 'while [ "$1" != --outdir ]; do shift; done; out="$2/document.docx"; source="$3"; mkdir -p "$2"'
  writeFileSync(script, ['#!/bin/sh', `here=${programs}`, 'all="$*"', out, ...lines, ''].join('\n'))
  chmodSync(script, 0o755)
  return [programs]
}

const convert = (programs: string[], time_ms?: number) =>
  withConverted(fixture('handbook.doc'), 'doc', options(time_ms), async (path) => readFileSync(path, 'utf8'), programs)

describe('a document of an old format', () => {
  it('names the package of Debian when LibreOffice is not installed', async () => {
    await expect(convert([folder])).rejects.toMatchObject({
      reason: 'no_converter',
      message: expect.stringMatching(/^Word documents .*apt-get install libreoffice-writer-nogui.*DOCX/),
    })
  })

  it('is converted with a profile of its own, of which nothing is left', async () => {
    const programs = stand('echo "$all" > "$here/arguments"; env > "$here/environment"; cat "$source" | wc -c > "$out"')
    process.env['MUXI_SECRET_OF_A_TEST'] = 'secret'
    expect(Number(await convert(programs))).toBe(readFileSync(fixture('handbook.doc')).length)
    const given = readFileSync(join(programs[0]!, 'arguments'), 'utf8')
    const profile = /-env:UserInstallation=file:\/\/(\S+)/.exec(given)![1]!
    expect(given).toContain('--headless')
    expect(readFileSync(join(programs[0]!, 'environment'), 'utf8')).not.toContain('MUXI_SECRET_OF_A_TEST')
    expect(existsSync(profile)).toBe(false)
  })

  it('is converted after the restart that a new profile asks for', async () => {
    expect(
      await convert(stand('[ -f "$here/again" ] || { touch "$here/again"; exit 81; }', 'echo done > "$out"')),
    ).toBe('done\n')
  })

  it('is damaged when nothing comes of it, or the program fails', async () => {
    await expect(convert(stand(''))).rejects.toMatchObject({ reason: 'damaged' })
    await expect(convert(stand('exit 3'))).rejects.toMatchObject({ reason: 'damaged' })
  })

  it('that takes too long is given up, and no process of the program is left', async () => {
    const programs = stand('sleep 1000 & echo $! > "$here/pid.new"; mv "$here/pid.new" "$here/pid"; wait')
    await expect(convert(programs, 1_500)).rejects.toMatchObject({ reason: 'too_slow' })
    const pid = Number(readFileSync(join(programs[0]!, 'pid'), 'utf8'))
    await expect.poll(() => isAlive(pid)).toBe(false)
  })
})

const isInstalled = (() => {
  try {
    return execFileSync('soffice', ['--version'], { encoding: 'utf8' }).includes('LibreOffice')
  } catch {
    return false
  }
})()

describe.skipIf(!isInstalled)('LibreOffice', () => {
  it('gives the text of a Word document', async () => {
    const { kind, pages } = await readDocument(fixture('handbook.doc'), options())
    expect(kind).toBe('doc')
    expect(pages.map(({ text }) => text).join('\n')).toMatch(/# The Ferry Handbook[^]*\| Adult \| 42 \| 2024-03-01 \|/)
  })

  it('gives the cells of an Excel workbook', async () => {
    const { pages } = await readDocument(fixture('fares.xls'), options())
    expect(pages[0]).toMatchObject({
      label: 'Sheet Fares',
      text: expect.stringContaining('| Adult | 42 | 2024-03-01 | 84 |'),
    })
  })
})
