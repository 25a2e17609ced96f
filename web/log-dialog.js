// The execution log of a turn: each model call, tool call and approval, with what they took and cost.
import { call } from './api.js'
import { $, make, pretty } from './dom.js'

export async function showLog({ turn_id }) {
  const { entries, totals } = await call(`/turns/${turn_id}/log`)
  const cost = totals.cost_usd === null ? '' : `, ${totals.cost_usd.toFixed(4)} USD`
  $('log-totals').textContent =
    `${totals.duration_ms} ms, model calls: ${totals.model_calls}, tool calls: ${totals.tool_calls}, ` +
    `tokens: ${totals.input_tokens} in, ${totals.output_tokens} out${cost}`
  const rows = entries.map(({ kind, name, status, attempt, started_at, duration_ms, input, output, error, usage }) => {
    const cells = [
      kind.replace('_', ' '),
      name,
      status,
      attempt,
      new Date(started_at).toLocaleTimeString(),
      duration_ms === null ? '' : `${duration_ms} ms`,
    ]
    const details = make(
      'details',
      {},
      make('summary', {}, error ? (error.message ?? 'Error') : 'Show'),
      make('pre', {}, pretty({ input, output, error, usage })),
    )
    const row = make('tr', {}, ...cells.map((cell) => make('td', {}, String(cell))), make('td', {}, details))
    row.children[2].classList.toggle('failed', status === 'failed')
    return row
  })
  $('log-rows').replaceChildren(...rows)
  $('log-dialog').showModal()
}
