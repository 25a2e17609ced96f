// Mails: sender, recipients, date and subject, then the body. Attachments are only named; they are read elsewhere.
import type { Address } from 'postal-mime'
import { attachmentsOf, readMail } from './mail.ts'
import { markupToMarkdown } from './markup.ts'
import { cutLong } from './pages.ts'
import type { UnnumberedPage } from './table.ts'

/** @throws MediaFailure */
export async function readEml(path: string): Promise<UnnumberedPage[]> {
  const mail = await readMail(path)
  const head = [
    ['From', mail.from && people([mail.from])],
    ['To', people(mail.to)],
    ['Cc', people(mail.cc)],
    ['Date', mail.date],
    ['Subject', mail.subject],
    [
      'Attachments',
      attachmentsOf(mail)
        .map(({ name }) => name)
        .join(', '),
    ],
  ]
  const lines = head.flatMap(([name, value]) => (value ? [`${name}: ${value}`] : []))
  const body = mail.html ? markupToMarkdown(mail.html) : (mail.text ?? '')
  const title = mail.subject ? `# ${mail.subject.replaceAll(/\s+/g, ' ')}\n\n` : ''
  return cutLong(`${title}${lines.join('\n')}\n\n${body.trim()}`).map((text) => ({ text }))
}

function people(addresses: Address[] | undefined): string {
  return (addresses ?? [])
    .flatMap((each) => ('group' in each && each.group ? each.group : [each]))
    .map(({ name, address }) => (name ? `${name} <${address}>` : (address ?? '')))
    .join(', ')
}
