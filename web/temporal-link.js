// The way from a turn to its workflow in the Temporal UI.
import { call } from './api.js'

/** Signs the browser in at our codec first, so that the UI may show the text behind the references. */
export async function openTemporal(event, url) {
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
