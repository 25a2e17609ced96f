// What an agent knows from documents: its sources, and documents that are just being read, each followed as its job goes on.
import { call, callAll, upload } from './api.js'
import { $, attempt, inWords, make } from './dom.js'
import { send, socket } from './socket.js'
/** @import { Data } from './types.d.ts' */

const STAGES = {
  waiting: 'Waiting',
  inspecting: 'Looking at it',
  parsing: 'Reading',
  indexing: 'Indexing',
  publishing: 'Almost done',
  retrying: 'Beginning again',
  done: 'Done',
}

/** Documents that are being read, by the id of their job. */
const learning = new Map()
let shownAgent

/** Whether the key may change what agents know. */
export async function mayManage() {
  const { scopes } = await call('/key')
  return scopes.includes('manage') || scopes.includes('admin')
}

export const isLearning = () => $('knowledge-dialog').open

export async function showKnowledge(agentId) {
  if (shownAgent !== agentId) $('learning').replaceChildren()
  shownAgent = agentId
  $('knowledge-of').textContent = `What ${agentId} knows from documents, in every conversation.`
  $('knowledge-wrong').hidden = true
  await showSources()
  $('knowledge-dialog').showModal()
  await findUnderWay()
}

async function showSources() {
  const agentId = shownAgent
  const sources = await callAll(`/agents/${agentId}/knowledge`, 'knowledge_sources')
  const underWay = new Set([...learning.values()].map(({ source }) => source))
  const items = sources
    .filter(({ id }) => !underWay.has(id))
    .map(({ id, description, document_count }) => {
      const count = `${document_count} ${document_count === 1 ? 'document' : 'documents'}`
      const remove = make('button', { type: 'button', className: 'link', ariaLabel: `Remove ${description}` }, 'Remove')
      remove.onclick = inDialog(async () => {
        if (!confirm(`Shall ${agentId} forget “${description}”?`)) return
        await call(`/agents/${agentId}/knowledge/${id}`, undefined, 'DELETE')
        await showSources()
        $('learn').focus()
      })
      return make('li', {}, make('span', {}, description), make('span', { className: 'how' }, count), remove)
    })
  $('sources').replaceChildren(...items)
  $('no-sources').hidden = items.length > 0
}

/** What goes wrong is said in the dialog: the rest of the page is out of reach while it is open. */
const inDialog = (work) => () =>
  work().catch((error) => {
    $('knowledge-wrong').textContent = inWords(error)
    $('knowledge-wrong').hidden = false
  })

/** Jobs that were begun before the page was loaded, or elsewhere. */
async function findUnderWay() {
  const lists = await Promise.all(
    ['queued', 'running'].map((status) => callAll('/jobs', 'jobs', { status, limit: '100' })),
  )
  for (const { id, name, agent_id, knowledge_id } of lists.flat()) {
    if (agent_id !== shownAgent || knowledge_id === null || learning.has(id)) continue
    new Learning(agent_id, name).follow(id, knowledge_id)
  }
}

export function learn(agentId, file) {
  void new Learning(agentId, file.name).upload(file)
}

/** After the socket was opened again. */
export function followJobs() {
  for (const each of learning.values()) each.resume()
}

/** @returns whether the frame is about a document that is being read */
export function takeJobFrame({ type, id, data }) {
  const found = learning.get(id)
  found?.take(type, data)
  return found !== undefined || id.startsWith('job_')
}

/** A document on its way into an agent's knowledge. */
class Learning {
  last = 0
  told = ''
  stopping = new AbortController()
  /** @type {string | undefined} of the job, once there is one */
  job
  /** @type {string | undefined} of the source that it becomes part of */
  source
  /** @type {string | undefined} of the uploaded file */
  file

  /**
   * @param {string} agentId
   * @param {string} name
   */
  constructor(agentId, name) {
    this.agentId = agentId
    this.name = name
    this.bar = make('progress', { max: 1, ariaLabel: `Progress of ${name}` })
    this.how = make('span', { className: 'how' }, 'Uploading')
    this.cancel = make('button', { type: 'button', className: 'link', ariaLabel: `Cancel ${name}` }, 'Cancel')
    this.cancel.onclick = attempt(() => this.stop())
    this.element = make('li', {}, make('span', {}, name), this.how, this.bar, this.cancel)
    $('learning').append(this.element)
  }

