// What embedding takes: a question, and passages of this repository's documents as an ingestion divides them.
import { readdirSync, readFileSync } from 'node:fs'
import { performance } from 'node:perf_hooks'
import { fileURLToPath } from 'node:url'
import { chunkPages } from '../../media/document/chunk.ts'
import { openMeasured } from './bench-embedder.ts'
import { ms, percentile, report } from './measure.ts'
import { QUESTIONS } from './questions.ts'

const DOCS = new URL('../../docs/', import.meta.url)
const { signal } = new AbortController()

export async function embedding(): Promise<void> {
  const startedAt = performance.now()
  const embedder = await openMeasured()
  report(`${embedder.model}: loading`, ms(performance.now() - startedAt))
  const took: number[] = []
  for (const [, question] of QUESTIONS) {
    const askedAt = performance.now()
    await embedder.embed([question], signal, 'query')
    took.push(performance.now() - askedAt)
  }
  report('embedding of a question', `${ms(percentile(took, 50))} p50, ${ms(percentile(took, 95))} p95`)
  const files = readdirSync(DOCS).filter((name) => name.endsWith('.md'))
  const pages = files.map((name, index) => ({
    page: index + 1,
    text: readFileSync(fileURLToPath(new URL(name, DOCS)), 'utf8'),
  }))
  const texts = chunkPages(pages).map(({ text }) => text)
  const characters = texts.reduce((sum, { length }) => sum + length, 0) / texts.length
  const before = performance.eventLoopUtilization()
  const busy = process.cpuUsage()
  const passagesAt = performance.now()
  await embedder.embed(texts, signal)
  const each = (performance.now() - passagesAt) / texts.length
  const { utilization } = performance.eventLoopUtilization(before)
  const { user, system } = process.cpuUsage(busy)
  const cpu = (((user + system) / 1_000) * 100) / texts.length
  report(
    `embedding of 100 passages of ${characters.toFixed(0)} characters`,
    `${ms(each * 100)} (processor time ${ms(cpu)}), event loop busy for ${(utilization * 100).toFixed(0)} % of it`,
  )
  await embedder.close?.()
}
