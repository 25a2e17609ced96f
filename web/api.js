// The HTTP API, and the key that it asks for.
import { $ } from './dom.js'

let asking

/** Asks for the key, once however many requests need it. */
function askKey(wrong) {
  asking ??= new Promise((resolve) => {
    $('key-wrong').hidden = !wrong
    $('key').value = ''
    $('key-dialog').showModal()
    $('key-form').onsubmit = (event) => {
      event.preventDefault()
      sessionStorage.setItem('muxi.key', $('key').value.trim())
      $('key').value = ''
      $('key-dialog').close()
      asking = undefined
      resolve(undefined)
    }
  })
  return asking
}

/** @throws the error of the contract, with the `status` of the answer; 0 when there was none */
export async function call(path, body, method = body ? 'POST' : 'GET') {
  const key = sessionStorage.getItem('muxi.key')
  const response = await fetch(`/api/v1${path}`, {
    method,
    headers: { ...(key && { authorization: `Bearer ${key}` }), ...(body && { 'content-type': 'application/json' }) },
    ...(body && { body: JSON.stringify(body) }),
  }).catch(() => Promise.reject(UNREACHED))
  if (response.status === 401) {
    await askAgain(key)
    return call(path, body, method)
  }
  const answer = await response.json().catch(() => ({}))
  if (response.ok) return answer
  throw errorOf(response.status, answer)
}

const UNREACHED = { status: 0, message: 'Cannot reach the server' }

function errorOf(status, answer) {
  return { ...(answer?.error ?? { message: `The server answered with status ${status}` }), status }
}

/** Another request may have asked meanwhile. */
async function askAgain(key) {
  if (sessionStorage.getItem('muxi.key') === key) await askKey(key !== null)
}

/**
 * Uploads a file. @returns what the server made of it
 * @param progress called with the share that has gone, from 0 to 1
 */
export async function upload(file, progress, signal) {
  const key = sessionStorage.getItem('muxi.key')
  // `fetch` does not tell how much of a body has gone.
  const { status, response } = await new Promise((resolve, reject) => {
    const request = new XMLHttpRequest()
    const form = new FormData()
    form.append('file', file)
    request.open('POST', '/api/v1/files')
    if (key) request.setRequestHeader('authorization', `Bearer ${key}`)
    request.responseType = 'json'
    request.upload.onprogress = ({ loaded, total }) => progress(total > 0 ? loaded / total : 0)
    request.onload = () => resolve(request)
    // Also when the file has changed or gone since it was chosen.
    request.onerror = () => reject({ status: 0, message: 'Cannot upload: the server or the file cannot be reached' })
    request.onabort = () => reject({ status: 0, message: 'Stopped' })
    signal.addEventListener('abort', () => request.abort(), { once: true })
    request.send(form)
  })
  if (status === 401) {
    await askAgain(key)
    return upload(file, progress, signal)
  }
  if (status < 300) return response
  throw errorOf(status, response)
}

/** All pages of a list. */
export async function callAll(path, name, filter) {
  const items = []
  for (let cursor; ;) {
    const page = await call(`${path}?${new URLSearchParams({ ...filter, ...(cursor && { cursor }) })}`)
    items.push(...page[name])
    if (!page.has_more) return items
    cursor = page.next_cursor
  }
}
