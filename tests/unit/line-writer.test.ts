import { expect, it } from 'vitest'
import { LineWriter } from '../../cli/line-writer.ts'

const failure = (code: string) => Object.assign(new Error(code), { code })

/** A file with so much room; with none, writing fails. */
function file({ room = Infinity, code = 'ENOSPC' } = {}) {
  const state = { room, code, text: '' }
  const write = (_: number, bytes: Uint8Array) => {
    if (state.room <= 0) throw failure(state.code)
    const taken = bytes.subarray(0, state.room)
    state.room -= taken.length
    state.text += Buffer.from(taken).toString()
    return taken.length
  }
  const writer = new LineWriter(2, { write, notice: (dropped) => `${dropped} lost` })
  return { state, writer }
}

it('writes each line whole', () => {
  const { state, writer } = file()
  writer.write('one\n')
  writer.write('two\n')
  expect(state.text).toBe('one\ntwo\n')
})

it('drops lines while a disk is full, and reports their number afterwards', () => {
  const { state, writer } = file({ room: 4 })
  for (const line of ['one\n', 'two\n', 'three\n']) writer.write(line)
  expect(state.text).toBe('one\n')
  state.room = Infinity
  writer.write('four\n')
  writer.write('five\n')
  expect(state.text).toBe('one\n2 lost\nfour\nfive\n')
})

it('begins a new line after one that was torn', () => {
  const { state, writer } = file({ room: 6 })
  writer.write('one\n')
  writer.write('two\n')
  state.room = Infinity
  writer.write('three\n')
  expect(state.text).toBe('one\ntw\n1 lost\nthree\n')
})

it('survives a closed reader, and one that does not read', () => {
  for (const code of ['EPIPE', 'EAGAIN', 'EIO', 'EBADF']) {
    const { state, writer } = file({ room: 0, code })
    writer.write('one\n')
    state.room = Infinity
    writer.write('two\n')
    expect(state.text).toBe('1 lost\ntwo\n')
  }
})

it('waits briefly for a full pipe', () => {
  let looks = 0
  let text = ''
  const write = (_: number, bytes: Uint8Array) => {
    looks += 1
    if (looks < 3) throw failure('EAGAIN')
    text += Buffer.from(bytes).toString()
    return bytes.length
  }
  new LineWriter(2, { write, notice: String }).write('one\n')
  expect(text).toBe('one\n')
})
