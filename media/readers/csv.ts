// Tables in text: comma, semicolon or whatever else separates their cells.
import { readFile } from 'node:fs/promises'
import Papa from 'papaparse'
import { textEncoding } from '../text-encoding.ts'
import { type Part, tableParts } from './table.ts'

/** @param delimiter found out when left out */
export async function readCsv(path: string, delimiter?: string): Promise<Part[]> {
  const bytes = await readFile(path)
  const text = new TextDecoder(textEncoding(bytes) ?? 'utf-8').decode(bytes)
  const { data } = Papa.parse<string[]>(text, { skipEmptyLines: 'greedy', ...(delimiter && { delimiter }) })
  return tableParts(data)
}
