// What must be true of a database once every turn and job in it is over, whatever was killed meanwhile. Reads rows, not our own code's view of them.
import { isFinal } from '../../contracts/events.ts'
import { shownText } from '../../contracts/text.ts'
import { type Ask, type Place, readRows, type Row } from './rows.ts'

export interface Expectations {
  /** Only turns and jobs after these are looked at. */
  after?: { turn: string; job: string }
  /** How many requests of these turns the scripted model has seen, to be compared with the usage rows. */
  modelCalls?: number
  /** Attempts that may have died between their usage row and their request. */
  unsent?: number
  /** Labels that the tools' effects left; each of a tool that must not run twice stands there once. */
  counted?: readonly string[]
  /** Labels of idempotent tools, which may stand there more than once. */
  repeatable?: readonly string[]
}

interface Event {
  id: number
  type: string
  data: Record<string, unknown>
}

const FINAL_EVENT: Record<string, string> = { completed: 'message_end', failed: 'error', cancelled: 'cancelled' }

const FINAL_JOB_EVENT: Record<string, string> = { completed: 'completed', failed: 'failed', cancelled: 'cancelled' }
/** Positions of the chunks of a batch begin at its number times this. */
const POSITIONS_A_BATCH = 100_000

/** @throws an error that names every breach, turn by turn and job by job */
export async function checkInvariants(place: Place, expectations: Expectations = {}): Promise<void> {
  const breaches = await readRows(place, (ask) => findBreaches(ask, expectations))
  if (breaches.length > 0) throw new Error(`Broken invariants:\n${breaches.join('\n')}`)
}

const ofOwner = `from model_usage where day = substr(created_at, 1, 10)
  and owner_id = case owner_kind when 'key' then key_id else user_id end`
/** Counters of budgets that differ from the rows they count. */
const MISCOUNTED = `select owner_kind, owner_id, day from usage_days where requests <> (select count(*) ${ofOwner})
  or input_tokens + output_tokens <> (select sum(case status when 'sent' then 0 else input_tokens + output_tokens end) ${ofOwner})
  or reserved_tokens <> (select sum(case status when 'sent' then reserved_tokens else 0 end) ${ofOwner})
  or abs(cost_usd - (select sum(case status when 'sent' then 0 else coalesce(cost_usd, 0) end) ${ofOwner})) > 0.000001`

async function findBreaches(
  ask: Ask,
  { after = { turn: '', job: '' }, modelCalls, unsent = 0, counted = [], repeatable = [] }: Expectations,
): Promise<string[]> {
  const breaches: string[] = []
  for (const turn of await ask('select * from turns where id > ? order by id', after.turn))
    breaches.push(...(await breachesOfTurn(turn, ask)).map((breach) => `${turn['id']} (${turn['status']}): ${breach}`))
  for (const job of await ask('select * from jobs where id > ? order by id', after.job))
    breaches.push(...(await breachesOfJob(job, ask)).map((breach) => `${job['id']} (${job['status']}): ${breach}`))
  const sent = await ask(
    `select id from model_usage where kind = 'chat' and provider <> 'offline' and stream_id > (case when stream_id like 'job_%' then ? else ? end)`,
    after.job,
    after.turn,
  )
  if (modelCalls !== undefined && (sent.length < modelCalls || sent.length > modelCalls + unsent)) {
    breaches.push(`the model saw ${modelCalls} requests, and there are ${sent.length} usage rows`)
  }
  for (const { owner_kind, owner_id, day } of await ask(MISCOUNTED))
    breaches.push(`what ${owner_kind} '${owner_id}' has spent on ${day} is not the sum of its usage rows`)
  const doubled = counted.filter((label, index) => !repeatable.includes(label) && counted.indexOf(label) !== index)
  if (doubled.length > 0) breaches.push(`tools had their effect more than once: ${doubled.join(', ')}`)
  for (const { stream_id } of await ask(
    'select stream_id from event_streams where stream_id not in (select id from turns) and stream_id not in (select id from jobs)',
  )) {
    breaches.push(`there are events of ${stream_id}, which is no turn and no job`)
  }
  return breaches
}

