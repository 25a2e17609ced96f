// Virtual environments for Python programs that tests run, made once each into the user's cache folder.
import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)
const MINUTE_MS = 60_000

/**
 * The interpreter of an environment that has what a requirements file lists. Run programs with `-m`: the environment has been moved.
 * @throws when the machine's `python3` cannot make it
 */
export async function pythonWith(name: string, requirementsFile: string): Promise<string> {
  const digest = createHash('sha256').update(readFileSync(requirementsFile)).digest('hex').slice(0, 12)
  const cache = join(process.env['XDG_CACHE_HOME'] || join(homedir(), '.cache'), 'muxi')
  const folder = join(cache, `python-${name}-${digest}`)
  const interpreter = (environment: string) => join(environment, 'bin', 'python')
  if (existsSync(folder)) return interpreter(folder)
  mkdirSync(cache, { recursive: true })
  const partial = mkdtempSync(`${folder}.`)
  try {
    await run('python3', ['-m', 'venv', partial], { timeout: MINUTE_MS })
    const install = ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '-r', requirementsFile]
    await run(interpreter(partial), install, { timeout: 3 * MINUTE_MS })
    renameSync(partial, folder)
  } catch (error) {
    rmSync(partial, { recursive: true, force: true })
    // Another process was first.
    if (!existsSync(folder)) throw error
  }
  return interpreter(folder)
}
