// OLE compound files, the containers of Office from before 2007 and of Outlook.
import { createRequire } from 'node:module'
import type * as Burner from '@kenjiuno/msgreader/lib/Burner'

const { burn } = createRequire(import.meta.url)('@kenjiuno/msgreader/lib/Burner') as typeof Burner

/** Streams by their names, and storages. */
export interface OleTree {
  [name: string]: Uint8Array | OleTree
}

const STORAGE = 1
const STREAM = 2
const ROOT = 5

export function ole(tree: OleTree): Buffer {
  const entries: Burner.Entry[] = []
  const add = (name: string, type: number, content: Uint8Array | OleTree): number => {
    const index = entries.length
    const entry: Burner.Entry = { name, type, length: 0 }
    entries.push(entry)
    if (content instanceof Uint8Array) {
      entry.length = content.length
      // A copy: the writer takes the whole buffer under a view.
      entry.binaryProvider = () => new Uint8Array(content)
    } else
      entry.children = Object.entries(content).map(([child, within]) =>
        add(child, within instanceof Uint8Array ? STREAM : STORAGE, within),
      )
    return index
  }
  add('Root Entry', ROOT, tree)
  return Buffer.from(burn(entries))
}

const unicode = (text: string) => Buffer.from(text, 'utf16le')

export interface OutlookItem {
  subject: string
  body?: string
  html?: string
  files?: Record<string, Uint8Array | OutlookItem>
}

/** A mail as Outlook stores it. */
export function msg(item: OutlookItem): Buffer {
  return ole(storageOf(item, 32))
}

function storageOf({ subject, body, html, files = {} }: OutlookItem, header: number): OleTree {
  const attached = Object.entries(files).map(([name, content], index): [string, OleTree] => [
    `__attach_version1.0_#${String(index).padStart(8, '0')}`,
    {
      '__properties_version1.0': Buffer.alloc(8),
      '__substg1.0_3707001F': unicode(name),
      '__substg1.0_3001001F': unicode(name),
      ...(content instanceof Uint8Array
        ? { '__substg1.0_37010102': content }
        : { '__substg1.0_3701000D': storageOf(content, 24) }),
    },
  ])
  return {
    '__properties_version1.0': Buffer.alloc(header),
    '__substg1.0_0037001F': unicode(subject),
    ...(body !== undefined && { '__substg1.0_1000001F': unicode(body) }),
    ...(html !== undefined && { '__substg1.0_1013001F': unicode(html) }),
    ...Object.fromEntries(attached),
  }
}
