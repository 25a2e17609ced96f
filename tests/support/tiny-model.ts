// A folder with an embedding model of a few words, small enough to be made by each test: the vector of a token is a row of a table.
// Words of one meaning have the same row.
import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import protobuf from 'protobufjs'
import { tempDir } from './temp-dir.ts'

const MEANINGS = [
  ['[PAD]'],
  ['[UNK]', 'a', 'the', 'on', 'where', 'did', 'of'],
  ['[CLS]'],
  ['[SEP]'],
  ['cat', 'kitten'],
  ['sat', 'rests', 'lie'],
  ['mat', 'rug', 'carpet'],
  ['quarterly', 'revenue', 'grew'],
  ['query'],
  ['passage'],
]
const WORDS = MEANINGS.flat()
export const DIMENSION = 12
const [FLOAT, INT64] = [1, 7]

export interface TinyModel {
  inputs?: string[]
  /** Other files, or other contents of these; `null` leaves a file out. */
  files?: Record<string, string | object | null>
}

/** @returns the folder, which is removed after the test */
export function tinyModel({
  inputs = ['input_ids', 'attention_mask', 'token_type_ids'],
  files = {},
}: TinyModel = {}): string {
  const folder = tempDir()
  const all = { 'tokenizer.json': TOKENIZER, ...files }
  if (!('model.onnx' in all)) writeFileSync(join(folder, 'model.onnx'), onnx(inputs))
  for (const [name, content] of Object.entries(all)) {
    if (content === null) continue
    mkdirSync(dirname(join(folder, name)), { recursive: true })
    writeFileSync(join(folder, name), typeof content === 'string' ? content : JSON.stringify(content))
  }
  return folder
}

const TOKENIZER = {
  version: '1.0',
  truncation: null,
  padding: null,
  added_tokens: ['[PAD]', '[UNK]', '[CLS]', '[SEP]'].map((content) => {
    const id = WORDS.indexOf(content)
    return { id, content, single_word: false, lstrip: false, rstrip: false, normalized: false, special: true }
  }),
  normalizer: {
    type: 'BertNormalizer',
    clean_text: true,
    handle_chinese_chars: true,
    strip_accents: null,
    lowercase: true,
  },
  pre_tokenizer: { type: 'BertPreTokenizer' },
  post_processor: {
    type: 'TemplateProcessing',
    single: ['[CLS]', 'A', '[SEP]'].map((id) =>
      id === 'A' ? { Sequence: { id, type_id: 0 } } : { SpecialToken: { id, type_id: 0 } },
    ),
    pair: [],
    special_tokens: Object.fromEntries(
      ['[CLS]', '[SEP]'].map((id) => [id, { id, ids: [WORDS.indexOf(id)], tokens: [id] }]),
    ),
  },
  decoder: { type: 'WordPiece', prefix: '##', cleanup: true },
  model: {
    type: 'WordPiece',
    unk_token: '[UNK]',
    continuing_subword_prefix: '##',
    max_input_chars_per_word: 100,
    vocab: Object.fromEntries(WORDS.map((word, id) => [word, id])),
  },
}

/** The table: what says little has short rows. */
function rows(): Float32Array {
  const table = new Float32Array(WORDS.length * DIMENSION)
  for (const [row, word] of WORDS.entries()) {
    const meaning = MEANINGS.findIndex((words) => words.includes(word))
    table[row * DIMENSION + meaning] = meaning < 4 ? 0.2 : 1
  }
  return table
}

/** `last_hidden_state = Gather(table, input_ids)`, in the protocol buffers of ONNX (onnx.proto3). */
function onnx(inputs: string[]): Uint8Array {
  const [first = ''] = inputs
  const value = (name: string, type: number, shape: (string | number)[]) =>
    message(
      [1, name],
      [2, message([1, message([1, type], [2, message(...shape.map((size) => [1, dimension(size)] as const))])])],
    )
  const dimension = (size: string | number) => message(typeof size === 'number' ? [1, size] : [2, size])
  const table = message([1, WORDS.length], [1, DIMENSION], [2, FLOAT], [8, 'table'], [9, new Uint8Array(rows().buffer)])
  const graph = message(
    [1, message([1, 'table'], [1, first], [2, 'last_hidden_state'], [4, 'Gather'])],
    [2, 'tiny'],
    [5, table],
    ...inputs.map((name) => [11, value(name, INT64, ['batch', 'tokens'])] as const),
    [12, value('last_hidden_state', FLOAT, ['batch', 'tokens', DIMENSION])],
  )
  return message([1, 8], [7, graph], [8, message([1, ''], [2, 13])])
}

function message(...fields: (readonly [number: number, value: string | number | Uint8Array])[]): Uint8Array {
  const writer = protobuf.Writer.create()
  for (const [number, value] of fields) {
    if (typeof value === 'number') writer.uint32(number << 3).int64(value)
    else if (typeof value === 'string') writer.uint32((number << 3) | 2).string(value)
    else writer.uint32((number << 3) | 2).bytes(value)
  }
  return Uint8Array.from(writer.finish())
}
