// A server that speaks S3 for tests: moto, in which Amazon's own interfaces are rebuilt, from Python wheels.
import { execFile, spawn } from 'node:child_process'
import { existsSync, mkdtempSync, renameSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import { freePort } from './free-port.ts'

const WHEELS = ['moto[s3]==5.2.5', 'flask==3.1.3', 'flask-cors==6.0.2']
const START_MS = 30_000
/** Planted: must turn up in no log. */
export const S3_CREDENTIALS = { access_key_id: 'AKIAPLANTED4E1C7A9B2D', secret_access_key: 'planted-6f0c2b7e4a958d1f' }

const run = promisify(execFile)

export interface S3Server {
  endpoint: string
  /** A fresh, empty bucket. @returns `BLOB_URL` for it */
  createBucket(name: string): Promise<string>
  stop(): Promise<void>
}

export async function startS3(): Promise<S3Server> {
  const port = await freePort()
  const child = spawn('python3', ['-m', 'moto.server', '-H', '127.0.0.1', '-p', String(port)], {
    env: { PATH: process.env['PATH'], PYTHONPATH: await installed() },
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  let said = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => (said = (said + text).slice(-10_000)))
  const ended = new Promise<void>((resolve) => child.on('exit', () => resolve()))
  const endWithUs = () => child.kill('SIGKILL')
  process.once('exit', endWithUs)
  void ended.then(() => process.removeListener('exit', endWithUs))
  const endpoint = `http://127.0.0.1:${port}`
  const deadline = Date.now() + START_MS
  while (child.exitCode !== null || !(await answers(endpoint))) {
    if (child.exitCode !== null || Date.now() > deadline) throw new Error(`moto did not start; it said:\n${said}`)
    await sleep(50)
  }
  return {
    endpoint,
    async createBucket(name) {
      const authorization = `AWS4-HMAC-SHA256 Credential=${S3_CREDENTIALS.access_key_id}/20260101/us-east-1/s3/aws4_request`
      const response = await fetch(`${endpoint}/${name}`, { method: 'PUT', headers: { authorization } })
      if (!response.ok) throw new Error(`no bucket: ${await response.text()}`)
      return `s3://${name}/files?endpoint=${encodeURIComponent(endpoint)}&region=us-east-1`
    },
    async stop() {
      child.kill('SIGKILL')
      await ended
    },
  }
}

/** The folder with the wheels' contents, got once. */
async function installed(): Promise<string> {
  const folder = join(tmpdir(), `muxi-${WHEELS[0]!.replaceAll(/[^a-z0-9.]+/g, '-')}-${process.getuid?.() ?? 'user'}`)
  if (existsSync(folder)) return folder
  const partial = mkdtempSync(`${folder}.`)
  const quiet = ['--quiet', '--disable-pip-version-check', '--root-user-action=ignore']
  await run('python3', ['-m', 'pip', 'install', ...quiet, '--target', partial, ...WHEELS])
  try {
    renameSync(partial, folder)
  } catch (error) {
    // Another process was first.
    rmSync(partial, { recursive: true, force: true })
    if (!existsSync(folder)) throw error
  }
  return folder
}

function answers(endpoint: string): Promise<boolean> {
  return fetch(`${endpoint}/moto-api/data.json`).then(
    (response) => response.ok,
    () => false,
  )
}