  async upload(file) {
    try {
      const stored = await upload(file, (share) => (this.bar.value = share), this.stopping.signal)
      this.file = stored.id
      this.how.textContent = STAGES.waiting
      this.bar.removeAttribute('value')
      const job = await call('/jobs', { kind: 'document', file_id: stored.id, agent_id: this.agentId })
      this.follow(job.id, job.knowledge_id)
      // Stopped before there was a job to stop.
      if (this.stopping.signal.aborted) await this.stop()
    } catch (error) {
      await this.end(this.stopping.signal.aborted ? 'Cancelled' : inWords(error), !this.stopping.signal.aborted)
    }
  }

  follow(jobId, source) {
    this.job = jobId
    this.source = source
    learning.set(jobId, this)
    this.resume()
  }

  resume() {
    if (socket) send('resume', this.job, { job_id: this.job, after: this.last })
  }

  async stop() {
    this.stopping.abort()
    this.how.textContent = 'Stopping …'
    if (!this.job) return
    await call(`/jobs/${this.job}/cancel`, {}).catch((error) => {
      // Over already: its last event is on the way.
      if (error.code !== 'conflict') throw error
    })
  }

  /**
   * @param {string} type
   * @param {Data} data
   */
  take(type, { event_id, ...data }) {
    if (event_id === undefined) {
      // The server, not the job, is at fault: come back and ask again.
      if (['unavailable', 'internal_error', 'rate_limited'].includes(data.code)) return socket?.close()
      return void this.end(inWords(data), true)
    }
    this.last = event_id
    if (type === 'progress') this.progress(data)
    else if (type === 'completed') void this.end(this.inPages(data.result), false)
    else void this.end(type === 'failed' ? inWords(data) : 'Cancelled', type === 'failed')
  }

  progress({ stage, done, total, eta_s }) {
    if (this.stopping.signal.aborted) return
    const counted = total > 0 && (stage === 'parsing' || stage === 'indexing')
    const left = eta_s === undefined ? '' : `, ${eta_s} s left`
    this.how.textContent = STAGES[stage] + (counted ? `: ${done} of ${total} pages${left}` : ' …')
    if (counted) this.bar.value = done / total
    else this.bar.removeAttribute('value')
    if (stage !== this.told) say(`${this.name}: ${STAGES[stage]}`)
    this.told = stage
  }

  inPages({ pages, notices = [] }) {
    const read = `Learned, ${pages} ${pages === 1 ? 'page' : 'pages'}`
    // Results of earlier versions have no sentences.
    return [read, ...notices.map(({ text, message }) => text ?? message)].join('. ')
  }

  async end(words, isWrong) {
    learning.delete(this.job)
    this.how.textContent = words
    this.element.classList.toggle('failed', isWrong)
    this.bar.remove()
    say(`${this.name}: ${words}`)
    const hadFocus = document.activeElement === this.cancel
    this.cancel.replaceWith(this.dismiss())
    if (hadFocus) this.element.querySelector('button').focus()
    if (isWrong || words === 'Cancelled') await this.forget()
    if (shownAgent === this.agentId) await showSources().catch(() => undefined)
  }

  dismiss() {
    const button = make('button', { type: 'button', className: 'link', ariaLabel: `Dismiss ${this.name}` }, 'Dismiss')
    button.onclick = () => {
      this.element.remove()
      $('learn').focus()
    }
    return button
  }

  /** Nothing was learned: neither the source nor the file is needed. */
  async forget() {
    const gone = (path) => call(path, undefined, 'DELETE').catch(() => undefined)
    if (this.source) await gone(`/agents/${this.agentId}/knowledge/${this.source}`)
    if (this.file) await gone(`/files/${this.file}`)
  }
}

function say(words) {
  $('knowledge-state').textContent = words
}
