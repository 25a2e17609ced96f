// A process whose heap has grown in a burst that is over: says `grown` and then, again and again, the size of its heap in MiB.
import { collectWhenIdle } from '../../cli/idle-collection.ts'

const heap = () => Math.round(process.memoryUsage().heapTotal / 2 ** 20)
let burst: object[] | undefined = Array.from({ length: 1_000_000 }, (_, n) => ({ n, text: `of a burst ${n}` }))
process.stdout.write(`grown ${heap()} ${burst.length}\n`)
burst = undefined
collectWhenIdle({ signal: new AbortController().signal, lookMs: 100 })
setInterval(() => process.stdout.write(`heap ${heap()}\n`), 100)
