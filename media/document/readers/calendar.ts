// Calendars (iCalendar): an entry for each event, task and note, with its times in the calendar's own zone.
import { readFile } from 'node:fs/promises'
import { decodeText } from '../text-encoding.ts'
import { type Component, componentsOf, type ContentLine, unescaped } from './content-lines.ts'
import { cutLong } from './pages.ts'
import type { UnnumberedPage } from './table.ts'

const ENTRIES: ReadonlySet<string> = new Set(['VEVENT', 'VTODO', 'VJOURNAL', 'VFREEBUSY'])
/** In this order, with the name that is shown. */
const FIELDS: readonly [string, string][] = [
  ['DTSTART', 'Start'],
  ['DTEND', 'End'],
  ['DUE', 'Due'],
  ['DURATION', 'Duration'],
  ['COMPLETED', 'Completed'],
  ['RRULE', 'Repeats'],
  ['RDATE', 'Also on'],
  ['EXDATE', 'Except'],
  ['RECURRENCE-ID', 'In place of'],
  ['FREEBUSY', 'Busy'],
  ['LOCATION', 'Location'],
  ['ORGANIZER', 'Organizer'],
  ['ATTENDEE', 'Attendee'],
  ['STATUS', 'Status'],
  ['PRIORITY', 'Priority'],
  ['PERCENT-COMPLETE', 'Percent complete'],
  ['CATEGORIES', 'Categories'],
  ['URL', 'Link'],
  ['CONTACT', 'Contact'],
  ['COMMENT', 'Comment'],
]
const TIME = /^(\d{4})(\d{2})(\d{2})(?:T(\d{2})(\d{2})(\d{2})(Z?))?$/

export async function readCalendar(path: string): Promise<UnnumberedPage[]> {
  const texts = componentsOf(decodeText(await readFile(path))).flatMap(calendarTexts)
  return cutLong(texts.join('\n\n')).map((text) => ({ text }))
}

function calendarTexts({ lines, components }: Component): string[] {
  const name = lines.find((line) => line.name === 'X-WR-CALNAME' || line.name === 'NAME')?.value
  return [
    ...(name ? [`# ${oneLine(unescaped(name))}`] : []),
    ...components.filter((each) => ENTRIES.has(each.name)).map(entryText),
  ]
}

function entryText({ lines }: Component): string {
  const valueOf = (name: string) => unescaped(lines.find((line) => line.name === name)?.value ?? '')
  const fields = FIELDS.flatMap(([name, shown]) =>
    lines.filter((line) => line.name === name).map((line) => `- ${shown}: ${oneLine(shownValue(line))}`),
  )
  return [`## ${oneLine(valueOf('SUMMARY')) || '(without a title)'}`, fields.join('\n'), valueOf('DESCRIPTION').trim()]
    .filter((part) => part !== '')
    .join('\n\n')
}

function shownValue({ name, value, parameters }: ContentLine): string {
  if (name === 'ORGANIZER' || name === 'ATTENDEE') {
    const address = value.replace(/^mailto:/i, '')
    const status = parameters.get('PARTSTAT')?.[0]?.toLowerCase()
    const called = parameters.get('CN')?.join(',')
    return [called, called ? `<${address}>` : address, status && `(${status})`].filter(Boolean).join(' ')
  }
  if (name === 'RRULE') return value.replaceAll(';', '; ').replaceAll('=', ' ').toLowerCase()
  if (!/^(?:DTSTART|DTEND|DUE|COMPLETED|RDATE|EXDATE|RECURRENCE-ID|FREEBUSY)$/.test(name)) return unescaped(value)
  const zone = parameters.get('TZID')?.[0]
  return value
    .split(',')
    .map((each) => each.split('/').map(shownTime).join('–'))
    .join(', ')
    .concat(zone ? ` (${zone})` : '')
}

function shownTime(value: string): string {
  const found = TIME.exec(value.trim())
  if (!found) return value
  const [, year, month, day, hour, minute, second, utc] = found
  if (hour === undefined) return `${year}-${month}-${day}`
  return `${year}-${month}-${day} ${hour}:${minute}${second === '00' ? '' : `:${second}`}${utc ? ' UTC' : ''}`
}

function oneLine(text: string): string {
  return text.trim().replaceAll(/\s+/g, ' ')
}
