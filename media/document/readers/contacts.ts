// Cards of people (vCard): a list for each, under the name.
import { readFile } from 'node:fs/promises'
import type { Notice } from '../../../contracts/notices.ts'
import { decodeText } from '../text-encoding.ts'
import { type Component, componentsOf, type ContentLine, partsOf, unescaped } from './content-lines.ts'
import { cutLong } from './pages.ts'
import type { UnnumberedPage } from './table.ts'

const FIELDS: Readonly<Record<string, string>> = {
  ADR: 'Address',
  ANNIVERSARY: 'Anniversary',
  BDAY: 'Birthday',
  CATEGORIES: 'Categories',
  EMAIL: 'E-mail',
  GENDER: 'Gender',
  IMPP: 'Messenger',
  LANG: 'Language',
  MEMBER: 'Member',
  NICKNAME: 'Nickname',
  NOTE: 'Note',
  ORG: 'Organization',
  RELATED: 'Related',
  ROLE: 'Role',
  TEL: 'Telephone',
  TITLE: 'Title',
  TZ: 'Time zone',
  URL: 'Link',
}
const BINARY: ReadonlySet<string> = new Set(['PHOTO', 'LOGO', 'SOUND', 'KEY'])
/** Forms of a value, which say nothing about it. */
const UNTOLD = /^(?:internet|pref|text|voice|uri|quoted-printable|x-.*|\d+)$/i

export async function readContacts(path: string): Promise<UnnumberedPage[]> {
  const cards = componentsOf(decodeText(await readFile(path))).filter(({ name }) => name === 'VCARD')
  const pictures = cards.flatMap(({ lines }) => lines).filter(({ name }) => BINARY.has(name)).length
  const notices: Notice[] = [
    { code: 'not_read', message: 'Pictures, sounds and keys in contacts are not read', count: pictures },
  ]
  const pages = cutLong(cards.map(cardText).join('\n\n')).map((text): UnnumberedPage => ({ text }))
  return pages.map((page, index) => (index === 0 && pictures > 0 ? { ...page, notices } : page))
}

function cardText({ lines }: Component): string {
  const valueOf = (name: string) => lines.find((line) => line.name === name)?.value ?? ''
  // Family, given, additional names, prefix, suffix.
  const [family = '', given = '', additional = '', prefix = '', suffix = ''] = partsOf(valueOf('N'))
  const name = unescaped(valueOf('FN')).trim() || [prefix, given, additional, family, suffix].filter(Boolean).join(' ')
  const fields = lines.filter((line) => line.name in FIELDS).map(fieldText)
  return [`## ${name || '(without a name)'}`, fields.join('\n')].filter((part) => part !== '').join('\n\n')
}

function fieldText({ name, value, parameters }: ContentLine): string {
  const types = (parameters.get('TYPE') ?? []).flatMap((type) => type.split(',')).filter((type) => !UNTOLD.test(type))
  const shown = name === 'ADR' || name === 'ORG' ? partsOf(value).filter(Boolean).join(', ') : unescaped(value)
  const kind = types.length > 0 ? ` (${types.join(', ').toLowerCase()})` : ''
  return `- ${FIELDS[name]}${kind}: ${shown
    .replace(/^(?:tel|mailto):/i, '')
    .trim()
    .replaceAll(/\s*\n\s*/g, ' ')}`
}
