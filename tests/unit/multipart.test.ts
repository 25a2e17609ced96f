// Forms are read as they come, wherever the chunks are cut.
import { ReadableStream as WebStream } from 'node:stream/web'
import { setImmediate } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { plainName, readForm } from '../../api/multipart.ts'
import { mediaTypeOf } from '../../media/kind/media-type.ts'

const PDF = `%PDF\r\n--x\r\n-boundary\r\n\r\n--`

function body(parts: string[], end = '--'): string {
  return parts.map((part) => `--bound\r\n${part}\r\n`).join('') + `--bound${end}\r\n`
}

const field = (name: string, value: string) => `Content-Disposition: form-data; name="${name}"\r\n\r\n${value}`
const file = (name: string, content: string, filename = `filename="${name}"`) =>
  `Content-Disposition: form-data; name="file"; ${filename}\r\nContent-Type: application/pdf\r\n\r\n${content}`

/** Reads a form that arrives in pieces of so many bytes. */
async function read(
  text: string,
  {
    size = 7,
    limit = 1_000,
    type = 'multipart/form-data; boundary=bound',
    take = undefined as ((content: AsyncIterable<Uint8Array>) => Promise<void>) | undefined,
    known = undefined as readonly string[] | undefined,
  } = {},
) {
  const bytes = Buffer.from(text)
  const stream = new ReadableStream<Uint8Array>({
    start(controller) {
      for (let at = 0; at < bytes.length; at += size) controller.enqueue(bytes.subarray(at, at + size))
      controller.close()
    },
  })
  const pieces: Uint8Array[] = []
  const form = await readForm(
    { headers: new Headers({ 'content-type': type }), body: stream as Request['body'] },
    limit,
    async (content, part) => {
      if (take) await take(content)
      for await (const piece of content) pieces.push(Buffer.from(piece))
      return part.name
    },
    known,
  )
  return { ...form, content: Buffer.concat(pieces).toString() }
}

/** Reads a form from any source, with a limit of 100 MB. */
function readFrom(
  chunks: Iterable<Uint8Array> | AsyncIterable<Uint8Array>,
  take: (content: AsyncIterable<Uint8Array>) => Promise<void>,
) {
  const headers = new Headers({ 'content-type': 'multipart/form-data; boundary=bound' })
  const body = WebStream.from(chunks) as unknown as Request['body']
  return readForm({ headers, body }, 100_000_000, take)
}

