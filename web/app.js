// The web page: talks to agents over one WebSocket, shows every event, and goes on where it was after any break.
import { call, callAll } from './api.js'
import { ApprovalCard } from './approvals.js'
import { Attachments } from './attachments.js'
import { $, adding, attempt, complain, inWords, make, pretty, time } from './dom.js'
import { followJobs, isLearning, learn, mayManage, showKnowledge, takeJobFrame } from './knowledge.js'
import { send, socket, useSocket } from './socket.js'
/** @import { Attachment, Data, ErrorView, Frame, MessageRequest } from './types.d.ts' */

const FINAL = new Set(['chat_end', 'cancelled', 'error'])

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

// --- Turns ---

/**
 * Turns that are followed, by request id: those that run, and those whose events are read again.
 * @type {Map<string, Turn>}
 */
const live = new Map()

function remember() {
  const turns = [...live.values()].filter(({ over }) => !over)
  const saved = turns.map(({ id, turn_id, request, last }) => ({ id, turn_id, request, last }))
  sessionStorage.setItem('muxi.turns', JSON.stringify(saved))
  $('stop').hidden = !runningHere()
  if ($('stop').hidden && document.activeElement === $('stop')) $('content').focus()
}

/** The first turn on the page that is not over. */
const runningHere = () => [...$('turns').children].map(({ turn }) => turn).find((turn) => turn?.over === false)

/** A message and its reply, as they stand on the page. */
class Turn {
  last = 0
  over = false
  stopping = false
  events = []
  tools = new Map()
  approvals = new Map()
  waiting = new Set()
  reply = document.createTextNode('')

  /**
   * @param {MessageRequest} request
   * @param {{ id?: string, turn_id?: string }} known
   */
  constructor(request, { id = crypto.getRandomValues(new Uint32Array(4)).join('-'), turn_id } = {}) {
    this.id = id
    this.turn_id = turn_id
    this.request = request
    const button = (label, work) => make('button', { type: 'button', className: 'link', onclick: attempt(work) }, label)
    this.status = make('span', {}, 'Sending …')
    this.calls = make('div', { className: 'calls' })
    this.text = make('div', { className: 'said reply' }, this.reply)
    this.error = make('p', { className: 'error', hidden: true })
    this.temporal = make('a', { target: '_blank', rel: 'noopener', hidden: true }, 'Open in Temporal UI')
    this.temporal.onclick = attempt((event) => openTemporal(event, this.temporal.href))
    this.links = make(
      'span',
      { className: 'foot', hidden: true },
      button('Events', () => showEvents(this, true)),
      button('Log', () => showLog(this)),
      this.temporal,
    )
    this.element = make(
      'li',
      { className: 'turn', turn: this, ariaBusy: 'true' },
      make('div', { className: 'said asked' }, make('span', { className: 'hidden' }, 'You: '), request.content),
      filesOf(request.attachments),
      this.calls,
      this.text,
      this.error,
      make('div', { className: 'foot' }, this.status, this.links),
    )
    if (turn_id) this.known(turn_id)
  }

  known(turnId) {
    this.turn_id = turnId
    this.element.id = turnId
    this.links.hidden = false
  }

  /** Begins it, or goes on after the last event seen. Sent twice, the server knows it by its id. */
  follow() {
    if (!socket || this.followedOn === socket) return
    this.followedOn = socket
    if (this.turn_id) send('resume', this.id, { turn_id: this.turn_id, after: this.last })
    else send('chat', this.id, { ...this.request, idempotency_key: this.id })
    if (this.stopping) this.stop()
  }

  stop() {
    this.stopping = true
    this.status.textContent = 'Stopping …'
    if (this.turn_id) send('cancel', `stop-${this.id}`, { turn_id: this.turn_id })
  }

  /**
   * @param {string} type
   * @param {Data} data
   */
  take(type, { event_id, ...data }) {
    // A stopped turn's end comes twice; a log that was lost begins again below the last number, with a reset.
    if (event_id <= this.last && type !== 'content_reset' && !FINAL.has(type)) return
    if (FINAL.has(type)) live.delete(this.id)
    this.last = event_id
    this.events.push({ id: event_id, type, data })
    if (shown === this) addEvent(this.events.at(-1))
    if (this.over) return
    adding($('scroll'), () => this.show(type, data))
    if (type === 'accepted' || FINAL.has(type)) remember()
  }

