// Tables in text: with comma, semicolon or another delimiter.
import { readFile } from 'node:fs/promises'
import Papa from 'papaparse'
import { decodeText } from '../text-encoding.ts'
import { type UnnumberedPage, tableParts } from './table.ts'

/** @param delimiter detected by default */
export async function readCsv(path: string, delimiter?: string): Promise<UnnumberedPage[]> {
  const text = decodeText(await readFile(path))
  const { data } = Papa.parse<string[]>(text, { skipEmptyLines: 'greedy', ...(delimiter && { delimiter }) })
  return tableParts(data)
}
