// Large XML parts of documents as events, for which trees would take too much memory.
import { Parser } from 'saxen'

export interface XmlHandlers {
  /** @param name without its prefix */
  open: (name: string, attributes: (name: string) => string | undefined) => void
  close: (name: string) => void
  text: (text: string) => void
}

/** @throws Error for XML that is not well-formed */
export function readXmlEvents(xml: string, { open, close, text }: XmlHandlers): void {
  const local = (name: string) => name.slice(name.indexOf(':') + 1)
  let attributes: () => Record<string, string>
  let decode: (text: string) => string
  const attribute = (name: string): string | undefined => {
    const all = attributes()
    const key = name in all ? name : Object.keys(all).find((each) => each.endsWith(`:${name}`))
    return key === undefined ? undefined : decode(all[key]!)
  }
  new Parser()
    .on('openTag', (name, getAttributes, decodeEntities) => {
      attributes = getAttributes
      decode = decodeEntities
      open(local(name), attribute)
    })
    .on('closeTag', (name) => close(local(name)))
    .on('text', (raw, decodeEntities) => text(decodeEntities(raw)))
    .on('cdata', text)
    .on('error', (error) => {
      throw error
    })
    .parse(xml)
}