async function breachesOfTurn(turn: Row, ask: Ask): Promise<string[]> {
  const id = String(turn['id'])
  const status = String(turn['status'])
  const breaches: string[] = []
  const expect = (holds: boolean, breach: string) => void (holds || breaches.push(breach))
  const { events, breaches: numbering } = await breachesOfStream(id, FINAL_EVENT[status], ask)
  breaches.push(...numbering)
  for (const type of ['accepted', 'message_start']) {
    expect(events.filter((event) => event.type === type).length <= 1, `it has more than one ${type}`)
  }
  expect(events[0]?.type === 'accepted', `its first event is ${events[0]?.type}`)

  const shown = shownText(events as Parameters<typeof shownText>[0]).text
  const replies = await ask(`select * from messages where turn_id = ? and role = 'assistant'`, id)
  const asked = await ask(`select * from messages where turn_id = ? and role = 'user'`, id)
  expect(asked.length === 1, `it has ${asked.length} messages of its user`)
  expect(replies.length <= 1, `it has ${replies.length} replies`)
  expect(status !== 'completed' || replies.length === 1, 'it has no reply')
  const reply = replies[0]?.['content']
  expect(
    reply === undefined ? shown === '' : reply === shown,
    `its reply ${JSON.stringify(reply)} is not what was shown, ${JSON.stringify(shown)}`,
  )

  // The steps hold what the attempt that counts said: had an older attempt written after a newer one, the texts would differ.
  const steps = await ask('select * from model_steps where turn_id = ? order by step', id)
  const said = steps.map(({ content }) => String(content)).filter((content) => content !== '')
  if (status === 'completed')
    expect(
      shown.replaceAll(/\s+/g, ' ').trim() === said.join(' ').replaceAll(/\s+/g, ' ').trim(),
      `it showed ${JSON.stringify(shown)}, its steps said ${JSON.stringify(said)}`,
    )
  breaches.push(...breachesOfOrder(events, await ask('select * from model_usage where stream_id = ?', id)))

  for (const [approval, times] of [...count(events, 'approval_required'), ...count(events, 'approval_decided')])
    expect(times === 1, `approval ${approval} was asked for or decided ${times} times`)
  for (const { id: approval } of await ask(`select id from approvals where turn_id = ? and status = 'waiting'`, id))
    breaches.push(`approval ${approval} was left waiting`)

  const starts = count(events, 'tool_call_start')
  const ends = count(events, 'tool_call_end')
  for (const [call, times] of [...starts, ...ends])
    expect(times === 1, `tool call ${call} began or ended ${times} times`)
  for (const call of ends.keys()) expect(starts.has(call), `tool call ${call} ended without a beginning`)
  if (status === 'completed') for (const call of starts.keys()) expect(ends.has(call), `tool call ${call} has no end`)
  for (const { call_id, status: left } of await ask(
    `select * from tool_calls where turn_id = ? and status in ('planned', 'started')`,
    id,
  )) {
    breaches.push(`tool call ${call_id} was left ${left}`)
  }
  for (const { step } of await ask(`select * from model_usage where stream_id = ? and status = 'sent'`, id))
    breaches.push(`a usage row of step ${step} was left 'sent'`)
  for (const { name } of await ask(`select * from log_entries where stream_id = ? and status = 'running'`, id))
    breaches.push(`the log entry '${name}' was left running`)
  return breaches
}

/** Every batch was read and indexed once, and what is found of the document is what its batches gave. */
async function breachesOfJob(job: Row, ask: Ask): Promise<string[]> {
  const id = String(job['id'])
  const status = String(job['status'])
  const { events, breaches } = await breachesOfStream(id, FINAL_JOB_EVENT[status], ask)
  const expect = (holds: boolean, breach: string) => void (holds || breaches.push(breach))
  for (const { name } of await ask(`select * from log_entries where stream_id = ? and status = 'running'`, id))
    breaches.push(`the log entry '${name}' was left running`)
  const batches = await ask(
    `select batch, from_page, to_page, chunks, case when pages is null then 0 else 1 end as parsed
     from job_batches where job_id = ? order by batch`,
    id,
  )
  if (status === 'cancelled')
    expect(
      batches.every(({ chunks }) => chunks === null),
      'a batch is noted as indexed though nothing of it may be',
    )
  // What was extracted goes with its file.
  const [file] = await ask('select id from files where id = ?', String(job['file_id']))
  if (status !== 'completed' || !file) return breaches

  const result = JSON.parse(String(job['result'])) as { pages: number; chunks: number }
  const told = events.at(-1)?.data['result'] as typeof result
  expect(JSON.stringify(told) === JSON.stringify(result), `its result is not what was told, ${JSON.stringify(told)}`)
  const pages = batches.reduce((sum, batch) => sum + Number(batch['to_page']) - Number(batch['from_page']) + 1, 0)
  expect(pages === result.pages, `its batches have ${pages} pages, its result ${result.pages}`)
  expect(
    batches.every(({ parsed, chunks }) => parsed === 1 && (chunks !== null || job['agent_id'] === null)),
    'a batch was left out',
  )
  const [shown] = await ask('select generation from documents where id = ?', String(job['document_id']))
  // Nothing was to be found, or it was removed or replaced since.
  if (shown?.['generation'] !== job['generation'] || job['agent_id'] === null) return breaches
  const chunks = await ask(
    'select id, generation, position from chunks where document_id = ? order by position',
    String(job['document_id']),
  )
  expect(
    chunks.every(({ generation }) => generation === job['generation']),
    'chunks of another generation were left',
  )
  expect(chunks.length === result.chunks, `it told of ${result.chunks} chunks, and ${chunks.length} can be found`)
  for (const { batch, chunks: noted } of batches) {
    const found = chunks.filter(({ position }) => Math.floor(Number(position) / POSITIONS_A_BATCH) === batch).length
    expect(found === noted, `batch ${batch} has ${found} chunks, and ${noted} were noted`)
  }
  return breaches
}

/** Numbers from 1 without a gap, one final event at the end, and that of the right type. */
async function breachesOfStream(
  id: string,
  finalType: string | undefined,
  ask: Ask,
): Promise<{ events: Event[]; breaches: string[] }> {
  const breaches: string[] = []
  const expect = (holds: boolean, breach: string) => void (holds || breaches.push(breach))
  const events = readEvents(await ask('select * from event_segments where stream_id = ? order by last_id', id))
  const [stream] = await ask('select * from event_streams where stream_id = ?', id)
  const finals = events.filter(({ type }) => isFinal(type))
  expect(finalType !== undefined, 'it has not ended')
  expect(
    events.every((event, index) => event.id === index + 1),
    `its events are not numbered 1 to n: ${events.map((event) => event.id).join(',')}`,
  )
  expect(
    Number(stream?.['head'] ?? 0) === events.length,
    `its head is ${stream?.['head']}, and it has ${events.length} events`,
  )
  expect(
    finals.length === 1 && finals[0] === events.at(-1),
    `it has ${finals.length} final events, its last one is ${events.at(-1)?.type}`,
  )
  expect(finals[0]?.type === finalType, `its final event is ${finals[0]?.type}`)
  return { events, breaches }
}

/** Steps never go back, and a step is restarted no more often than it was attempted. */
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
