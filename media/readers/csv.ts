// Tables in text: comma, semicolon or whatever else separates their cells.
import { readFile } from 'node:fs/promises'
import Papa from 'papaparse'
import { decodeText } from '../text-encoding.ts'
import { type Part, tableParts } from './table.ts'

/** @param delimiter found out when left out */
export async function readCsv(path: string, delimiter?: string): Promise<Part[]> {
  const text = decodeText(await readFile(path))
  const { data } = Papa.parse<string[]>(text, { skipEmptyLines: 'greedy', ...(delimiter && { delimiter }) })
  return tableParts(data)
}