  show(type, data) {
    switch (type) {
      case 'accepted':
        this.known(data.turn_id)
        this.status.textContent = 'Waiting …'
        accepted(this, data)
        if (this.stopping) this.stop()
        break
      case 'chat_start':
        this.status.textContent = 'Answering …'
        void this.link()
        break
      case 'chat_content':
        this.reply.appendData(data.content)
        break
      case 'content_reset':
        this.reply.data = data.content
        break
      case 'tool_call_start':
        this.showCall(data)
        break
      case 'tool_call_progress':
        this.showCall({
          ...data,
          how: data.message ?? (data.total ? `${data.progress} of ${data.total}` : `${data.progress}`),
        })
        break
      case 'tool_call_end':
        this.showCall(data)
        break
      case 'approval_required':
        this.ask(data)
        break
      case 'approval_decided':
        this.approvals.get(data.id)?.end(data.decision)
        this.waitsFor(data.id, false)
        break
      case 'chat_end':
        this.end('completed')
        break
      case 'cancelled':
        this.end('cancelled')
        break
      case 'error':
        this.end('failed', data)
        break
    }
  }

  showCall({ id, name, server, parameters, output, is_error, how }) {
    let call = this.tools.get(id)
    if (!call) {
      call = {
        title: make('code'),
        how: make('span', { className: 'how' }, ' running …'),
        data: make('pre'),
        element: make('details', { className: 'tool' }),
      }
      call.element.append(make('summary', {}, 'Tool ', call.title, call.how), call.data)
      this.tools.set(id, call)
      this.calls.append(call.element)
    }
    if (name) call.title.textContent = server ? `${server}/${name}` : name
    if (parameters !== undefined) call.data.append(`Asked: ${pretty(parameters)}\n`)
    if (how) call.how.textContent = ` ${how}`
    if (is_error === undefined) return
    call.how.textContent = is_error ? ' failed' : ' done'
    call.element.classList.toggle('failed', is_error)
    call.data.append(`Answered: ${pretty(output)}`)
  }

  ask(approval) {
    if (this.approvals.has(approval.id)) return
    const card = new ApprovalCard(this.turn_id, approval)
    this.approvals.set(approval.id, card)
    this.calls.append(card.element)
    this.waitsFor(approval.id, true)
  }

  waitsFor(id, waits) {
    if (waits) this.waiting.add(id)
    else this.waiting.delete(id)
    this.status.textContent = this.waiting.size > 0 ? 'Waiting for you' : 'Answering …'
  }

  end(status, error, at = new Date()) {
    this.over = true
    this.element.ariaBusy = 'false'
    this.status.textContent = { completed: '', cancelled: 'Stopped, ', failed: 'Failed, ' }[status] + time.format(at)
    this.error.hidden = !error
    if (error) this.error.textContent = inWords(error)
    if (shown === this) $('events-of').textContent = describe(this)
  }

  /** The request was not taken, or its turn cannot be followed. */
  refused(error) {
    // The server, not the request, is at fault: come back and ask again.
    if (this.turn_id && ['unavailable', 'internal_error', 'rate_limited'].includes(error.code)) return socket?.close()
    live.delete(this.id)
    if (this.over) return complain(error)
    adding($('scroll'), () => {
      this.end('failed', error)
      if (this.turn_id || $('content').value !== '') return
      $('content').value = this.request.content
      attachments.restore(this.request.attachments)
    })
    remember()
  }

  async link(workflow) {
    const { url } = workflow ?? (await call(`/turns/${this.turn_id}`).catch(() => ({}))).workflow ?? {}
    if (!url) return
    this.temporal.href = url
    this.temporal.hidden = false
  }
}

/** The names of what was attached to a message. */
function filesOf(attachments = []) {
  const items = attachments.map(({ name }) => make('li', {}, name))
  return make('ul', { className: 'sent files', ariaLabel: 'Attached', hidden: items.length === 0 }, ...items)
}

/** A turn as the server tells of it; followed from its first event when it is not over. */
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

// --- Events, log, Temporal ---

/** @type {Turn | undefined} */
let shown

/** @param {Turn} turn */
function describe({ over, request: { content, attachments } }) {
  const what = content || (attachments ?? []).map(({ name }) => name).join(', ')
  return `${over ? 'Of' : 'Live, of'} “${what.slice(0, 80)}”`
}

function addEvent({ id, type, data }) {
  const item = make(
    'li',
    {},
    make('span', { className: 'number' }, String(id)),
    make('span', { className: 'type' }, type),
    make('span', { className: 'data' }, JSON.stringify(data)),
  )
  adding($('event-list'), () => $('event-list').append(item))
}

