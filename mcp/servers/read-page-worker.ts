// The thread that parses pages.
import { parentPort } from 'node:worker_threads'
import type { WorkerMessage } from './bounded-worker.ts'
import { readPage, type Page, type PageSource } from './read-page.ts'

const say = (message: WorkerMessage<Page>) => parentPort?.postMessage(message)

parentPort?.on('message', (source: PageSource) => {
  try {
    say({ answer: readPage(source) })
  } catch (error) {
    say({ error: error instanceof Error ? error.message : String(error) })
  }
})
say({ ready: true })
