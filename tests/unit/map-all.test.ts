import { readdirSync, readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { mapAll } from '../../contracts/map-all.ts'

const ROOT = new URL('../../', import.meta.url)
/** Workflows are left out: there the SDK makes an unhandled rejection the failure of its workflow. */
const FOLDERS = [
  'activities',
  'api',
  'cli',
  'composition',
  'config',
  'contracts',
  'db',
  'embedded',
  'mcp',
  'media',
  'providers',
  'workers',
]

describe('mapAll()', () => {
  it('gives the results in the order of the items', async () => {
    expect(await mapAll([3, 1, 2], async (item, index) => item * 10 + index)).toEqual([30, 11, 22])
  })

  it('leaves no rejection unhandled when a later item throws synchronously', async () => {
    const unhandled: unknown[] = []
    const listen = (reason: unknown) => unhandled.push(reason)
    process.on('unhandledRejection', listen)
    const later = new Error('later')
    const work = (item: number) => {
      if (item === 2) throw new Error('at once')
      return new Promise<never>((_, reject) => setImmediate(() => reject(later)))
    }
    await expect(mapAll([1, 2], work)).rejects.toBe(later)
    await new Promise((resolve) => setImmediate(resolve))
    process.off('unhandledRejection', listen)
    expect(unhandled).toEqual([])
  })

  it('waits for all items before it throws the first failure', async () => {
    const ended: number[] = []
    const work = async (item: number) => {
      await new Promise((resolve) => setImmediate(resolve))
      ended.push(item)
      if (item < 3) throw new Error(`item ${item}`)
    }
    await expect(mapAll([1, 2, 3], work)).rejects.toThrow('item 1')
    expect(ended).toEqual([1, 2, 3])
  })
})

it('no promise combinator is given promises that a loop makes: mapAll() is', () => {
  const faults = FOLDERS.flatMap((folder) =>
    readdirSync(new URL(`${folder}/`, ROOT), { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.ts') && !name.includes('node_modules'))
      .flatMap((name) => {
        const text = readFileSync(new URL(`${folder}/${name}`, ROOT), 'utf8')
        return [...text.matchAll(/Promise\.(?:all|any|race)\((?:(?!\[)|\[\s*\.\.\.)/g)].map(
          ({ index }) => `${folder}/${name}:${text.slice(0, index).split('\n').length}`,
        )
      }),
  )
  expect(faults).toEqual([])
})
