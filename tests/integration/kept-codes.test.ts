// Codes of vectors that are kept in memory between searches: what another process has changed is seen by the next search.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { codeOf } from '../../db/vector-code.ts'
import { openFile } from '../../db/sqlite-file.ts'
import { openStorage } from '../../db/storage.ts'
import { openVectors } from '../../vectors/open-vectors.ts'
import { toBytes } from '../../vectors/sqlite/chunks.ts'
import { type CodeBlock, KeptCodes } from '../../vectors/sqlite/kept-codes.ts'
import { seeded } from '../support/seeded.ts'

const DIMENSION = 32
const A_BLOCK = 8
const random = seeded(5)
const anyVector = () => Float32Array.from({ length: DIMENSION }, () => random() - 0.5)

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'muxi-codes-'))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

describe('kept codes', () => {
  let writer: ReturnType<typeof openFile>
  let reader: ReturnType<typeof openFile>
  beforeEach(() => {
    writer = openFile(join(folder, 'codes.db'))
    writer.exec('create table vector_sets (name text primary key, created_at text)')
    createTable('yesterday')
    reader = openFile(join(folder, 'codes.db'), { readOnly: true })
  })
  afterEach(() => {
    reader.close()
    writer.close()
  })

  function createTable(created_at: string): void {
    writer.exec(`create virtual table vectors using vec0(space text partition key, code bit[${DIMENSION}], +embedding blob,
      chunk_size=${A_BLOCK})`)
    writer.prepare("insert into vector_sets values ('vectors', ?)").run(created_at)
  }
  function add(space: string, ids: readonly number[]): void {
    for (const id of ids) {
      const vector = anyVector()
      writer
        .prepare('insert into vectors (rowid, space, code, embedding) values (?, ?, vec_bit(?), ?)')
        .run(BigInt(id), space, codeOf(vector), toBytes(vector))
    }
  }
  const remove = (id: number) => writer.prepare('delete from vectors where rowid = ?').run(BigInt(id))
  const numbers = (from: number, count: number) => Array.from({ length: count }, (_, n) => from + n)
  const idsOf = (blocks: CodeBlock[]) =>
    blocks.flatMap(({ validity, rowids }) =>
      [...new BigInt64Array(rowids.buffer)].flatMap((id, place) =>
        validity[place >> 3]! & (1 << (place & 7)) ? [Number(id)] : [],
      ),
    )

  it('follow what others add and delete, and only changed blocks are read again', () => {
    const kept = new KeptCodes(reader, 1e6)
    const ours = () => idsOf(kept.read('vectors', 'ours'))
    add('ours', numbers(1, 20))
    add('theirs', numbers(21, 3))
    const first = kept.read('vectors', 'ours')
    expect(idsOf(first)).toEqual(numbers(1, 20))
    add('ours', [30])
    remove(2)
    const second = kept.read('vectors', 'ours')
    // Until it is read again there may be more than there is, never less.
    expect(idsOf(second)).toEqual([...numbers(1, 20), 30])
    expect(second.map((block, at) => block === first[at])).toEqual([true, true, false])
    expect(idsOf(kept.readAgain('vectors', 'ours'))).toEqual([1, ...numbers(3, 18), 30])
    // The whole of a block, and the latest of all.
    for (const id of [...numbers(9, 8), 30]) remove(id)
    expect(ours()).toContain(1)
    add('theirs', [31])
    add('ours', numbers(40, 10))
    expect(ours()).toEqual(expect.arrayContaining([...numbers(17, 4), ...numbers(40, 10)]))
    expect(idsOf(kept.readAgain('vectors', 'ours'))).toEqual([
      1,
      ...numbers(3, 6),
      ...numbers(17, 4),
      ...numbers(40, 10),
    ])
    expect(idsOf(kept.read('vectors', 'theirs'))).toEqual([...numbers(21, 3), 31])
    expect(kept.read('vectors', 'none')).toEqual([])
    add('none', [60])
    expect(idsOf(kept.read('vectors', 'none'))).toEqual([60])
  })

  it('of a removed set are not those of a later one of the same name and ids', () => {
    const kept = new KeptCodes(reader, 1e6)
    add('ours', numbers(1, 8))
    const [before] = kept.read('vectors', 'ours')
    writer.exec('drop table vectors; delete from vector_sets')
    createTable('today')
    add('ours', numbers(1, 8))
    const [after] = kept.read('vectors', 'ours')
    expect(after!.rowids).toEqual(before!.rowids)
    expect(after!.codes).not.toEqual(before!.codes)
  })

  it('take no more memory than allowed: the space that was searched longest ago goes, and a larger one is not kept', () => {
    for (const [n, space] of ['a', 'b', 'c'].entries()) add(space, numbers(n * 100 + 1, A_BLOCK))
    add('large', numbers(1_001, 3 * A_BLOCK))
    const one = A_BLOCK / 8 + A_BLOCK * 8 + (A_BLOCK * DIMENSION) / 8
    const kept = new KeptCodes(reader, 2 * one)
    const read = (space: string) => kept.read('vectors', space)[0]
    const [a, b] = [read('a'), read('b')]
    expect(read('a')).toBe(a)
    read('c')
    expect(kept.bytes).toBe(2 * one)
    expect(read('a')).toBe(a)
    read('large')
    expect(read('a')).toBe(a)
    expect(read('b')).not.toBe(b)
    expect(kept.bytes).toBe(2 * one)
  })
})

it('a search in one process finds what another process has just added, and not what it has just deleted', async () => {
  const processes = await Promise.all(
    [1, 2].map(async () => {
      const storage = await openStorage({ data_dir: folder })
      return { storage, ...openVectors(storage.db, { data_dir: folder }) }
    }),
  )
  const [ours, theirs] = processes.map(({ vectors }) => vectors)
  const asked = anyVector()
  const query = { model: 'm', agent_id: 'agent', scopes: [''], text: '', vector: asked, top_k: 1 }
  const add = async (document_id: string, vectors: Float32Array[]) => {
    const document = { model: 'm', agent_id: 'agent', scope: '', document_id, generation: 1 }
    const chunks = vectors.map((vector, position) => ({ text: document_id, page: 1, position, vector }))
    await theirs!.addChunks(document, chunks)
    await theirs!.publish(document_id, 1)
  }
  try {
    await theirs!.serving({ model: 'm', dimension: DIMENSION })
    const near = asked.map((value, at) => (at === 0 ? value + 0.5 : value))
    await add('others', Array.from({ length: 300 }, anyVector))
    await add('near', [near])
    const nearest = async () => (await ours!.search(query))[0]?.document_id
    expect(await nearest()).toBe('near')
    await add('same', [asked])
    expect(await nearest()).toBe('same')
    await theirs!.discard('same')
    expect(await nearest()).toBe('near')
    // More than are compared: their codes are the most alike as long as they are kept.
    await add(
      'copies',
      Array.from({ length: 400 }, () => asked),
    )
    expect(await nearest()).toBe('copies')
    await theirs!.discard('copies')
    expect(await nearest()).toBe('near')
  } finally {
    for (const { close, storage } of processes) {
      await close()
      await storage.close()
    }
  }
})
