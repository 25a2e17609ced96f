// A folder with a sentence embedding model, as Sentence Transformers and its exports to ONNX lay it out: which files there are, and
// how vectors are made of what the model puts out.
import { createHash } from 'node:crypto'
import { createReadStream, existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { basename, dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { isObject } from '../contracts/json.ts'

/** Packages of this installation. */
const PACKAGES = fileURLToPath(new URL('../node_modules', import.meta.url))
/** The usual names, the original before quantised ones. */
const MODEL_FILES = ['model.onnx', 'onnx/model.onnx', 'model_quantized.onnx', 'onnx/model_quantized.onnx']
/** Attention takes time and memory by the square of a text's tokens: longer texts are divided. */
const MOST_TOKENS = 512

export type Pooling = 'mean' | 'cls' | 'last'

export interface ModelFolder {
  folder: string
  /** The file with the graph and the weights; large models keep the weights beside it. */
  model_file: string
  tokenizer_file: string
  /** Of one run of the model, the marks around the text included. */
  max_tokens: number
  pooling: Pooling
  lower_case: boolean
  /** Written before a text, as the model was trained. */
  prompts: { query: string; passage: string }
  /** Names the vector space: a hash of everything above, of the weights and of the tokenizer. */
  fingerprint: string
}

/**
 * @param place a folder, an ONNX file in it, or an npm package (or a folder in one)
 * @throws Error that says what is missing
 */
export async function readModelFolder(place: string): Promise<ModelFolder> {
  const found = [resolve(place), join(PACKAGES, place)].find((path) => existsSync(path))
  if (found === undefined) throw wrong(`a folder or an installed package`, `'${place}', which does not exist`)
  const model_file = statSync(found).isDirectory() ? findModel(found) : found
  const parent = dirname(model_file)
  const folder = basename(parent) === 'onnx' && !existsSync(join(parent, 'tokenizer.json')) ? dirname(parent) : parent
  const tokenizer_file = join(folder, 'tokenizer.json')
  if (!existsSync(tokenizer_file)) throw wrong('a folder with a tokenizer.json', `'${place}', which has none`)
  const options = {
    max_tokens: readMaxTokens(folder),
    pooling: readPooling(folder),
    lower_case: read(folder, 'sentence_bert_config.json')['do_lower_case'] === true,
    prompts: readPrompts(folder),
  }
  const files = [...weightFiles(model_file), tokenizer_file]
  return { folder, model_file, tokenizer_file, ...options, fingerprint: await fingerprintOf(files, options) }
}

/** The error grammar of everything that is wrong with the folder. */
export function wrong(expected: string, got: string): Error {
  return new Error(`Cannot open the embedding model: 'MUXI_EMBEDDING_MODEL' must name ${expected}, got ${got}`)
}

function findModel(folder: string): string {
  const usual = MODEL_FILES.map((name) => join(folder, name)).find((file) => existsSync(file))
  if (usual !== undefined) return usual
  const all = [folder, join(folder, 'onnx')].flatMap((place) =>
    (existsSync(place) ? readdirSync(place) : [])
      .filter((name) => name.endsWith('.onnx'))
      .map((name) => join(place, name)),
  )
  if (all.length === 1) return all[0]!
  const names = all.map((file) => basename(file)).join(', ')
  if (all.length === 0) throw wrong('a folder with a model.onnx', `'${folder}', which has none`)
  throw wrong('one of several ONNX files', `'${folder}', which has ${names}`)
}

function readMaxTokens(folder: string): number {
  const truncation = read(folder, 'tokenizer.json')['truncation']
  const stated = [
    read(folder, 'sentence_bert_config.json')['max_seq_length'],
    isObject(truncation) ? truncation['max_length'] : undefined,
    read(folder, 'tokenizer_config.json')['model_max_length'],
  ].find((value) => typeof value === 'number' && value > 2)
  const positions = read(folder, 'config.json')['max_position_embeddings']
  // Models of the RoBERTa family keep two positions for themselves.
  const most = typeof positions === 'number' && positions > 4 ? positions - 2 : MOST_TOKENS
  return Math.min(typeof stated === 'number' ? stated : MOST_TOKENS, most, MOST_TOKENS)
}

/** Mean, where the folder does not say. */
function readPooling(folder: string): Pooling {
  const modules = readJson(folder, 'modules.json')
  let place = '1_Pooling'
  for (const module of Array.isArray(modules) ? modules : []) {
    if (!isObject(module)) continue
    const kind = String(module['type']).split('.').at(-1)!
    if (kind === 'Pooling' && typeof module['path'] === 'string') place = module['path']
    if (!['Transformer', 'Pooling', 'Normalize'].includes(kind))
      throw wrong(
        'a model of a transformer, pooling and normalisation only',
        `'${folder}', which has a module '${kind}'`,
      )
  }
  const config = read(folder, `${place}/config.json`)
  const modes = Object.entries(config).flatMap(([name, on]) => (name.startsWith('pooling_mode_') && on ? [name] : []))
  const named = config['pooling_mode']
  const mode = typeof named === 'string' ? named : modes.join(' and ').replaceAll('pooling_mode_', '')
  const pooling = { mean: 'mean', mean_tokens: 'mean', cls: 'cls', cls_token: 'cls', lasttoken: 'last', '': 'mean' }[
    mode
  ]
  if (pooling === undefined)
    throw wrong('a model with mean, cls or lasttoken pooling', `'${folder}', which has '${mode}'`)
  return pooling as Pooling
}

/** The names of Sentence Transformers' `encode_query` and `encode_document`. */
function readPrompts(folder: string): ModelFolder['prompts'] {
  const given = read(folder, 'config_sentence_transformers.json')['prompts']
  const prompts = isObject(given) ? given : {}
  const first = (...names: string[]) =>
    names.map((name) => prompts[name]).find((text): text is string => typeof text === 'string' && text !== '') ?? ''
  return { query: first('query'), passage: first('document', 'passage', 'corpus') }
}

/** Weights of more than 2 GB are files of their own, named after the model's. */
function weightFiles(modelFile: string): string[] {
  const name = basename(modelFile)
  const beside = readdirSync(dirname(modelFile)).filter((each) => /^[._]data/.test(each.slice(name.length)))
  return [
    modelFile,
    ...beside
      .filter((each) => each.startsWith(name))
      .toSorted()
      .map((each) => join(dirname(modelFile), each)),
  ]
}

async function fingerprintOf(
  files: string[],
  options: Pick<ModelFolder, 'max_tokens' | 'pooling' | 'lower_case' | 'prompts'>,
): Promise<string> {
  // Stored with every vector: what is hashed must never change, the names and their order included.
  const { prompts, ...rest } = options
  const hashed = { ...rest, prompts: { question: prompts.query, passage: prompts.passage } }
  const hash = createHash('sha256').update(JSON.stringify(hashed))
  for (const file of files) for await (const bytes of createReadStream(file)) hash.update(bytes as Buffer)
  return hash.digest('hex').slice(0, 16)
}

function read(folder: string, name: string): Record<string, unknown> {
  const value = readJson(folder, name)
  return isObject(value) ? value : {}
}

function readJson(folder: string, name: string): unknown {
  const file = join(folder, name)
  if (!existsSync(file)) return undefined
  try {
    return JSON.parse(readFileSync(file, 'utf8'))
  } catch (cause) {
    throw Object.assign(wrong('a folder with valid JSON files', `'${file}', which is none`), { cause })
  }
}
