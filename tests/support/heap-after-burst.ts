// A process whose heap has grown in a burst that is over: says `grown`, `left` when its readers have left, and, again and again, the size of its heap in MiB.
import { collectWhenIdle } from '../../cli/idle-collection.ts'

const heap = () => Math.round(process.memoryUsage().heapTotal / 2 ** 20)
let burst: object[] | undefined = Array.from({ length: 1_000_000 }, (_, n) => ({ n, text: `of a burst ${n}` }))
process.stdout.write(`grown ${heap()} ${burst.length}\n`)
burst = undefined
// Its many readers leave only after a while.
let readers = 50
collectWhenIdle({ signal: new AbortController().signal, readers: () => readers, lookMs: 100 })
setTimeout(() => {
  readers = 49
  process.stdout.write('left\n')
}, 1_000)
setInterval(() => process.stdout.write(`heap ${heap()}\n`), 100)
