// The one WebSocket: opened, pinged, and opened again after any break.
import { call } from './api.js'
import { $, complain } from './dom.js'

const MAX_DELAY_MS = 15_000
const PING_MS = 25_000

/**
 * The open one.
 * @type {WebSocket | undefined}
 */
export let socket
let failures = 0
let retry
let connecting = false
let taken
let ready

/** @param onReady called whenever a socket is open, onFrame with each frame that comes */
export function useSocket(onReady, onFrame) {
  ready = onReady
  taken = onFrame
  addEventListener('online', () => void connect())
  void connect()
}

function say(state) {
  $('state').textContent = state
}

async function connect() {
  clearTimeout(retry)
  if (socket) return
  if (connecting) return void (retry = setTimeout(connect, 1_000))
  connecting = true
  try {
    const { ticket } = await call('/ws/tickets', {})
    await open(`${location.origin.replace(/^http/, 'ws')}/api/v1/ws?ticket=${ticket}`)
    await ready()
  } catch (error) {
    if (error.status >= 400 && error.status < 500 && error.status !== 429) {
      say('Not connected')
      complain(error)
    } else if (socket) /** @type {WebSocket} */ (socket).close()
    else lost()
  } finally {
    connecting = false
  }
}

function open(url) {
  return new Promise((resolve, reject) => {
    const opened = new WebSocket(url)
    const openedAt = Date.now()
    let silent = false
    const pings = setInterval(() => {
      if (silent) return end({ code: 1006 })
      silent = true
      if (opened.readyState === WebSocket.OPEN) opened.send(JSON.stringify({ type: 'ping', id: 'ping', data: {} }))
    }, PING_MS)
    const end = ({ code }) => {
      clearInterval(pings)
      opened.onclose = null
      opened.close()
      if (socket !== opened) return reject({ message: 'The connection was refused' })
      socket = undefined
      if (Date.now() - openedAt > 10_000) failures = 0
      if (code === 4429) failures = 5
      lost()
    }
    opened.onclose = end
    opened.onopen = () => {
      socket = opened
      say('Connected')
      resolve(undefined)
    }
    opened.onmessage = ({ data }) => {
      silent = false
      taken(JSON.parse(data))
    }
  })
}

/** Tries again, later each time; by chance a little sooner, so that not all pages come at once. */
function lost() {
  const delay = Math.min(MAX_DELAY_MS, 500 * 2 ** failures) * (0.75 + Math.random() / 4)
  failures += 1
  say(`Connection lost. Trying again in ${Math.max(1, Math.round(delay / 1000))} s …`)
  clearTimeout(retry)
  retry = setTimeout(connect, delay)
}

export function send(type, id, data) {
  if (socket?.readyState === WebSocket.OPEN) socket.send(JSON.stringify({ type, id, data }))
}
