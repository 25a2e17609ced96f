// Source code, fenced with its language.
import { readFile } from 'node:fs/promises'
import { languageOf } from '../../kind/code-language.ts'
import { decodeText } from '../text-encoding.ts'
import { fencedPages } from './fenced.ts'
import type { UnnumberedPage } from './table.ts'

/** @param name of the file, which names the language */
export async function readSourceCode(path: string, name: string): Promise<UnnumberedPage[]> {
  const text = decodeText(await readFile(path))
  return fencedPages(text.replaceAll(/\r\n?/g, '\n'), languageOf(name, text)).map((page) => ({ text: page }))
}
