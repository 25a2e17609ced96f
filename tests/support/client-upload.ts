// A program that uploads files with the client, and prints its memory: `client-upload.ts URL KEY FILE...`, the first file to warm up.
import { muxi } from '../../client/index.ts'

const [serverUrl, apiKey, ...files] = process.argv.slice(2)
const app = muxi({ serverUrl: serverUrl!, apiKey: apiKey! })
const uploaded: { id: string; size: number }[] = []
let before = 0
for (const file of files) {
  before = peakMb()
  const { id, size } = await app.files.create(file)
  uploaded.push({ id, size })
}
process.stdout.write(JSON.stringify({ uploaded, before_mb: before, peak_mb: peakMb() }))

/** Resident memory of this process at its peak, in MB. */
function peakMb(): number {
  return process.resourceUsage().maxRSS / 1_024
}