describe('readForm()', () => {
  it('leaves out fields that are not known, whatever they are, where it is told which are', async () => {
    const others = [field('list[]', 'a'), field('list[]', 'b'), field('prompt', 'x'.repeat(100_000))]
    const parts = [...others, field('language', 'en'), file('a.pdf', PDF)]
    const known = ['language']
    expect(await read(body(parts), { known, size: 1_000 })).toMatchObject({ fields: { language: 'en' }, content: PDF })
    const twice = read(body([...parts, field('language', 'de')]), { known, size: 1_000 })
    await expect(twice).rejects.toThrow("'language' must be given once")
    const long = read(body([field('language', 'x'.repeat(5_000)), file('a.pdf', PDF)]), { known, size: 1_000 })
    await expect(long).rejects.toThrow('longer than 4096 bytes')
  })

  for (const size of [1, 2, 3, 7, 64, 10_000]) {
    it(`gives the file and the fields of a body in pieces of ${size} bytes`, async () => {
      const form = await read(body([field('user_id', 'änna'), file('a.pdf', PDF), field('after', '')]), { size })
      expect(form.content).toBe(PDF)
      expect(form.fields).toEqual({ user_id: 'änna', after: '' })
      expect(form.file).toEqual({ part: { name: 'a.pdf' }, value: 'a.pdf' })
    })
  }

  it('takes an empty file, a preamble and a quoted boundary', async () => {
    const text = `hello\r\n--bound\r\n${file('empty.txt', '')}\r\n--bound--`
    expect((await read(text, { type: 'multipart/form-data; charset=utf-8; boundary="bound"' })).content).toBe('')
  })

  it.each([
    ['filename="C:\\\\temp\\\\a.pdf"', 'a.pdf'],
    ['filename="../../etc/passwd"', 'passwd'],
    ['filename="a \\"b\\".pdf"', 'a "b".pdf'],
    ['filename="x%22y.pdf"', 'x"y.pdf'],
    [`filename*=UTF-8''%C3%BCber.pdf`, 'über.pdf'],
    ['filename=""', 'unnamed'],
    ['filename="a\u202efdp.exe"', 'afdp.exe'],
  ])('takes from %s the name %s', async (written, name) => {
    expect((await read(body([file('', 'x', written)]))).file.part.name).toBe(name)
  })

  it.each([
    ['no file', body([field('a', 'b')])],
    ['two files', body([file('a', '1'), file('b', '2')])],
    ['a file without a name', body([field('file', 'x')])],
    ['a field twice', body([field('a', '1'), field('a', '2'), file('a', 'x')])],
    ['a part without a name', body(['Content-Type: text/plain\r\n\r\nx'])],
    ['no end', body([file('a', 'x')]).slice(0, -12)],
    ['no boundary after a part', `--bound\r\n${file('a', 'x')}`],
    ['nothing', ''],
    ['other text', 'hello'],
    ['a long field', body([field('a', 'x'.repeat(5_000)), file('a', 'x')])],
    ['a long header', body([`X: ${'x'.repeat(20_000)}\r\n${file('a', 'x')}`])],
    ['too many parts', body(Array.from({ length: 40 }, (_, index) => field(`f${index}`, 'x')))],
  ])('refuses a body with %s', async (_, text) => {
    await expect(read(text, { limit: 100_000 })).rejects.toMatchObject({ code: 'bad_request' })
  })

  it('refuses a file over the limit, and takes one at it', async () => {
    expect((await read(body([file('a', 'x'.repeat(1_000))]))).content).toHaveLength(1_000)
    await expect(read(body([file('a', 'x'.repeat(1_001))]))).rejects.toMatchObject({ code: 'payload_too_large' })
  })

  it('takes a body in two pieces, wherever it is cut', async () => {
    const text = body([field('user_id', 'änna'), file('a.pdf', PDF)])
    const expected = await read(text, { size: 10_000 })
    for (let size = 1; size < text.length; size += 1) expect(await read(text, { size })).toEqual(expected)
  })

  it('refuses names and fields that are not UTF-8', async () => {
    const text = body([field('a', '?'), file('a', 'x')])
    const bytes = Buffer.from(text.replace('?', '\u00ff'), 'latin1')
    await expect(readFrom([bytes], () => Promise.resolve())).rejects.toMatchObject({ code: 'bad_request' })
  })

  it('reads no further than the consumer of the file', async () => {
    let sent = 0
    const wait = Promise.withResolvers<void>()
    async function* slowly() {
      yield Buffer.from(body([file('a', '')]).slice(0, -13))
      for (sent = 0; sent < 1_000; sent += 1) yield Buffer.alloc(65_536)
      yield Buffer.from('\r\n--bound--\r\n')
    }
    let size = 0
    const form = readFrom(slowly(), async (content) => {
      await wait.promise
      for await (const piece of content) size += piece.byteLength
    })
    for (let turns = 0; turns < 100; turns += 1) await setImmediate()
    expect(sent).toBeLessThan(10)
    wait.resolve()
    await form
    expect(size).toBe(65_536 * 1_000)
  })

  it.each([
    ['at once', () => Promise.reject(new Error('full'))],
    [
      'within the file',
      async (content: AsyncIterable<Uint8Array>) => {
        for await (const _ of content) throw new Error('full')
      },
    ],
  ])('fails when its consumer fails %s, with the error of the consumer', async (_, take) => {
    const text = body([file('a', 'x'.repeat(500_000))])
    await expect(read(text, { size: 10_000, limit: 1_000_000, take })).rejects.toThrow('full')
  })

  it('a request that is aborted fails the consumer too, with its reason', async () => {
    async function* aborted() {
      yield Buffer.from(body([file('a', 'xxx')]).slice(0, -12))
      await setImmediate()
      throw new Error('hung up')
    }
    let told: unknown
    const form = readFrom(aborted(), async (content) => {
      try {
        for await (const piece of content) void piece
      } catch (error) {
        told = error
        throw error
      }
    })
    await expect(form).rejects.toThrow('hung up')
    expect(told).toMatchObject({ message: 'hung up' })
  })

  it('a form that ends early fails a consumer that begins late', async () => {
    const form = readFrom([Buffer.from(body([file('a', 'xxx')]).slice(0, -12))], async (content) => {
      await setImmediate()
      for await (const piece of content) void piece
    })
    await expect(form).rejects.toMatchObject({ code: 'bad_request' })
  })

  it('refuses other content types', async () => {
    for (const type of ['application/json', 'multipart/form-data', 'multipart/mixed; boundary=bound']) {
      await expect(read('', { type })).rejects.toMatchObject({ code: 'unsupported_media_type' })
    }
  })
})

describe('plainName()', () => {
  const x = (count: number) => 'x'.repeat(count)
  it.each([
    ['of emoji within a pair', '😀'.repeat(200), '😀'.repeat(127)],
    ['of emoji before an extension', `${'😀'.repeat(200)}.csv`, `${'😀'.repeat(125)}.csv`],
    ['with an extension', `${x(300)}.csv`, `${x(251)}.csv`],
    ['with two extensions', `${x(300)}.tar.gz`, `${x(248)}.tar.gz`],
    ['with something too long for an extension', `a.${x(300)}`, `a.${x(253)}`],
    ['that just fits', x(255), x(255)],
    ['with folders', `/etc\\cron.d/${x(3)}.txt`, 'xxx.txt'],
    ['with control characters', 'a\u0000b\u202e.txt', 'ab.txt'],
    ['with half a pair', 'a\ud83d.txt', 'a\ufffd.txt'],
    ['of nothing', ' \n', 'unnamed'],
    ['of this folder', '.', 'unnamed'],
    ['of the folder above', '../..', 'unnamed'],
    ['that begins with a dot', '.env', '.env'],
    ['of three dots', '...', '...'],
  ])('a name %s', (_, given, expected) => {
    expect(plainName(given)).toBe(expected)
    expect(plainName(expected)).toBe(expected)
  })

  it('leaves the type of a file as it is', () => {
    const csv = Buffer.from('port,ships\nSund,3\n')
    expect(mediaTypeOf(csv, plainName(`${'x'.repeat(300)}.csv`))).toBe('text/csv')
  })
})
