// What must be true of a data folder once every turn in it is over, whatever was killed meanwhile. Reads rows, not our own code's view of them.
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { isFinal } from '../../contracts/events.ts'
import { shownText } from '../../contracts/text.ts'

export interface Expectations {
  /** Only turns after this one are looked at. */
  after?: string
  /** How many requests of these turns the scripted model has seen, to be compared with the usage rows. */
  modelCalls?: number
  /** Attempts that may have died between their usage row and their request. */
  unsent?: number
  /** Labels that the tools' effects left; each of a tool that must not run twice stands there once. */
  counted?: readonly string[]
  /** Labels of idempotent tools, which may stand there more than once. */
  repeatable?: readonly string[]
}

type Row = Record<string, string | number | null>
interface Event {
  id: number
  type: string
  data: Record<string, unknown>
}

const FINAL_EVENT: Record<string, string> = { completed: 'message_end', failed: 'error', cancelled: 'cancelled' }

/** @throws an error that names every breach, turn by turn */
export function checkInvariants(dataDir: string, expectations: Expectations = {}): void {
  const breaches = findBreaches(dataDir, expectations)
  if (breaches.length > 0) throw new Error(`Broken invariants:\n${breaches.join('\n')}`)
}

function findBreaches(
  dataDir: string,
  { after = '', modelCalls, unsent = 0, counted = [], repeatable = [] }: Expectations,
): string[] {
  const db = new DatabaseSync(join(dataDir, 'muxi.db'), { readOnly: true })
  try {
    // One moment of the database, even when something still writes.
    db.exec('begin')
    const all = (sql: string, ...parameters: string[]) => db.prepare(sql).all(...parameters) as Row[]
    const breaches = all('select * from turns where id > ? order by id', after).flatMap((turn) =>
      breachesOfTurn(turn, all).map((breach) => `${turn['id']} (${turn['status']}): ${breach}`),
    )
    const usageRows = all(`select id from model_usage where turn_id > ? and provider <> 'offline'`, after).length
    if (modelCalls !== undefined && (usageRows < modelCalls || usageRows > modelCalls + unsent)) {
      breaches.push(`the model saw ${modelCalls} requests, and there are ${usageRows} usage rows`)
    }
    const doubled = counted.filter((label, index) => !repeatable.includes(label) && counted.indexOf(label) !== index)
    if (doubled.length > 0) breaches.push(`tools had their effect more than once: ${doubled.join(', ')}`)
    for (const { stream_id } of all('select stream_id from event_streams where stream_id not in (select id from turns) and stream_id not in (select id from jobs)')) {
      breaches.push(`there are events of ${stream_id}, which is no turn and no job`)
    }
    return breaches
  } finally {
    db.close()
  }
}

