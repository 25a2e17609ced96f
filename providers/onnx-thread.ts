// The thread that runs a local embedding model: `onnxruntime-node` computes on the thread that calls it (1.30, November 2026).
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { parentPort, workerData } from 'node:worker_threads'
import { Tokenizer } from '@huggingface/tokenizers'
import type * as Runtime from 'onnxruntime-node'
import type { EmbeddingUse } from './embedder.ts'
import { normalize } from './embedder-vectors.ts'
import { type ModelFolder, wrong } from './model-folder.ts'
import { toWindows } from './token-windows.ts'

/** The package that runs models, which is not among our dependencies because of its size (docs/decisions/063). */
const RUNTIME = 'onnxruntime-node@1.30.0'
const INPUTS = ['input_ids', 'attention_mask', 'token_type_ids']
/** More of one text is not looked at, in characters and in runs of the model. */
const MOST_CHARACTERS = 20_000
const MOST_WINDOWS = 8

export interface ThreadData extends ModelFolder {
  /** Of the processor, for one text. */
  cores: number
}

export interface EmbedText {
  text: string
  use: EmbeddingUse
}

/** `dimension` once, when the model is loaded, or `fault` instead; then an answer to each text, one at a time. */
export type ThreadMessage = { dimension: number } | { fault: string } | { vector: Float32Array } | { error: string }

const model = workerData as ThreadData
const send = (message: ThreadMessage) => parentPort!.postMessage(message)

try {
  const { embed, dimension } = await loadModel()
  parentPort!.on('message', (asked: EmbedText) => {
    embed(asked).then(
      (vector) => send({ vector }),
      (error: unknown) => send({ error: textOf(error) }),
    )
  })
  send({ dimension })
} catch (error) {
  send({ fault: textOf(error) })
}

interface Model {
  dimension: number
  embed: (asked: EmbedText) => Promise<Float32Array>
}

async function loadModel(): Promise<Model> {
  const { InferenceSession, Tensor } = loadRuntime()
  const tokenize = loadTokenizer()
  const session = await InferenceSession.create(model.model_file, {
    intraOpNumThreads: model.cores,
    interOpNumThreads: 1,
    logSeverityLevel: 4,
  }).catch((cause: unknown) => {
    throw wrong('an ONNX model that can be loaded', `'${model.model_file}': ${textOf(cause)}`)
  })
  const { inputNames, inputMetadata, outputNames } = session
  const isKnown = inputMetadata.every(
    (input) => input.isTensor && INPUTS.includes(input.name) && input.type === 'int64',
  )
  if (!isKnown || !inputNames.includes('input_ids'))
    throw wrong(`a model with the inputs ${INPUTS.join(', ')} (int64)`, `one with ${inputNames.join(', ')}`)
  const output = ['sentence_embedding', 'last_hidden_state', 'token_embeddings'].find((name) =>
    outputNames.includes(name),
  )
  const wanted = output ?? outputNames[0]!

  const runOnce = async (ids: number[]): Promise<Float32Array> => {
    const filled = (value: (place: number) => number) =>
      new Tensor(
        'int64',
        BigInt64Array.from(ids, (_, place) => BigInt(value(place))),
        [1, ids.length],
      )
    const values = [filled((place) => ids[place]!), filled(() => 1), filled(() => 0)]
    const given = Object.fromEntries(INPUTS.map((name, index) => [name, values[index]!] as const))
    const feeds = Object.fromEntries(inputNames.map((name) => [name, given[name]!]))
    const { [wanted]: result } = await session.run(feeds, [wanted], { logSeverityLevel: 4 })
    return pool(result!)
  }

  const { length: dimension } = await runOnce(tokenize('a')[0] ?? [0])
  return {
    dimension,
    async embed({ text, use }) {
      const windows = text.trim() === '' ? [] : tokenize(text.slice(0, MOST_CHARACTERS), model.prompts[use])
      const sum = new Float32Array(dimension)
      for (const ids of windows) {
        const vector = await runOnce(ids)
        for (let index = 0; index < dimension; index++) sum[index]! += vector[index]! * ids.length
      }
      return normalize(sum)
    },
  }
}

/** From our packages, or from those beside the model: an image of muxi cannot be added to. */
function loadRuntime(): typeof Runtime {
  const [name] = RUNTIME.split('@') as [string]
  const places = [import.meta.url, join(model.folder, 'index.js')]
  for (const place of places) {
    const require = createRequire(place)
    try {
      require.resolve(name)
    } catch {
      continue
    }
    try {
      return require(name) as typeof Runtime
    } catch (cause) {
      throw new Error(`Cannot open the embedding model: the package ${name} cannot be loaded: ${textOf(cause)}`, {
        cause,
      })
    }
  }
  throw new Error(
    `Cannot open the embedding model: the package ${name} must be installed, with: npm install --ignore-scripts --omit=dev --save-prod --save-exact ${RUNTIME}`,
  )
}

/** The ids of a text by runs of the model, each with the model's special tokens. */
function loadTokenizer(): (text: string, prompt?: string) => number[][] {
  const read = (name: string) => JSON.parse(readFileSync(join(model.folder, name), 'utf8')) as object
  let tokenizer: Tokenizer
  try {
    tokenizer = new Tokenizer(read('tokenizer.json'), {})
  } catch (cause) {
    throw wrong('a folder with a tokenizer.json that can be loaded', `'${model.tokenizer_file}': ${textOf(cause)}`)
  }
  const bare = (text: string) => tokenizer.encode(text, { add_special_tokens: false }).ids
  const probe = bare('a')
  const marked = tokenizer.encode('a').ids
  const at = marked.indexOf(probe[0] ?? -1)
  const before = at < 0 ? [] : marked.slice(0, at)
  const after = at < 0 ? [] : marked.slice(at + probe.length)
  const room = Math.max(1, model.max_tokens - before.length - after.length)
  const idsOf = (text: string) => bare(model.lower_case ? text.toLowerCase() : text)
  return (text, prompt = '') =>
    toWindows(idsOf(prompt + text), prompt === '' ? [] : idsOf(prompt), { before, after }, room, MOST_WINDOWS)
}

/** The vector of one run: of `[1, dimension]`, or of `[1, tokens, dimension]` as the model pools. */
function pool({ data, dims }: Runtime.Tensor): Float32Array {
  if (!(data instanceof Float32Array) || dims.length < 2 || dims.length > 3 || dims[0] !== 1)
    throw wrong('a model whose vectors are of type float32', `one with an output of [${dims.join(', ')}]`)
  const dimension = dims.at(-1)!
  if (dims.length === 2) return data.slice()
  const tokens = dims[1]!
  if (model.pooling === 'cls') return data.slice(0, dimension)
  if (model.pooling === 'last') return data.slice((tokens - 1) * dimension)
  const mean = new Float32Array(dimension)
  for (let index = 0; index < data.length; index++) mean[index % dimension]! += data[index]! / tokens
  return mean
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
