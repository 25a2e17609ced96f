// The files that go with the next message: uploaded at once, shown above the message, sent with it.
import { call, upload } from './api.js'
import { $, complain, inWords, make } from './dom.js'

function sizeOf(bytes) {
  if (bytes < 1_000) return `${bytes} ${bytes === 1 ? 'byte' : 'bytes'}`
  return bytes < 1e6 ? `${Math.round(bytes / 1e3)} kB` : `${(bytes / 1e6).toFixed(1)} MB`
}

class Attachments {
  #items = []

  isEmpty() {
    return this.#items.length === 0
  }

  add(file) {
    const stop = new AbortController()
    const item = this.#show(file.name, () => stop.abort())
    const progress = (share) => (item.how.textContent = share < 1 ? `${Math.round(share * 100)} %` : 'storing …')
    progress(0)
    upload(file, progress, stop.signal).then(
      ({ id, type, size }) => {
        // Taken away while its last bytes went.
        if (stop.signal.aborted) return forget(id)
        item.attachment = { type, name: file.name, file_id: id }
        item.how.textContent = sizeOf(size)
        this.#say(`${file.name} is attached.`)
      },
      (error) => {
        if (stop.signal.aborted) return
        item.failed = true
        item.element.classList.add('failed')
        item.how.textContent = inWords(error)
        this.#say(`${file.name}: ${inWords(error)}`)
      },
    )
  }

  /** What the next message takes with it; undefined while something is still on its way. */
  take() {
    if (this.#items.some(({ attachment, failed }) => !attachment && !failed)) {
      this.#say('Please wait until the files are uploaded, or remove them.')
      return undefined
    }
    const taken = this.#items.flatMap(({ attachment }) => attachment ?? [])
    this.#items = []
    this.#list()
    return taken
  }

  /** Puts back what was taken, because the message was refused. */
  restore(attachments = []) {
    for (const attachment of attachments) this.#show(attachment.name, () => undefined).attachment = attachment
  }

  #show(name, stop) {
    const item = { how: make('span', { className: 'how' }) }
    const remove = make('button', { type: 'button', className: 'link', ariaLabel: `Remove ${name}` }, 'Remove')
    item.element = make('li', {}, make('span', {}, name), item.how, remove)
    remove.onclick = () => {
      stop()
      if (item.attachment) forget(item.attachment.file_id)
      const at = this.#items.indexOf(item)
      this.#items = this.#items.filter((each) => each !== item)
      this.#list()
      const next = this.#items[Math.min(at, this.#items.length - 1)]
      ;(next?.element.querySelector('button') ?? $('attach')).focus()
    }
    this.#items.push(item)
    this.#list()
    return item
  }

  #list() {
    $('attached').replaceChildren(...this.#items.map(({ element }) => element))
    $('attached').hidden = this.isEmpty()
    this.#say('')
  }

  #say(words) {
    $('attach-state').textContent = words
  }
}

export const attachments = new Attachments()

/** No message refers to it any more. */
function forget(fileId) {
  call(`/files/${fileId}`, undefined, 'DELETE').catch(complain)
}
