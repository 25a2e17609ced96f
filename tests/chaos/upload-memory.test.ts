// 2 GB by a resumable upload: how much the API process, and a program with the client, grow meanwhile.
import { execFile } from 'node:child_process'
import { closeSync, ftruncateSync, openSync, readFileSync } from 'node:fs'
import { request as httpRequest } from 'node:http'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { Readable } from 'node:stream'
import { promisify } from 'node:util'
import { expect, it, onTestFinished } from 'vitest'
import { openStage } from '../support/stage.ts'

const MB = 2 ** 20
const SIZE = 2_048 * MB
const MOST_GROWTH_MB = 64

/** Resident memory of a process, in MB, now and at its peak. */
function residentMb(pid: number): { now: number; peak: number } {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8')
  const read = (name: string) => Number(new RegExp(`${name}:\\s+(\\d+)`).exec(status)?.[1]) / 1_024
  return { now: read('VmRSS'), peak: read('VmHWM') }
}

it.skipIf(process.platform !== 'linux')('an upload of 2 GB grows the API by at most 64 MB', async () => {
  const stage = await openStage()
  onTestFinished(() => stage.close())
  const muxi = await stage.start('api')
  const tus = { authorization: `Bearer ${stage.key}`, 'tus-resumable': '1.0.0' }
  const upload = async (size: number) => {
    const begun = await fetch(`${muxi.url}/api/v1/files/uploads`, {
      method: 'POST',
      headers: { ...tus, 'upload-length': String(size) },
    })
    const headers = {
      ...tus,
      'upload-offset': '0',
      'content-type': 'application/offset+octet-stream',
      'content-length': String(size),
    }
    const sending = httpRequest(muxi.url + begun.headers.get('location'), { method: 'PATCH', headers })
    const status = new Promise((resolve, reject) => {
      sending.on('response', (answer) => resolve(answer.resume().statusCode))
      sending.on('error', reject)
    })
    await pipeline(Readable.from(zeros(size)), sending)
    expect(await status).toBe(204)
  }
  // What any upload needs once, such as code and buffers.
  await upload(64 * MB)
  const before = residentMb(muxi.pid)
  await upload(SIZE)
  const after = residentMb(muxi.pid)
  console.log(`resident before ${before.now.toFixed(0)} MB, peak ${after.peak.toFixed(0)} MB`)
  expect(after.peak - Math.max(before.now, before.peak)).toBeLessThan(MOST_GROWTH_MB)
})

it.skipIf(process.platform !== 'linux')('the client sends a file of 2 GB and grows by at most 64 MB', async () => {
  const stage = await openStage()
  onTestFinished(() => stage.close())
  const muxi = await stage.start('api')
  const sparse = (name: string, size: number) => {
    const path = join(stage.folder, name)
    const file = openSync(path, 'w')
    ftruncateSync(file, size)
    closeSync(file)
    return path
  }
  const files = [sparse('warm-up', 64 * MB), sparse('large', SIZE)]
  const program = join(import.meta.dirname, '../support/client-upload.ts')
  const server = residentMb(muxi.pid)
  const { stdout } = await promisify(execFile)(process.execPath, [program, muxi.url, stage.key, ...files])
  const { uploaded, before_mb, peak_mb } = JSON.parse(stdout) as Record<'before_mb' | 'peak_mb', number> & {
    uploaded: { size: number }[]
  }
  const { peak } = residentMb(muxi.pid)
  const figures = { before_mb, peak_mb, server_before_mb: server.now, server_peak_mb: peak }
  console.log(JSON.stringify(figures))
  expect(uploaded.map(({ size }) => size)).toEqual([64 * MB, SIZE])
  expect(peak_mb - before_mb).toBeLessThan(MOST_GROWTH_MB)
})

function* zeros(size: number): Generator<Buffer> {
  const chunk = Buffer.alloc(MB)
  for (let sent = 0; sent < size; sent += MB) yield chunk
}
