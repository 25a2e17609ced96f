// A child program that tries to write a file: itself, and by a worker thread with permissions of its own choice.
import { existsSync, writeFileSync } from 'node:fs'
import { Worker } from 'node:worker_threads'
import { answerRequests } from '../../media/process/child-protocol.ts'

const WRITE = `require('node:fs').writeFileSync(require('node:worker_threads').workerData, '')`
const ALLOWED = ['--permission', '--allow-fs-read=*', '--allow-fs-write=*']

answerRequests<{ path: string }>(async ({ path }) => {
  try {
    writeFileSync(path, '')
  } catch {
    // as it should be
  }
  try {
    const worker = new Worker(WRITE, { eval: true, execArgv: ALLOWED, workerData: path })
    await new Promise((resolve) => worker.on('error', resolve).on('exit', resolve))
  } catch {
    // as it should be
  }
  return { written: existsSync(path) }
})
