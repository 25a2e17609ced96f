// A message and its reply, as they stand on the page.
import { call } from './api.js'
import { ApprovalCard } from './approvals.js'
import { attachments } from './attachments.js'
import { accepted } from './conversation-list.js'
import { $, adding, attempt, complain, inWords, make, pretty, time } from './dom.js'
import { addEvent, describe, showEvents, shown } from './events-panel.js'
import { live, remember } from './live-turns.js'
import { showLog } from './log-dialog.js'
import { send, socket } from './socket.js'
import { openTemporal } from './temporal-link.js'
/** @import { Data, MessageRequest, PageTurn } from './types.d.ts' */

const FINAL = new Set(['chat_end', 'cancelled', 'error'])

/** @implements {PageTurn} */
export class Turn {
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
