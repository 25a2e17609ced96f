// The figures of one peer in one round: short replies one by one and at once, memory before and after, then long replies.
import { setTimeout as sleep } from 'node:timers/promises'
import type { Host } from './host.ts'
import { direct as model, type Peer } from './peers.ts'
import { type Plan, turnsOf } from './plan.ts'
import { type DirectResult, type Figures, median } from './tables.ts'
import { runLoad, talker } from './turn.ts'
import { watchOthers } from './usage.ts'

/** Settles what a start leaves behind before memory is read. */
const IDLE_MS = 3_000
const AFTER_MS = 2_000

/** What the machine reaches without a peer, added to `result`. */
export async function measureDirect(url: string, { short, long, warm_up }: Plan, result: DirectResult): Promise<void> {
  await runLoad(model, url, { name: 'warm', reply: short.reply, at_once: 1, turns: warm_up })
  for (const load of short.loads) {
    const { per_second } = await runLoad(model, url, { name: 'direct', reply: short.reply, ...load })
    ;(result.per_second[load.at_once] ??= []).push(per_second)
  }
  const { per_second } = await runLoad(model, url, { name: 'direct', ...long })
  result.long_per_second.push(per_second)
}

/** Measures a peer that has just started on a fresh store, and adds to `direct`. @throws when it answers no turn */
export async function measurePeer(
  peer: Peer,
  host: Host,
  url: string,
  plan: Plan,
  direct: DirectResult,
): Promise<Figures> {
  await sleep(IDLE_MS)
  const idle = host.memory()
  const others = watchOthers()
  const cpu = host.cpu()

  const errors: string[] = []
  const { reply } = plan.short
  const warm = talker(peer, url, 'warm', reply)
  for (let turn = 0; turn < plan.warm_up; turn += 1) {
    const { error } = await warm()
    if (error !== undefined) errors.push(error)
  }
  if (errors.length === plan.warm_up) throw new Error(`no turn succeeded: ${errors[0]}`)

  const added = await measureFirstWords(peer, host, url, plan)
  errors.push(...added.errors)
  direct.first_p50.push(median(added.direct))

  const per_second: Record<number, number> = {}
  for (const { at_once, turns } of plan.short.loads) {
    const load = await runLoad(peer, url, { name: `short-${at_once}`, reply, at_once, turns })
    per_second[at_once] = load.per_second
    errors.push(...load.errors)
  }
  const cpu_per_turn = ((host.cpu() - cpu) * 1_000) / turnsOf(plan)
  await sleep(AFTER_MS)
  const after = host.memory()

  const longCpu = host.cpu()
  const long = await runLoad(peer, url, { name: 'long', ...plan.long })
  return {
    added_first_p50: median(added.ours) - median(added.direct),
    per_second,
    cpu_per_turn,
    idle,
    after,
    long: { per_second: long.per_second, cpu_per_turn: ((host.cpu() - longCpu) * 1_000) / plan.long.turns },
    errors,
    long_errors: long.errors,
    others: others(),
  }
}

async function measureFirstWords(peer: Peer, { modelUrl }: Host, url: string, { pairs, short }: Plan) {
  const through = talker(peer, url, 'pair', short.reply)
  const beside = talker(model, modelUrl, 'pair', short.reply)
  const seen = { ours: [] as number[], direct: [] as number[], errors: [] as string[] }
  for (let pair = 0; pair < pairs; pair += 1) {
    // The order alternates, so that neither side always finds the colder caches.
    const bareFirst = pair % 2 === 0 ? await beside() : undefined
    const ours = await through()
    const bare = bareFirst ?? (await beside())
    if (ours.error !== undefined) {
      seen.errors.push(ours.error)
      continue
    }
    seen.ours.push(ours.first)
    seen.direct.push(bare.first)
  }
  return seen
}
