// What every part of the page uses to show things.
/** @import { ErrorView, PageElements } from './types.d.ts' */

/**
 * @template {keyof PageElements} Id
 * @param {Id} id
 */
export const $ = (id) => /** @type {PageElements[Id]} */ (document.getElementById(id))
export const time = new Intl.DateTimeFormat(undefined, {
  month: 'short',
  day: 'numeric',
  hour: 'numeric',
  minute: '2-digit',
})

/**
 * An element with its properties; strings among the children become text, never markup.
 * @template {keyof HTMLElementTagNameMap} Tag
 * @param {Tag} tag
 * @param {object} properties
 * @param {(string | Node)[]} children
 */
export function make(tag, properties = {}, ...children) {
  const element = Object.assign(document.createElement(tag), properties)
  element.append(...children)
  return element
}

export const pretty = (value) => (typeof value === 'string' ? value : (JSON.stringify(value, null, 2) ?? ''))
/** @param {ErrorView} error */
export const inWords = ({ code, message }) => (code ? `${message} (${code})` : message)

/** Does something that adds to a scrolling box, and stays at its end if the reader was there. */
export function adding(box, add) {
  const atEnd = box.scrollHeight - box.scrollTop - box.clientHeight < 60
  add()
  if (atEnd) box.scrollTop = box.scrollHeight
}

/** @param {ErrorView} error */
export function complain(error) {
  $('alert-text').textContent = inWords(error)
  $('alert').hidden = false
}

/** Runs what a person asked for; what goes wrong is shown in words. */
export const attempt = (work) => (event) => Promise.resolve(work(event)).catch(complain)
