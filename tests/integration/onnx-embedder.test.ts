// Embeddings of a local model in a folder: what is read of the folder, what the vectors are made of, and what is refused.
import { execFileSync } from 'node:child_process'
import { mkdirSync, readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { performance } from 'node:perf_hooks'
import { pathToFileURL } from 'node:url'
import { expect, onTestFinished, test } from 'vitest'
import { openEmbedder } from '../../providers/create-embedder.ts'
import { dot } from '../../providers/embedder-vectors.ts'
import { ROOT } from '../support/children.ts'
import { tempDir } from '../support/temp-dir.ts'
import { DIMENSION, tinyModel, type TinyModel, tinyTokenizer } from '../support/tiny-model.ts'

const { signal } = new AbortController()
const RELATED = ['the cat sat on a mat', 'a kitten rests on the rug', 'quarterly revenue grew']

async function open(place: string) {
  const embedder = await openEmbedder({ openai: {} }, `local-model:${place}`)
  onTestFinished(() => embedder.close?.())
  return embedder
}

const opened = (model?: TinyModel) => open(tinyModel(model))

test('texts of the same meaning are near each other, others are not', async () => {
  const embedder = await opened()
  const [cat, kitten, revenue] = await embedder.embed(RELATED, signal)
  expect(embedder).toMatchObject({ dimension: DIMENSION, isCostly: true })
  expect(cat).toHaveLength(DIMENSION)
  expect(dot(cat!, cat!)).toBeCloseTo(1, 5)
  expect(dot(cat!, kitten!)).toBeGreaterThan(0.9)
  expect(dot(cat!, revenue!)).toBeLessThan(0.2)
})

test('the space is named after the contents, not after the folder', async () => {
  const { model } = await opened()
  expect(model).toMatch(/^local-model:[0-9a-f]{16}@12$/)
  expect((await opened()).model).toBe(model)
  const others: TinyModel[] = [
    { inputs: ['input_ids'] },
    { files: { 'sentence_bert_config.json': { max_seq_length: 8 } } },
    { files: { 'config_sentence_transformers.json': { prompts: { query: 'query: ' } } } },
  ]
  for (const other of others) expect((await opened(other)).model).not.toBe(model)
})

test('the folder may be the one of an export, and the file may be named', async () => {
  const folder = tinyModel()
  mkdirSync(join(folder, 'onnx'))
  renameSync(join(folder, 'model.onnx'), join(folder, 'onnx/model_quantized.onnx'))
  const [byFolder, byFile] = [await open(folder), await open(join(folder, 'onnx/model_quantized.onnx'))]
  expect(byFile.model).toBe(byFolder.model)
})

test.each([
  ['mean', { pooling_mode_mean_tokens: true }, [0.2, 1, 1, 0.2]],
  ['the first token', { pooling_mode_cls_token: true }, [1, 0, 0, 0]],
  ['the first token, as newer versions write it', { pooling_mode: 'cls' }, [1, 0, 0, 0]],
  ['the last token', { pooling_mode_lasttoken: true }, [0, 0, 0, 1]],
])('vectors are pooled as the model says: %s', async (_, config, [cls, cat, sat, sep]) => {
  const embedder = await opened({ files: { '1_Pooling/config.json': config } })
  const [vector] = await embedder.embed(['cat sat'], signal)
  const length = Math.hypot(cls!, cat!, sat!, sep!)
  const places = [2, 4, 5, 3]
  for (const [index, value] of [cls!, cat!, sat!, sep!].entries())
    expect(vector![places[index]!]).toBeCloseTo(value / length, 5)
})

test('a text of more tokens than the model takes is embedded in parts, as a whole', async () => {
  const embedder = await opened({ files: { 'sentence_bert_config.json': { max_seq_length: 8 } } })
  const [long, cat, revenue] = await embedder.embed(['cat '.repeat(7) + 'revenue '.repeat(7), 'cat', 'revenue'], signal)
  expect(dot(long!, cat!)).toBeCloseTo(dot(long!, revenue!), 2)
  expect(dot(long!, cat!)).toBeGreaterThan(0.6)
  const [giant] = await embedder.embed(['cat '.repeat(1_000_000)], signal)
  expect(dot(giant!, cat!)).toBeGreaterThan(0.9)
})

test('queries and passages get the prompts of the model', async () => {
  const prompts = { query: 'query: ', passage: 'passage: ' }
  const embedder = await opened({ files: { 'config_sentence_transformers.json': { prompts } } })
  const [asked] = await embedder.embed(['cat'], signal, 'query')
  const [said] = await embedder.embed(['cat'], signal)
  const [query, passage] = [8, 9]
  expect(asked![query]).toBeGreaterThan(0.5)
  expect(asked![passage]).toBe(0)
  expect(said![passage]).toBeGreaterThan(0.5)
})

test('a vector does not depend on the texts beside it, and texts without words have none', async () => {
  const embedder = await opened()
  const [alone] = await embedder.embed(['cat'], signal)
  const [empty, beside] = await embedder.embed([' \n', 'cat', 'quarterly revenue grew'], signal)
  expect(beside).toEqual(alone)
  expect(empty!.every((value) => value === 0)).toBe(true)
  expect(await embedder.embed([], signal)).toEqual([])
})

test('an abort ends a call, and no other', async () => {
  const embedder = await opened()
  const controller = new AbortController()
  const many = embedder.embed(
    Array.from({ length: 5_000 }, () => 'cat '.repeat(500)),
    controller.signal,
  )
  const other = embedder.embed(['cat'], signal)
  controller.abort(new Error('stop'))
  await expect(many).rejects.toThrow('stop')
  expect(await other).toHaveLength(1)
  await expect(embedder.embed(['cat'], controller.signal)).rejects.toThrow('stop')
})

test('a text that the model cannot take is a final failure, and the next one is embedded', async () => {
  const tokenizer = tinyTokenizer({ dog: 9_999 })
  const embedder = await opened({ files: { 'tokenizer.json': tokenizer } })
  // It may have been the thread's fault: the text is tried again in another one.
  await expect(embedder.embed(['dog', 'cat'], signal)).rejects.toMatchObject({ kind: 'retry' })
  await expect(embedder.embed(['dog', 'cat'], signal)).rejects.toMatchObject({
    name: 'ProviderFailure',
    kind: 'final',
    status: 422,
  })
  expect(await embedder.embed(['cat'], signal)).toHaveLength(1)
})

test('a thread that has ended is started again; without its model, the text may be tried again later', async () => {
  const folder = tinyModel()
  const embedder = await open(folder)
  const before = await embedder.embed(['cat'], signal)
  await embedder.close!()
  expect(await embedder.embed(['cat'], signal)).toEqual(before)
  await embedder.close!()
  rmSync(join(folder, 'model.onnx'))
  const failure = { kind: 'retry', message: expect.stringContaining('could not be loaded: Cannot open') }
  await expect(embedder.embed(['cat', 'mat'], signal)).rejects.toMatchObject(failure)
})

test('queries do not wait for many passages, nor do other calls', async () => {
  const embedder = await opened()
  const done: string[] = []
  const note = (name: string) => () => done.push(name)
  await Promise.all([
    embedder
      .embed(
        Array.from({ length: 300 }, () => 'cat '.repeat(500)),
        signal,
      )
      .then(note('many passages')),
    embedder.embed(['cat', 'mat'], signal).then(note('two passages')),
    embedder.embed(['cat'], signal, 'query').then(note('query')),
  ])
  expect(done).toEqual(['query', 'two passages', 'many passages'])
})

test('the model computes in another thread', async () => {
  const embedder = await opened({ files: { 'sentence_bert_config.json': { max_seq_length: 512 } } })
  const before = performance.eventLoopUtilization()
  await embedder.embed(
    Array.from({ length: 200 }, () => 'cat '.repeat(4_000)),
    signal,
  )
  expect(performance.eventLoopUtilization(before).utilization).toBeLessThan(0.5)
})

/** What a process says that opens a model, and finds the runtime only beside the model, if there. */
function withoutRuntime(folder: string): string {
  const preload = join(tempDir(), 'preload.cjs')
  writeFileSync(
    preload,
    `const Module = require('node:module')
const { _resolveFilename } = Module
Module._resolveFilename = function (name, parent, ...rest) {
  if (name === 'onnxruntime-node' && !parent.filename.startsWith(${JSON.stringify(folder)})) throw new Error('not found')
  return _resolveFilename.call(this, name, parent, ...rest)
}`,
  )
  const script = join(dirname(preload), 'open.mjs')
  const source = `const { openEmbedder } = await import(${JSON.stringify(pathToFileURL(join(ROOT, 'providers/create-embedder.ts')))})
const opened = await openEmbedder({ openai: {} }, 'local-model:' + ${JSON.stringify(folder)}).catch((error) => error)
console.log(opened.message ?? opened.model)
await opened.close?.()`
  writeFileSync(script, source)
  return execFileSync(process.execPath, ['--require', preload, script], { encoding: 'utf8' }).trim()
}

test('without its package, it says how to install the version that was tested', () => {
  const { devDependencies } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as {
    devDependencies: Record<string, string>
  }
  expect(withoutRuntime(tinyModel())).toBe(
    `Cannot open the embedding model: the package onnxruntime-node must be installed, with: npm install --ignore-scripts --omit=dev --save-prod --save-exact onnxruntime-node@${devDependencies['onnxruntime-node']}`,
  )
})

test('its package may be installed beside the model', () => {
  const folder = tinyModel()
  mkdirSync(join(folder, 'node_modules'))
  symlinkSync(join(ROOT, 'node_modules/onnxruntime-node'), join(folder, 'node_modules/onnxruntime-node'))
  expect(withoutRuntime(folder)).toMatch(/^local-model:[0-9a-f]{16}@12$/)
})

const missing = (text: string) =>
  new RegExp(`^Cannot open the embedding model: 'MUXI_EMBEDDING_MODEL' must name ${text}`)

test.each<[string, TinyModel, RegExp]>([
  ['no model', { files: { 'model.onnx': null } }, missing('a folder with a model.onnx, got .+, which has none$')],
  ['no tokenizer', { files: { 'tokenizer.json': null } }, missing('a folder with a tokenizer.json, got .+, which has')],
  [
    'several models',
    { files: { 'model.onnx': null, 'a.onnx': '', 'b.onnx': '' } },
    missing('one of several ONNX files, got .+, which has a.onnx, b.onnx$'),
  ],
  [
    'a model that is none',
    { files: { 'model.onnx': 'no model' } },
    missing('an ONNX model that can be loaded, got .+: '),
  ],
  [
    'a tokenizer that is none',
    { files: { 'tokenizer.json': { model: { type: 'Other' } } } },
    missing('a folder with a tokenizer.json that can be loaded, got '),
  ],
  [
    'a JSON file that is none',
    { files: { 'modules.json': '{' } },
    missing('a folder with valid JSON files, got .+modules'),
  ],
  [
    'a model of pictures',
    { inputs: ['pixel_values'] },
    missing('a model with the inputs input_ids, .+got one with pixel'),
  ],
  [
    'a further layer',
    { files: { 'modules.json': [{ path: '2_Dense', type: 'sentence_transformers.models.Dense' }] } },
    missing("a model of a transformer, pooling and normalisation only, got .+ 'Dense'$"),
  ],
  [
    'unknown pooling',
    { files: { '1_Pooling/config.json': { pooling_mode_max_tokens: true } } },
    missing("a model with mean, cls or lasttoken pooling, got .+ 'max_tokens'$"),
  ],
])('a folder with %s is refused', async (_, model, message) => {
  await expect(opened(model)).rejects.toThrow(message)
})

test('a place that does not exist is refused', async () => {
  await expect(open('@none/such-model')).rejects.toThrow(
    missing("a folder or an installed package, got '@none/such-model', which does not exist$"),
  )
})
