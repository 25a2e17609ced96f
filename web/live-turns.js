// The turns that are followed over the WebSocket; kept over a reload of the page.
import { $ } from './dom.js'
/** @import { PageTurn } from './types.d.ts' */

/**
 * By request id: those that run, and those whose events are read again.
 * @type {Map<string, PageTurn>}
 */
export const live = new Map()

export function remember() {
  const turns = [...live.values()].filter(({ over }) => !over)
  const saved = turns.map(({ id, turn_id, request, last }) => ({ id, turn_id, request, last }))
  sessionStorage.setItem('muxi.turns', JSON.stringify(saved))
  $('stop').hidden = !runningHere()
  if ($('stop').hidden && document.activeElement === $('stop')) $('content').focus()
}

/** The first turn on the page that is not over. */
export const runningHere = () => [...$('turns').children].map(({ turn }) => turn).find((turn) => turn?.over === false)
