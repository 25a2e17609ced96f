// Files of this machine, in Node and Deno: nothing of it is loaded in browsers.

/** The part of `node:fs/promises` that is used. */
interface Files {
  open(path: string): Promise<{
    stat(): Promise<{ size: number }>
    read(into: Uint8Array, offset: number, length: number, position: number): Promise<{ bytesRead: number }>
    close(): Promise<void>
  }>
  readFile(path: string, encoding: 'utf8'): Promise<string>
}

/** Bytes that are read piece by piece; a Blob is one. */
export interface FileSource {
  readonly size: number
  readonly name?: string
  readonly type?: string
  slice(start: number, end: number): Blob | Promise<Uint8Array<ArrayBuffer>>
  close?(): Promise<void>
}

/** Not a literal: bundlers for browsers would look for it. */
const FILES = 'node:fs/promises'
const YAML = 'yaml'

async function files(): Promise<Files> {
  try {
    return (await import(/* webpackIgnore: true */ /* turbopackIgnore: true */ /* @vite-ignore */ FILES)) as Files
  } catch (cause) {
    throw new TypeError('Cannot read a path here: pass a Blob, bytes or a stream', { cause })
  }
}

export async function openFile(path: string): Promise<FileSource> {
  const file = await (await files()).open(path)
  const { size } = await file.stat()
  return {
    size,
    name: path.split(/[/\\]/).at(-1)!,
    async slice(start, end) {
      const bytes = new Uint8Array(end - start)
      for (let at = 0; at < bytes.length;) {
        const { bytesRead } = await file.read(bytes, at, bytes.length - at, start + at)
        if (bytesRead === 0) throw new TypeError(`Cannot read '${path}': it has become shorter`)
        at += bytesRead
      }
      return bytes
    },
    close: () => file.close(),
  }
}

/** Reads a JSON or YAML file. YAML needs the package `yaml`. */
export async function readConfig(path: string): Promise<Record<string, unknown>> {
  const text = await (await files()).readFile(path, 'utf8')
  if (/\.json$/i.test(path)) return JSON.parse(text) as Record<string, unknown>
  let yaml: { parse(source: string): unknown }
  try {
    yaml = (await import(/* webpackIgnore: true */ /* turbopackIgnore: true */ /* @vite-ignore */ YAML)) as typeof yaml
  } catch (cause) {
    throw new TypeError(`Cannot read '${path}': install the package 'yaml', or write the agent as JSON`, { cause })
  }
  return yaml.parse(text) as Record<string, unknown>
}
