// `npm run bench [section…]`: what muxi adds to a model call, against the bare thing on the same tuned server, in one run.
import { Client } from '@temporalio/client'
import { DefaultLogger, NativeConnection, Runtime, Worker } from '@temporalio/worker'
import { fileURLToPath } from 'node:url'
import { setTimeout as delay } from 'node:timers/promises'
import { adapters } from './adapters.ts'
import { api } from './api.ts'
import { changes } from './changes.ts'
import { cost } from './cost.ts'
import { embedding } from './embedding.ts'
import { fleet } from './fleet.ts'
import { idle } from './idle.ts'
import { ingestion } from './ingestion.ts'
import { openInspector } from './inspector.ts'
import { large } from './large.ts'
import { authorization, chat, ms, now, percentile, report, throughput } from './measure.ts'
import { audio, images, ocr } from './media.ts'
import { smallFiles } from './small-files.ts'
import { locomo, memories } from './memories.ts'
import { startBench, type Bench } from './processes.ts'
import { recalling } from './recalling.ts'
import { retrieval } from './retrieval.ts'
import { routing } from './routing.ts'
import { sockets } from './sockets.ts'
import { toolCalls, type BareChild } from './tools.ts'
import { vectors } from './vectors.ts'

const TURNS = 200
/** The interval at which the event log commits; see `db/event-log.ts`. */
const BATCH_MS = 20

const SECTIONS = {
  adapters,
  api,
  'api-sockets': sockets,
  first: firstToken,
  turns: turnsASecond,
  cost,
  stop: stopTimes,
  streams: concurrentStreams,
  ingest: ingestion,
  small: smallFiles,
  ocr,
  images,
  audio,
  large,
  recall: recalling,
  retrieval,
  embedding,
  routing,
  changes,
  memories,
  vectors,
  locomo,
  fleet,
  tools: toolCalls,
  idle,
  memory: memoryGrowth,
}
const wanted = process.argv.slice(2)

interface Bare extends BareChild {
  /** Milliseconds from the call to the first line of the activity. */
  start(): Promise<number>
  run(): Promise<unknown>
}

Runtime.install({ logger: new DefaultLogger('WARN') })
const bench = await startBench()
try {
  const bare = await startBare(bench.temporal)
  try {
    for (const [name, section] of Object.entries(SECTIONS)) {
      if (wanted.length === 0 || wanted.some((each) => name === each || name.startsWith(`${each}-`)))
        await section(bench, bare)
    }
  } finally {
    await bare.stop()
  }
} finally {
  await bench.stop()
}
process.exit(0)

async function startBare(address: string): Promise<Bare & { stop(): Promise<void> }> {
  const connection = await NativeConnection.connect({ address })
  const taskQueue = 'bare'
  const worker = await Worker.create({
    connection,
    taskQueue,
    workflowsPath: fileURLToPath(new URL('bare-workflows.ts', import.meta.url)),
    activities: { mark: () => Promise.resolve(now()) },
  })
  const running = worker.run()
  const client = new Client({ connection })
  let count = 0
  const run = (): Promise<number> =>
    client.workflow.execute<() => Promise<number>>('bare', {
      taskQueue,
      workflowId: `bare-${process.pid}-${(count += 1)}`,
    })
  return {
    run,
    temporal: client,
    runParent: async () => {
      const workflowId = `parent-${process.pid}-${(count += 1)}`
      await client.workflow.execute('parent', { taskQueue, workflowId })
      return workflowId
    },
    async start() {
      const startedAt = now()
      return (await run()) - startedAt
    },
    async stop() {
      worker.shutdown()
      await running
      await connection.close()
    },
  }
}

async function firstToken(bench: Bench, bare: Bare): Promise<void> {
  const ask = { words: 20, gap_ms: 5 }
  for (let warm = 0; warm < 20; warm += 1) {
    await bare.start()
    await chat(bench.muxi, 'warm', ask)
  }
  const floor: number[] = []
  const direct: number[] = []
  const ours: number[] = []
  const lags: number[] = []
  // Taken in turn, so that a busy moment of the machine meets all three.
  for (let turn = 0; turn < TURNS; turn += 1) {
    floor.push(await bare.start())
    direct.push(await firstWordOf(bench.model, ask))
    const { first, lags: seen } = await chat(bench.muxi, `user-${turn}`, ask)
    ours.push(first)
    lags.push(...seen)
  }
  const added = percentile(ours, 50) - percentile(direct, 50)
  report('bare workflow: start to activity', `${ms(percentile(floor, 50))} p50`)
  report('first token: model called directly', `${ms(percentile(direct, 50))} p50`)
  const late = percentile(ours, 95) - percentile(direct, 50)
  report('first token: through muxi', `${ms(percentile(ours, 50))} p50, ${ms(percentile(ours, 99))} p99`)
  report(
    'added to the first token',
    `${ms(added)} p50, ${ms(late)} p95`,
    added / percentile(floor, 50),
    '≤ 15, ≤ 40 ms',
  )
  report(
    'event from the model to the socket',
    `${ms(percentile(lags, 50))} p50, ${ms(percentile(lags, 99))} p99 (batch interval ${BATCH_MS} ms)`,
  )
}

