// The panel beside the chat: every event of one turn.
import { $, adding, make } from './dom.js'
import { live } from './live-turns.js'
/** @import { PageTurn } from './types.d.ts' */

/**
 * The turn whose events are shown.
 * @type {PageTurn | undefined}
 */
export let shown

/** @param {Pick<PageTurn, 'over' | 'request'>} turn */
export function describe({ over, request: { content, attachments } }) {
  const what = content || (attachments ?? []).map(({ name }) => name).join(', ')
  return `${over ? 'Of' : 'Live, of'} “${what.slice(0, 80)}”`
}

export function addEvent({ id, type, data }) {
  const item = make(
    'li',
    {},
    make('span', { className: 'number' }, String(id)),
    make('span', { className: 'type' }, type),
    make('span', { className: 'data' }, JSON.stringify(data)),
  )
  adding($('event-list'), () => $('event-list').append(item))
}

export function showEvents(turn, asked = false) {
  shown = turn
  $('events-of').textContent = turn ? describe(turn) : 'Send a message, and each event of its turn appears here.'
  $('event-list').replaceChildren()
  if (!turn) return
  turn.events.forEach(addEvent)
  if (asked) openPanel(true)
  if (turn.events.length > 0 || live.has(turn.id)) return
  live.set(turn.id, turn)
  turn.follow()
}

export function openPanel(isOpen) {
  $('toggle-events').ariaExpanded = String(isOpen)
  adding($('scroll'), () => {
    $('events').hidden = !isOpen
    document.querySelector('main')?.classList.toggle('alone', !isOpen)
  })
  $('event-list').scrollTop = $('event-list').scrollHeight
}
