// A process that reports when it has one idle and one busy parser, for tests that then kill it.
import { inspectDocument, parsePages } from '../../media/document/parse-document.ts'

const path = process.argv[2]!
const limits = { memory_mb: 512, time_ms: 60_000, output_bytes: 100_000_000, max_pages: 10_000 }
const options = { signal: new AbortController().signal, limits }

await Promise.all([inspectDocument(path, options), inspectDocument(path, options)])
console.log('waiting')
// The one that is asked again and again is never idle long enough to end; the other one ends after a while.
for (;;) await parsePages(path, { from: 1, to: 3_000 }, options)
