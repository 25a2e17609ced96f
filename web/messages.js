// The messages of the open conversation: those of the past, page by page, and those of turns that still run.
import { call } from './api.js'
import { conversation, enter } from './conversation-list.js'
import { $, attempt } from './dom.js'
import { showEvents } from './events-panel.js'
import { live, remember } from './live-turns.js'
import { Turn } from './turn.js'

let visit = 0

export async function showConversation() {
  const current = (visit += 1)
  enter($('conversation').value || undefined)
  $('turns').replaceChildren()
  $('earlier').hidden = true
  if (conversation) await showMessages(current)
  if (current !== visit) return
  for (const turn of live.values()) {
    const { agent_id, conversation_id } = turn.request
    if (!turn.over && agent_id === $('agent').value && conversation_id === conversation) $('turns').append(turn.element)
  }
  $('empty').hidden = $('turns').children.length > 0
  $('scroll').scrollTop = $('scroll').scrollHeight
  const latest = $('turns').lastElementChild?.turn
  showEvents(latest)
  remember()
}

/** A page of past messages, above what is there. */
async function showMessages(current, cursor) {
  const page = await call(`/conversations/${conversation}/messages${cursor ? `?cursor=${cursor}` : ''}`)
  const ids = [...new Set(page.messages.map(({ turn_id }) => turn_id))]
  const views = await Promise.all(ids.map((id) => call(`/turns/${id}`)))
  if (current !== visit) return
  const asked = (id) => page.messages.find(({ turn_id, role }) => turn_id === id && role === 'user')
  const added = views.reverse().filter(({ turn_id }) => !$(turn_id))
  $('turns').prepend(...added.map((view) => turnOf(view, asked(view.turn_id)).element))
  $('earlier').hidden = !page.has_more
  $('earlier').onclick = attempt(async () => {
    const fromEnd = $('scroll').scrollHeight - $('scroll').scrollTop
    await showMessages(current, page.next_cursor)
    $('scroll').scrollTop = $('scroll').scrollHeight - fromEnd
  })
}

/** A turn as the server shows it; followed from its first event when it is not over. */
function turnOf(view, asked) {
  const known = [...live.values()].find(({ turn_id }) => turn_id === view.turn_id)
  if (known) return known
  const { agent_id, conversation_id, message, error, status } = view
  const { content = '', attachments } = message?.user_message ?? asked ?? {}
  const turn = new Turn({ content, attachments, agent_id, conversation_id }, view)
  void turn.link(view.workflow)
  if (view.finished_at === null) {
    live.set(turn.id, turn)
    turn.follow()
    return turn
  }
  turn.reply.data = message?.agent_response.content ?? ''
  for (const tool of message?.agent_response.tool_calls ?? []) turn.showCall(tool)
  turn.end(status, error, new Date(view.finished_at))
  return turn
}
