// What the triggers of the live feed cost a turn: two installations, one of them without, take turns in turn.
import { DatabaseSync } from 'node:sqlite'
import { join } from 'node:path'
import { authorization, ms, percentile, report } from './measure.ts'
import type { Bench, Muxi } from './processes.ts'

const TURNS = 200
const WARM = 20

const agents = {
  bench: { description: 'measured', system_message: 'none', model: { provider: 'offline', model: 'offline' } },
}

export async function changes(bench: Bench): Promise<void> {
  const sides = await Promise.all([open(bench, 'changes-noted'), open(bench, 'changes-none', dropTriggers)])
  for (let turn = 0; turn < WARM + TURNS; turn += 1)
    for (const { muxi, took } of sides) {
      const startedAt = performance.now()
      await offlineTurn(muxi, `user-${turn % 10}`)
      if (turn >= WARM) took.push(performance.now() - startedAt)
    }
  const [noted, none] = sides.map(({ took }) => percentile(took, 50)) as [number, number]
  report(
    'an offline turn whose changes are noted',
    `${ms(noted)} against ${ms(none)} p50 without triggers`,
    noted / none,
  )
  await Promise.all(sides.map(({ muxi }) => muxi.stop()))
}

async function open(bench: Bench, name: string, change?: (file: string) => void) {
  const installation = await bench.install(name, { agents })
  const muxi = await installation.start('all', { MUXI_OFFLINE_WORDS_PER_SECOND: '100000' })
  change?.(join(installation.data_dir, 'muxi.db'))
  return { muxi, took: [] as number[] }
}

function dropTriggers(file: string): void {
  const db = new DatabaseSync(file)
  const names = db.prepare("select name from sqlite_master where type = 'trigger' and sql like '%into changes%'").all()
  if (names.length === 0) throw new Error('there are no triggers that note changes')
  for (const { name } of names) db.exec(`drop trigger ${name as string}`)
  db.close()
}

async function offlineTurn({ url, key }: Muxi, user_id: string): Promise<void> {
  const response = await fetch(`${url}/api/v1/agents/bench/chat`, {
    method: 'POST',
    headers: authorization(key, 'application/json'),
    body: JSON.stringify({ content: 'Hello there.', user_id }),
  })
  if (!response.ok) throw new Error(`${response.status} ${await response.text()}`)
  await response.text()
}
