// Mails: sender, recipients, date and subject, then the bodies in order. Attachments are only named; they are read elsewhere.
import type { Address } from 'postal-mime'
import { mergeNotices } from '../../../contracts/notices.ts'
import type { Mail } from './mail.ts'
import type { Body } from './mail-parts.ts'
import { markupToMarkdown } from './markup.ts'
import { cutLong } from './pages.ts'
import { type MailKind, readMails } from './parse-mail.ts'
import type { UnnumberedPage } from './table.ts'

/** One page or more for each mail; those of an mbox are numbered. @throws MediaFailure */
export async function readMailFile(path: string, kind: MailKind): Promise<UnnumberedPage[]> {
  const mails = await readMails(path, kind)
  return mails.flatMap((mail, index) =>
    pagesOf(mail).map((page) => ({ ...page, ...(mails.length > 1 && { label: mailLabel(index) }) })),
  )
}

/** The label of a mail in an mbox, which names its files too. */
export function mailLabel(index: number): string {
  return `Mail ${index + 1}`
}

function pagesOf(mail: Mail): UnnumberedPage[] {
  const head = [
    ['From', people(mail.from)],
    ['To', people(mail.to)],
    ['Cc', people(mail.cc)],
    ['Bcc', people(mail.bcc)],
    ['Date', mail.date],
    ['Subject', mail.subject],
    ['Attachments', mail.attached.map(({ name }) => name).join(', ')],
  ]
  const lines = head.flatMap(([name, value]) => (value ? [`${name}: ${value}`] : []))
  const title = mail.subject ? `# ${mail.subject.replaceAll(/\s+/g, ' ')}\n\n` : ''
  const text = `${title}${lines.join('\n')}\n\n${markdownOf(mail.bodies)}`.trim()
  const notices = mergeNotices(mail.notices)
  return cutLong(text).map((text, index) => ({ text, ...(index === 0 && notices.length > 0 && { notices }) }))
}

function markdownOf(bodies: readonly Body[]): string {
  return bodies
    .map((body) => {
      if ('text' in body) return body.text.replaceAll(/\r\n?/g, '\n').trim()
      return 'html' in body ? markupToMarkdown(body.html).trim() : richest(body.alternatives.map(markdownOf))
    })
    .filter((text) => text !== '')
    .join('\n\n')
}

/**
 * The last form is the best one, unless it lacks most of the text: many programs send an empty one. A plainer form of
 * much text that is another text is kept too.
 */
function richest(forms: readonly string[]): string {
  const most = Math.max(0, ...forms.map(letters))
  const full = forms.filter((form) => letters(form) * 2 >= most)
  const best = full.pop() ?? ''
  return [...full.filter((form) => sharedWords(form, best) < SAME_TEXT), best].join('\n\n')
}

/** Least share of the words of a form that the other one has, when both are the same text. */
const SAME_TEXT = 0.6

function sharedWords(form: string, other: string): number {
  const [words, known] = [wordsOf(form), new Set(wordsOf(other))]
  return words.length === 0 ? 1 : words.filter((word) => known.has(word)).length / words.length
}

/** Without addresses; each character of a script without spaces is one. */
function wordsOf(text: string): string[] {
  return (
    withoutAddresses(text.toLowerCase()).match(
      /[\p{sc=Han}\p{sc=Hiragana}\p{sc=Katakana}\p{sc=Thai}]|[\p{L}\p{N}]+/gu,
    ) ?? []
  )
}

/** Plain text repeats the addresses of links. */
function withoutAddresses(text: string): string {
  return text.replaceAll(/https?:\/\/\S+/g, '')
}

function letters(text: string): number {
  return withoutAddresses(text).match(/[\p{L}\p{N}]/gu)?.length ?? 0
}

function people(addresses: readonly Address[] | undefined): string {
  return (addresses ?? [])
    .flatMap((each) => ('group' in each && each.group ? each.group : [each]))
    .map(({ name, address }) => (name && address && name !== address ? `${name} <${address}>` : name || address || ''))
    .join(', ')
}
