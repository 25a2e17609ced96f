// Forms are read as they come, wherever the chunks are cut.
import { describe, expect, it } from 'vitest'
import { readForm } from '../../api/multipart.ts'

const PDF = `%PDF\r\n--x\r\n-boundary\r\n\r\n--`

function body(parts: string[], end = '--'): string {
  return parts.map((part) => `--bound\r\n${part}\r\n`).join('') + `--bound${end}\r\n`
}

const field = (name: string, value: string) => `Content-Disposition: form-data; name="${name}"\r\n\r\n${value}`
const file = (name: string, content: string, filename = `filename="${name}"`) =>
  `Content-Disposition: form-data; name="file"; ${filename}\r\nContent-Type: application/pdf\r\n\r\n${content}`

/** Reads a form that arrives in pieces of so many bytes. */
async function read(text: string, { size = 7, limit = 1_000, type = 'multipart/form-data; boundary=bound' } = {}) {
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
      for await (const piece of content) pieces.push(Buffer.from(piece))
      return part.name
    },
  )
  return { ...form, content: Buffer.concat(pieces).toString() }
}

describe('readForm()', () => {
  for (const size of [1, 2, 3, 7, 64, 10_000]) {
    it(`gives the file and the fields of a body in pieces of ${size} bytes`, async () => {
      const form = await read(body([field('user_id', 'änna'), file('a.pdf', PDF), field('after', '')]), { size })
      expect(form.content).toBe(PDF)
      expect(form.fields).toEqual({ user_id: 'änna', after: '' })
      expect(form.file).toEqual({ part: { name: 'a.pdf', type: 'application/pdf' }, value: 'a.pdf' })
    })
  }

  it('takes an empty file, a preamble, a quoted boundary and blanks after a boundary', async () => {
    const text = `hello\r\n--bound  \r\n${file('empty.txt', '')}\r\n--bound--`
    expect((await read(text, { type: 'multipart/form-data; charset=utf-8; boundary="bound"' })).content).toBe('')
  })

  it.each([
    ['filename="C:\\\\temp\\\\a.pdf"', 'a.pdf'],
    ['filename="../../etc/passwd"', 'passwd'],
    ['filename="a \\"b\\".pdf"', 'a "b".pdf'],
    ['filename="x%22y.pdf"', 'x"y.pdf'],
    [`filename="plain"; filename*=UTF-8''%C3%BCber.pdf`, 'über.pdf'],
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

  it('refuses other content types', async () => {
    for (const type of ['application/json', 'multipart/form-data', 'multipart/mixed; boundary=bound']) {
      await expect(read('', { type })).rejects.toMatchObject({ code: 'unsupported_media_type' })
    }
  })
})
