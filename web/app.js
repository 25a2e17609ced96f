// The web page: talks to agents over one WebSocket, shows every event, and goes on where it was after any break.
import { call, callAll } from './api.js'
import { openComposer } from './composer.js'
import { showConversations } from './conversation-list.js'
import { $, attempt, complain, make } from './dom.js'
import { openPanel } from './events-panel.js'
import { followJobs, mayManage, showKnowledge, takeJobFrame } from './knowledge.js'
import { live } from './live-turns.js'
import { showConversation } from './messages.js'
import { useSocket } from './socket.js'
import { Turn } from './turn.js'
/** @import { Frame } from './types.d.ts' */

let begun = false

/** @param {Frame} frame */
function takeFrame({ type, id, data }) {
  if (takeJobFrame({ type, id, data })) return
  const turn = live.get(id.replace(/^stop-/, ''))
  if (data.event_id !== undefined) turn?.take(type, data)
  else if (type === 'error' && id.startsWith('stop-')) {
    // Over already: its last event is on the way.
    if (data.code !== 'conflict') complain(data)
  } else if (type === 'error') {
    if (turn) turn.refused(data)
    else complain(data)
  }
}

async function begin() {
  $('forget').hidden = sessionStorage.getItem('muxi.key') === null
  const agents = await callAll('/agents', 'agents')
  $('agent').replaceChildren(
    ...agents.map(({ id, description }) => make('option', { value: id, title: description }, id)),
  )
  if (agents.length === 0)
    return complain({ message: 'There is no agent yet. Put a file into the folder of agents, or POST /api/v1/agents.' })
  begun = true
  const before = sessionStorage.getItem('muxi.agent')
  if (before !== null && agents.some(({ id }) => id === before)) $('agent').value = before
  for (const saved of JSON.parse(sessionStorage.getItem('muxi.turns') ?? '[]'))
    live.set(saved.id, new Turn(saved.request, saved))
  for (const control of [$('agent'), $('conversation'), $('new')]) control.disabled = false
  openComposer()
  // A key that may do nothing but chat sees nothing of knowledge.
  $('knowledge').hidden = !(await mayManage())
  await showAgent(sessionStorage.getItem('muxi.conversation') ?? undefined)
  $('content').focus()
}

async function showAgent(wanted) {
  sessionStorage.setItem('muxi.agent', $('agent').value)
  $('about').textContent = $('agent').selectedOptions[0]?.title ?? ''
  await showConversations(wanted)
  await showConversation()
}

$('knowledge').onclick = attempt(() => showKnowledge($('agent').value))
$('agent').onchange = attempt(() => showAgent())
$('conversation').onchange = attempt(() => showConversation())
$('new').onclick = attempt(async () => {
  const { id } = await call('/conversations', { agent_id: $('agent').value })
  await showAgent(id)
  $('content').focus()
})
$('toggle-events').onclick = () => openPanel($('events').hidden)
$('alert-close').onclick = () => ($('alert').hidden = true)
$('forget').onclick = () => {
  sessionStorage.clear()
  location.reload()
}
$('key-dialog').oncancel = (event) => event.preventDefault()
openPanel(matchMedia('(min-width: 50.01rem)').matches)
useSocket(async () => {
  if (!begun) await begin()
  for (const turn of live.values()) turn.follow()
  followJobs()
}, takeFrame)