function breachesOfTurn(turn: Row, all: (sql: string, ...parameters: string[]) => Row[]): string[] {
  const id = String(turn['id'])
  const status = String(turn['status'])
  const breaches: string[] = []
  const expect = (holds: boolean, breach: string) => void (holds || breaches.push(breach))
  const events = readEvents(all('select * from event_segments where stream_id = ? order by last_id', id))

  expect(status in FINAL_EVENT, 'it has not ended')
  expect(
    events.every((event, index) => event.id === index + 1),
    `its events are not numbered 1 to n: ${events.map((event) => event.id).join(',')}`,
  )
  const [stream] = all('select * from event_streams where stream_id = ?', id)
  expect(
    Number(stream?.['head'] ?? 0) === events.length,
    `its head is ${stream?.['head']}, and it has ${events.length} events`,
  )
  const finals = events.filter(({ type }) => isFinal(type))
  expect(
    finals.length === 1 && finals[0] === events.at(-1),
    `it has ${finals.length} final events, its last one is ${events.at(-1)?.type}`,
  )
  expect(finals[0]?.type === FINAL_EVENT[status], `its final event is ${finals[0]?.type}`)
  for (const type of ['accepted', 'message_start']) {
    expect(events.filter((event) => event.type === type).length <= 1, `it has more than one ${type}`)
  }
  expect(events[0]?.type === 'accepted', `its first event is ${events[0]?.type}`)

  const shown = shownText(events as Parameters<typeof shownText>[0]).text
  const replies = all(`select * from messages where turn_id = ? and role = 'assistant'`, id)
  const asked = all(`select * from messages where turn_id = ? and role = 'user'`, id)
  expect(asked.length === 1, `it has ${asked.length} messages of its user`)
  expect(replies.length <= 1, `it has ${replies.length} replies`)
  expect(status !== 'completed' || replies.length === 1, 'it has no reply')
  const reply = replies[0]?.['content']
  expect(
    reply === undefined ? shown === '' : reply === shown,
    `its reply ${JSON.stringify(reply)} is not what was shown, ${JSON.stringify(shown)}`,
  )

  // The steps hold what the attempt that counts said: had an older attempt written after a newer one, the texts would differ.
  const steps = all('select * from model_steps where turn_id = ? order by step', id)
  const said = steps.map(({ content }) => String(content)).filter((content) => content !== '')
  if (status === 'completed')
    expect(
      shown.replaceAll(/\s+/g, ' ').trim() === said.join(' ').replaceAll(/\s+/g, ' ').trim(),
      `it showed ${JSON.stringify(shown)}, its steps said ${JSON.stringify(said)}`,
    )
  breaches.push(...breachesOfOrder(events, all('select * from model_usage where turn_id = ?', id)))

  const starts = count(events, 'tool_call_start')
  const ends = count(events, 'tool_call_end')
  for (const [call, times] of [...starts, ...ends])
    expect(times === 1, `tool call ${call} began or ended ${times} times`)
  for (const call of ends.keys()) expect(starts.has(call), `tool call ${call} ended without a beginning`)
  if (status === 'completed') for (const call of starts.keys()) expect(ends.has(call), `tool call ${call} has no end`)
  for (const { call_id, status: left } of all(
    `select * from tool_calls where turn_id = ? and status in ('planned', 'started')`,
    id,
  )) {
    breaches.push(`tool call ${call_id} was left ${left}`)
  }
  for (const { step } of all(`select * from model_usage where turn_id = ? and status = 'sent'`, id))
    breaches.push(`a usage row of step ${step} was left 'sent'`)
  for (const { name } of all(`select * from log_entries where turn_id = ? and status = 'running'`, id))
    breaches.push(`the log entry '${name}' was left running`)
  return breaches
}

/** Steps never go back, and a step is begun anew no more often than it was attempted. */
function breachesOfOrder(events: Event[], usage: Row[]): string[] {
  const breaches: string[] = []
  let last = 0
  const resets = new Map<number, number>()
  for (const { id, type, data } of events) {
    if (type !== 'content' && type !== 'content_reset') continue
    const step = Number(data['step'])
    if (step < last) breaches.push(`event ${id} is of step ${step}, after one of step ${last}`)
    last = step
    if (type === 'content_reset') resets.set(step, (resets.get(step) ?? 0) + 1)
  }
  for (const [step, times] of resets) {
    const attempts = new Set(usage.filter((row) => row['step'] === step).map(({ fence }) => fence)).size
    if (times > attempts - 1) breaches.push(`step ${step} was reset ${times} times in ${attempts} attempts`)
  }
  return breaches
}

function readEvents(segments: Row[]): Event[] {
  return segments.flatMap(({ first_id, events }) =>
    (JSON.parse(String(events)) as [string, Event['data']][]).map(([type, data], index) => ({
      id: Number(first_id) + index,
      type,
      data,
    })),
  )
}

function count(events: Event[], type: string): Map<string, number> {
  const counts = new Map<string, number>()
  for (const event of events) {
    if (event.type === type) counts.set(String(event.data['id']), (counts.get(String(event.data['id'])) ?? 0) + 1)
  }
  return counts
}
