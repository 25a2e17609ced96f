// The triggers that count usage rows by key, user and day, in the transaction that writes the row: no writer can miss it.
import { sql, type RawBuilder } from 'kysely'
import type { RowTrigger } from './row-trigger.ts'

type Row = 'old' | 'new'
type Change = { add?: Row; subtract?: Row }

/** A sent request counts as what is reserved for it, an ended one by its actual usage. */
const COUNTERS: Record<string, (row: RawBuilder<unknown>) => RawBuilder<unknown>> = {
  requests: () => sql`1`,
  input_tokens: (row) => sql`case ${row}.status when 'sent' then 0 else ${row}.input_tokens end`,
  output_tokens: (row) => sql`case ${row}.status when 'sent' then 0 else ${row}.output_tokens end`,
  cost_usd: (row) => sql`case ${row}.status when 'sent' then 0 else coalesce(${row}.cost_usd, 0) end`,
  reserved_tokens: (row) => sql`case ${row}.status when 'sent' then ${row}.reserved_tokens else 0 end`,
  reserved_cost_usd: (row) => sql`case ${row}.status when 'sent' then coalesce(${row}.reserved_cost_usd, 0) else 0 end`,
}

export function countedUsage(): RowTrigger[] {
  // Only what is counted: an owner that is forgotten changes nothing.
  const counted = sql`after update of status, input_tokens, output_tokens, cost_usd on model_usage`
  return [
    { name: 'count_usage_insert', event: sql`after insert on model_usage`, body: count({ add: 'new' }) },
    { name: 'count_usage_update', event: counted, body: count({ add: 'new', subtract: 'old' }) },
    { name: 'count_usage_delete', event: sql`after delete on model_usage`, body: count({ subtract: 'old' }) },
  ]
}

/** A request is booked on the day it was sent. The key's counter is locked before the user's, always. */
function count({ add, subtract }: Change): RawBuilder<unknown> {
  const names = Object.keys(COUNTERS)
  const row = sql.raw(add ?? subtract!)
  const changes = Object.values(COUNTERS).map((value) => {
    const plus = add ? sql`(${value(sql.raw(add))})` : sql`0`
    return subtract ? sql`${plus} - (${value(sql.raw(subtract))})` : plus
  })
  return sql`
    insert into usage_days (owner_kind, owner_id, day, ${sql.join(names.map((name) => sql.ref(name)))})
    select kind, owner, substr(${row}.created_at, 1, 10), ${sql.join(changes)}
    from (select 1 as place, 'key' as kind, ${row}.key_id as owner union all select 2, 'user', ${row}.user_id) owners
    where owner is not null
    order by place
    on conflict (owner_kind, owner_id, day) do update set ${sql.join(
      names.map((name) => sql`${sql.ref(name)} = usage_days.${sql.ref(name)} + excluded.${sql.ref(name)}`),
    )};`
}
