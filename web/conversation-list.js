// The conversations of the chosen agent, and the one that is open.
import { callAll } from './api.js'
import { $, complain, make, time } from './dom.js'
import { live } from './live-turns.js'
/** @import { PageTurn } from './types.d.ts' */

/**
 * The id of the open one; undefined before the first message to an agent.
 * @type {string | undefined}
 */
export let conversation

/** @param {string | undefined} id */
export function enter(id) {
  conversation = id
  sessionStorage.setItem('muxi.conversation', id ?? '')
}

/** The conversations of the user that this key acts as, which is `default` for a key without one. */
async function listConversations() {
  const agent_id = $('agent').value
  return callAll('/conversations', 'conversations', { agent_id, user_id: 'default' }).catch((error) => {
    if (error.status === 403) return callAll('/conversations', 'conversations', { agent_id })
    throw error
  })
}

export async function showConversations(wanted) {
  const conversations = await listConversations()
  const options = conversations.map(({ id, title, created_at, last_message_at }) => {
    return make('option', { value: id }, title ?? time.format(new Date(last_message_at ?? created_at)))
  })
  if (options.length === 0) options.push(make('option', { value: '' }, 'The first one'))
  $('conversation').replaceChildren(...options)
  if (conversations.some(({ id }) => id === wanted)) $('conversation').value = wanted
}

/**
 * The first message of an agent makes its conversation. One sent before a reload may be on the page already.
 * @param {PageTurn} turn
 */
export function accepted(turn, { turn_id, conversation_id }) {
  // A copy, because the collection changes with the page.
  for (const twin of Array.from($('turns').children)) {
    const same = twin.turn
    if (twin === turn.element || same?.turn_id !== turn_id) continue
    if (same) live.delete(same.id)
    twin.replaceWith(turn.element)
  }
  if (conversation_id === conversation && !turn.element.isConnected) $('turns').append(turn.element)
  const isFirst =
    turn.request.conversation_id === undefined &&
    conversation === undefined &&
    turn.request.agent_id === $('agent').value
  if (!isFirst) return
  enter(conversation_id)
  showConversations(conversation_id).catch(complain)
}
