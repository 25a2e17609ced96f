// The thread in which the calculator calculates.
import { parentPort } from 'node:worker_threads'
import type { WorkerMessage } from './bounded-worker.ts'
import { calculate, type Calculated, type Calculation, convert, type Conversion } from './calculate.ts'

export type CalculatorRequest = { calculate: Calculation } | { convert: Conversion }

const say = (message: WorkerMessage<Calculated>) => parentPort?.postMessage(message)

parentPort?.on('message', (request: CalculatorRequest) => {
  try {
    say({ answer: 'calculate' in request ? calculate(request.calculate) : convert(request.convert) })
  } catch (error) {
    say({ error: error instanceof Error ? error.message : String(error) })
  }
})
say({ ready: true })
