// Converts old and other office formats to newer ones with LibreOffice, where it is installed: in a process with limits,
// without network, macros and links, and with a profile of its own that is deleted afterwards.
import { access, mkdir, readdir, realpath, stat, symlink, writeFile } from 'node:fs/promises'
import { delimiter, dirname, join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { MediaFailure } from '../failure.ts'
import { type Command, ProgramFailed, runLimited } from '../process/limited-process.ts'
import { inScratch } from '../process/scratch.ts'
import { OFFICE, type OfficeKind } from '../kind/office-kinds.ts'
import { isEncryptedOle } from '../kind/ole-kind.ts'
import type { ParseOptions } from './parse-limits.ts'

/** The library of each part of LibreOffice. */
const LIBRARIES = { writer: 'libswlo.so', calc: 'libsclo.so', impress: 'libsdlo.so', draw: 'libsdlo.so' }
/** Limit of a converted file, in bytes. */
const MAX_CONVERTED = 512 * 2 ** 20
/** A new profile is complete only after a restart, which the program asks for with this exit code. */
const RESTART = 'code 81'

const setting = (path: string, name: string, value: string) =>
  `<item oor:path="/org.openoffice.Office.${path}"><prop oor:name="${name}" oor:op="fuse"><value>${value}</value></prop></item>`
/** No macros, no content of other files or hosts, no recovery of earlier documents. */
const PROFILE = `<?xml version="1.0" encoding="UTF-8"?>
<oor:items xmlns:oor="http://openoffice.org/2001/registry" xmlns:xs="http://www.w3.org/2001/XMLSchema">
${setting('Common/Security/Scripting', 'DisableMacrosExecution', 'true')}
${setting('Common/Security/Scripting', 'MacroSecurityLevel', '3')}
${setting('Common/Security/Scripting', 'BlockUntrustedRefererLinks', 'true')}
${setting('Common/Security/Scripting', 'DisableActiveContent', 'true')}
${setting('Writer/Content/Update', 'Link', '0')}
${setting('Calc/Content/Update', 'Link', '2')}
${setting('Common/Save/Document', 'AutoSave', 'false')}
</oor:items>`

/**
 * Converts a file, which exists while `use` runs.
 * @param programs the folders in which LibreOffice is looked for
 * @throws MediaFailure `no_converter` without LibreOffice, or the signal's reason
 */
export async function withConverted<T>(
  path: string,
  kind: OfficeKind,
  { signal, limits }: ParseOptions,
  use: (converted: string, name: string) => Promise<T>,
  programs: readonly string[] = (process.env['PATH'] ?? '').split(delimiter),
): Promise<T> {
  const { to } = OFFICE[kind]
  const program = await findOffice(kind, programs)
  return inScratch(async (folder) => {
    const [profile, source, out] = [join(folder, 'profile'), join(folder, `document.${kind}`), join(folder, 'out')]
    await mkdir(join(profile, 'user'), { recursive: true })
    await writeFile(join(profile, 'user', 'registrymodifications.xcu'), PROFILE)
    await symlink(resolve(path), source)
    const command: Command = [
      'env',
      [
        `HOME=${folder}`,
        `TMPDIR=${folder}`,
        program,
        `-env:UserInstallation=${pathToFileURL(profile).href}`,
        '--headless',
        '--norestore',
        '--nologo',
        '--nodefault',
        '--nolockcheck',
        '--convert-to',
        to,
        '--outdir',
        out,
        source,
      ],
    ]
    await convert(command, { signal, limits, what: 'document' })
    const [made] = await readdir(out).catch(() => [])
    if (made === undefined) throw await unreadable(path)
    const converted = join(out, made)
    if ((await stat(converted)).size > MAX_CONVERTED)
      throw new MediaFailure('too_large', `The converted document is larger than ${MAX_CONVERTED} bytes`)
    return use(converted, `document.${to}`)
  })
}

async function unreadable(path: string): Promise<MediaFailure> {
  return (await isEncryptedOle(path))
    ? new MediaFailure('encrypted', 'The document is encrypted and opens only with a password')
    : new MediaFailure('damaged', 'LibreOffice cannot read the document: it may be damaged or encrypted')
}

async function convert(command: Command, options: Parameters<typeof runLimited>[1]): Promise<void> {
  for (const isLast of [false, true])
    try {
      await runLimited(command, options)
      return
    } catch (cause) {
      if (!(cause instanceof ProgramFailed)) throw cause
      if (!isLast && cause.message.includes(RESTART)) continue
      throw new MediaFailure('damaged', 'The document makes LibreOffice crash', { cause })
    }
}

/** The program itself and not the script that starts it, so that its memory can be watched. */
async function findOffice(kind: OfficeKind, folders: readonly string[]): Promise<string> {
  const { part } = OFFICE[kind]
  for (const folder of folders) {
    const script = await realpath(join(folder, 'soffice')).catch(() => undefined)
    if (script === undefined) continue
    const within = dirname(script)
    const binary = join(within, 'soffice.bin')
    if (!(await exists(binary))) return script
    if (await exists(join(within, LIBRARIES[part]))) return binary
  }
  throw new MediaFailure('no_converter', missing(kind))
}

function missing(kind: OfficeKind): string {
  const { name, part, to } = OFFICE[kind]
  return `${name[0]!.toUpperCase()}${name.slice(1)} are read with LibreOffice, which is not installed on the server (apt-get install libreoffice-${part}-nogui); or save it as ${to.toUpperCase()}`
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  )
}
