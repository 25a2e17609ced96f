// Embeddings of a local model in ONNX, in a thread of this process: meaning is found without a key and without a network.
import { availableParallelism } from 'node:os'
import { Worker } from 'node:worker_threads'
import { mapAll } from '../contracts/map-all.ts'
import { raceSignal } from '../contracts/signals.ts'
import type { Embedder, EmbeddingUse } from './embedder.ts'
import { ProviderFailure } from './failure.ts'
import { readModelFolder, type ModelFolder } from './model-folder.ts'
import type { EmbedText, ThreadData, ThreadMessage } from './onnx-thread.ts'

/** Longest time of one text, in milliseconds; usual are 2 to 100. */
const TEXT_MS = 60_000
/** Longest time of loading, in milliseconds. */
const LOAD_MS = 120_000
const MOST_CORES = 4
/** Leaves some for the rest of the process. */
const CORES = Math.max(1, Math.min(MOST_CORES, Math.floor(availableParallelism() / 2)))
/** Measured with LoCoMo (docs/benchmarks.md), on half of its conversations: models that distinguish queries from passages are trained to search. */
const MESSAGE_WEIGHT = { search: 0.3, similarity: 0.1 }
const provider = 'local-model'

interface Job extends EmbedText, PromiseWithResolvers<Float32Array> {}

/**
 * Loads the model, so that whatever is wrong with it shows at the start.
 * @param place a folder, an ONNX file or an npm package
 * @throws Error that says what is wrong
 */
export async function openOnnxEmbedder(place: string): Promise<Embedder> {
  const folder = await readModelFolder(place)
  const thread = new ModelThread(folder)
  const dimension = await thread.load().dimension
  const { fingerprint, prompts } = folder
  return {
    // Not the name of the folder: the same model in another place has the same vectors.
    model: `${provider}:${fingerprint}@${dimension}`,
    dimension,
    isCostly: true,
    separatesQueries: true,
    message_weight: MESSAGE_WEIGHT[prompts.query === prompts.passage ? 'similarity' : 'search'],
    embed: (texts, signal, use = 'passage') => thread.embed(texts, use, signal),
    close: () => thread.close(),
  }
}

interface Loading {
  thread: Worker
  /** @throws Error that says why the model cannot be loaded */
  dimension: Promise<number>
}

/**
 * Texts are embedded one after the other: so a vector does not depend on the texts beside it (quantised models scale by batch), and
 * memory is bounded. Queries go first, then the calls take turns.
 */
class ModelThread {
  readonly #data: ThreadData
  #calls: Job[][] = []
  #running: Job | undefined
  #timer: NodeJS.Timeout | undefined
  #loading: Loading | undefined
  /** The text with which the model failed last. */
  #failed: string | undefined

  constructor(folder: ModelFolder) {
    this.#data = { ...folder, cores: CORES }
  }

  load(): Loading {
    return (this.#loading ??= this.#start())
  }

  /** One vector for each text, in order. @throws ProviderFailure, or the signal's reason */
  async embed(texts: string[], use: EmbeddingUse, signal: AbortSignal): Promise<Float32Array[]> {
    if (texts.length === 0) return []
    signal.throwIfAborted()
    const jobs = texts.map((text): Job => ({ text, use, ...Promise.withResolvers<Float32Array>() }))
    const waiting = [...jobs]
    if (use === 'query') this.#calls.unshift(waiting)
    else this.#calls.push(waiting)
    void this.#next()
    try {
      return await raceSignal(
        mapAll(jobs, ({ promise }) => promise),
        signal,
      )
    } finally {
      this.#calls = this.#calls.filter((call) => call !== waiting)
    }
  }

  async close(): Promise<void> {
    await this.#loading?.thread.terminate()
  }

  async #next(): Promise<void> {
    if (this.#running) return
    const call = this.#calls.shift()
    this.#running = call?.shift()
    if (!this.#running || !call) return
    if (call.length > 0) this.#calls.push(call)
    const { text, use } = this.#running
    const { thread, dimension } = this.load()
    await dimension.catch(() => {})
    // Its end has ended the text as well.
    if (this.#loading?.thread !== thread) return
    thread.ref()
    this.#timer = setTimeout(() => this.#end(thread, `took longer than ${TEXT_MS} ms for one text`), TEXT_MS)
    thread.postMessage({ text, use } satisfies EmbedText)
  }

  /** Ends the running text, and begins the next one. */
  #settle(how: (running: Job) => void): void {
    clearTimeout(this.#timer)
    const running = this.#running
    this.#running = undefined
    if (running) how(running)
    void this.#next()
  }

  #start(): Loading {
    const thread = new Worker(new URL('onnx-thread.ts', import.meta.url), { workerData: this.#data })
    const { promise: dimension, resolve, reject } = Promise.withResolvers<number>()
    const timer = setTimeout(() => this.#end(thread, `took longer than ${LOAD_MS} ms to load`), LOAD_MS)
    dimension.catch(() => {}).finally(() => clearTimeout(timer))
    thread.on('message', (message: ThreadMessage) => {
      if ('fault' in message) {
        reject(new Error(message.fault))
        return this.#end(thread, `could not be loaded: ${message.fault}`)
      }
      thread.unref()
      if ('dimension' in message) return resolve(message.dimension)
      if ('vector' in message) return this.#settle((running) => running.resolve(message.vector))
      const text = this.#running?.text
      // It may be short of memory, in a state that only a new thread has not.
      if (text !== this.#failed) {
        this.#failed = text
        return this.#end(thread, `failed: ${message.error}`)
      }
      // As a server refuses a text that it will never take.
      const failure = new ProviderFailure('final', `The model failed: ${message.error}`, { provider, status: 422 })
      this.#settle((running) => running.reject(failure))
    })
    thread.on('error', (error) => {
      reject(error)
      this.#end(thread, `failed: ${error.message}`)
    })
    thread.on('exit', () => {
      reject(new Error('Cannot open the embedding model: its thread has ended'))
      this.#end(thread, 'has ended')
    })
    return { thread, dimension }
  }

  /** The next text starts another thread. */
  #end(thread: Worker, why: string): void {
    if (this.#loading?.thread !== thread) return
    this.#loading = undefined
    void thread.terminate()
    const failure = new ProviderFailure('retry', `The local embedding model ${why}`, { provider })
    this.#settle(({ reject }) => reject(failure))
  }
}
