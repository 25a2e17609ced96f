// Installed OCR languages: each is a data package.
import { readdirSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { MuxiError } from '../../contracts/failures.ts'

const SCOPE = dirname(dirname(createRequire(import.meta.url).resolve('@tesseract.js-data/eng')))

/** Their codes: `deu`, `eng`, … */
export function installedLanguages(): string[] {
  return readdirSync(SCOPE)
    .filter((name) => /^[a-z]{3}(_[a-z]+)?$/.test(name))
    .toSorted()
}

/** The smaller of the two models in a package: integer weights of the best one. */
export function languageFile(code: string): string {
  return join(SCOPE, code, '4.0.0_best_int', `${code}.traineddata.gz`)
}

/** @throws MuxiError that lists the installed ones */
export function checkLanguages(languages: readonly string[]): void {
  const installed = installedLanguages()
  const unknown = languages.filter((code) => !installed.includes(code))
  if (unknown.length === 0) return
  throw new MuxiError(
    'bad_request',
    `Cannot read the text of pictures: 'languages' must be of ${installed.join(', ')}, got '${unknown.join(', ')}'. ` +
      `Another one is installed with: npm install @tesseract.js-data/${unknown[0]}`,
  )
}