function showEvents(turn, asked = false) {
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

function openPanel(isOpen) {
  $('toggle-events').ariaExpanded = String(isOpen)
  adding($('scroll'), () => {
    $('events').hidden = !isOpen
    document.querySelector('main')?.classList.toggle('alone', !isOpen)
  })
  $('event-list').scrollTop = $('event-list').scrollHeight
}

async function showLog({ turn_id }) {
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

/** Signs the browser in at our codec first, so that the UI may show the text behind the references. */
async function openTemporal(event, url) {
  event.preventDefault()
  // Opened at once: later, a browser would take it for a pop-up.
  const tab = window.open('', '_blank')
  if (!tab) return
  tab.opener = null
  try {
    const { ticket } = await call('/ws/tickets', {})
    tab.location.replace(new URL(`/sign-in?${new URLSearchParams({ ticket, to: url })}`, location.href))
  } catch {
    tab.location.replace(url)
  }
}

// --- Agents and conversations ---

let begun = false
let conversation
let visit = 0

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
  const controls = [$('agent'), $('conversation'), $('new'), $('content'), $('send'), $('attach')]
  for (const control of controls) control.disabled = false
  // A key that may do nothing but chat sees nothing of knowledge.
  $('knowledge').hidden = !(await mayManage())
  await showAgent(sessionStorage.getItem('muxi.conversation') ?? undefined)
  $('content').focus()
}

/** The conversations of the user that this key acts as, which is `default` for a key without one. */
async function listConversations() {
  const agent_id = $('agent').value
  return callAll('/conversations', 'conversations', { agent_id, user_id: 'default' }).catch((error) => {
    if (error.status === 403) return callAll('/conversations', 'conversations', { agent_id })
    throw error
  })
}

async function showAgent(wanted) {
  sessionStorage.setItem('muxi.agent', $('agent').value)
  $('about').textContent = $('agent').selectedOptions[0]?.title ?? ''
  await showConversations(wanted)
  await showConversation()
}

async function showConversations(wanted) {
  const conversations = await listConversations()
  const options = conversations.map(({ id, title, created_at, last_message_at }) => {
    return make('option', { value: id }, title ?? time.format(new Date(last_message_at ?? created_at)))
  })
  if (options.length === 0) options.push(make('option', { value: '' }, 'The first one'))
  $('conversation').replaceChildren(...options)
  if (conversations.some(({ id }) => id === wanted)) $('conversation').value = wanted
}

async function showConversation() {
  const current = (visit += 1)
  conversation = $('conversation').value || undefined
  sessionStorage.setItem('muxi.conversation', conversation ?? '')
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

/** The first message of an agent makes its conversation. One sent before a reload may be on the page already. */
function accepted(turn, { turn_id, conversation_id }) {
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
  conversation = conversation_id
  sessionStorage.setItem('muxi.conversation', conversation)
  showConversations(conversation).catch(complain)
}

function submit(content, attached = []) {
  const turn = new Turn({
    content,
    agent_id: $('agent').value,
    ...(conversation && { conversation_id: conversation }),
    ...(attached.length > 0 && { attachments: attached }),
  })
  live.set(turn.id, turn)
  $('turns').append(turn.element)
  $('empty').hidden = true
  $('scroll').scrollTop = $('scroll').scrollHeight
  showEvents(turn)
  remember()
  turn.follow()
}

// --- What a person does ---

const attachments = new Attachments()

/** Files that are dropped become knowledge where it is shown, and otherwise part of the next message. */
function takeFiles(files) {
  if (files.length === 0 || !begun) return
  if (isLearning()) for (const file of files) learn($('agent').value, file)
  else {
    for (const file of files) attachments.add(file)
    $('content').focus()
  }
}

const hasFiles = (event) => event.dataTransfer?.types.includes('Files')
const dropping = (isDropping) => document.body.classList.toggle('dropping', isDropping)
document.ondragover = (event) => {
  if (!hasFiles(event)) return
  event.preventDefault()
  dropping(true)
}
document.ondragleave = (event) => {
  if (event.relatedTarget === null) dropping(false)
}
document.ondrop = (event) => {
  if (!hasFiles(event)) return
  event.preventDefault()
  dropping(false)
  takeFiles([...(event.dataTransfer?.files ?? [])])
}
$('content').onpaste = ({ clipboardData }) => takeFiles([...(clipboardData?.files ?? [])])
for (const { button, input } of [
  { button: $('attach'), input: $('attach-files') },
  { button: $('learn'), input: $('learn-files') },
]) {
  button.onclick = () => input.click()
  input.onchange = () => {
    takeFiles([...(input.files ?? [])])
    input.value = ''
  }
}
$('knowledge').onclick = attempt(() => showKnowledge($('agent').value))

$('composer').onsubmit = (event) => {
  event.preventDefault()
  const content = $('content').value
  if (!begun || (content.trim() === '' && attachments.isEmpty())) return
  const attached = attachments.take()
  if (!attached) return
  $('content').value = ''
  submit(content, attached)
}
$('content').onkeydown = (event) => {
  if (event.key !== 'Enter' || event.shiftKey || event.isComposing) return
  event.preventDefault()
  $('composer').requestSubmit()
}
$('stop').onclick = () => runningHere()?.stop()
$('example').onclick = () => submit($('example').textContent)
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