async function firstWordOf(model: string, ask: object): Promise<number> {
  const startedAt = performance.now()
  const response = await fetch(`${model}/v1/chat/completions`, {
    method: 'POST',
    body: JSON.stringify({ messages: [{ role: 'user', content: JSON.stringify(ask) }] }),
  })
  let first: number | undefined
  for await (const _ of response.body!) first ??= performance.now() - startedAt
  return first ?? Number.NaN
}

async function turnsASecond(bench: Bench, bare: Bare): Promise<void> {
  for (const atOnce of [1, 8, 32]) {
    const total = atOnce === 1 ? 100 : 400
    const floor = await throughput(total, atOnce, () => bare.run())
    const ours = await throughput(total, atOnce, (lane) =>
      chat(bench.muxi, `lane-${atOnce}-${lane}`, { words: 1, gap_ms: 0 }),
    )
    report(
      `turns a second, ${atOnce} at once`,
      `${ours.toFixed(1)} against ${floor.toFixed(1)} bare workflows`,
      ours / floor,
      atOnce === 1 ? '' : '≥ 0.8',
    )
  }
}

async function stopTimes(bench: Bench): Promise<void> {
  const asked: Record<string, number> = {}
  for (let turn = 0; turn < 100; turn += 1) {
    const tag = `stop-${turn}`
    let cancelled: Promise<unknown> | undefined
    const onText = (turnId: string) => {
      cancelled ??= delay(50).then(() => {
        asked[tag] = now()
        return fetch(`${bench.muxi.url}/api/v1/turns/${turnId}/cancel`, {
          method: 'POST',
          headers: authorization(bench.muxi.key),
        })
      })
    }
    await chat(bench.muxi, tag, { words: 2_000, gap_ms: 5, tag }, { onText })
    await cancelled
  }
  const closed = (await (await fetch(`${bench.model}/closed`)).json()) as Record<string, number>
  const times = Object.entries(asked).map(([tag, at]) => closed[tag]! - at)
  report(
    'stop: from the request to the model’s connection closed',
    `${ms(percentile(times, 50))} p50, ${ms(percentile(times, 99))} p99 (≤ 150, ≤ 600)`,
  )
}

async function concurrentStreams(bench: Bench): Promise<void> {
  for (const streams of [50, 200]) {
    const words = 500
    const chats = await Promise.all(
      Array.from({ length: streams }, (_, lane) =>
        chat(bench.muxi, `stream-${streams}-${lane}`, { words, gap_ms: 20 }),
      ),
    )
    const lags = chats.flatMap(({ lags }) => lags)
    const lost = streams * words - lags.length
    report(
      `${streams} streams of 50 tokens a second`,
      `${ms(percentile(lags, 50))} p50, ${ms(percentile(lags, 99))} p99 lag, ${lost} tokens lost${streams === 50 ? ' (≤ 250 ms, 0)' : ''}`,
    )
  }
}

async function memoryGrowth(bench: Bench): Promise<void> {
  const heaps: number[] = []
  const inspector = await openInspector(bench.muxi.inspector)
  for (let thousand = 1; thousand <= 3; thousand += 1) {
    await throughput(1_000, 16, (lane) => chat(bench.muxi, `memory-${lane}`, { words: 3, gap_ms: 0 }))
    const { heap, rss } = await inspector.heapAfterCollection()
    heaps.push(heap)
    report(
      `memory after ${thousand},000 turns`,
      `${(heap / 2 ** 20).toFixed(1)} MiB of heap, ${(rss / 2 ** 20).toFixed(0)} MiB resident`,
    )
  }
  inspector.close()
  report('memory: third thousand against second', '', heaps[2]! / heaps[1]!, '≤ 1.05')
}
