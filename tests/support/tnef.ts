// Mails of Outlook as TNEF (winmail.dat).

const attribute = (level: number, id: number, data: Uint8Array): Buffer => {
  const head = Buffer.alloc(9)
  head.writeUInt8(level, 0)
  head.writeUInt32LE(id, 1)
  head.writeUInt32LE(data.length, 5)
  return Buffer.concat([head, data, Buffer.alloc(2)])
}

const word = (value: number): Buffer => {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32LE(value)
  return bytes
}
const padded = (bytes: Uint8Array): Buffer => Buffer.concat([bytes, Buffer.alloc((4 - (bytes.length % 4)) % 4)])
const property = (id: number, type: number, value: Uint8Array): Buffer =>
  Buffer.concat([word(id * 0x10000 + type), word(1), word(value.length), padded(value)])

interface TnefMail {
  subject: string
  html?: string
  files?: Record<string, Uint8Array>
}

/** Names of files are in Unicode in a property, and shortened in an attribute. */
export function tnef({ subject, html, files = {} }: TnefMail): Buffer {
  const properties = [
    property(0x0037, 0x1f, Buffer.from(`${subject}\0`, 'utf16le')),
    ...(html === undefined ? [] : [property(0x1013, 0x102, Buffer.from(html))]),
  ]
  return Buffer.concat([
    Buffer.from('789f3e220100', 'hex'),
    attribute(1, 0x00069007, Buffer.concat([word(1_252), word(0)])),
    attribute(1, 0x00069003, Buffer.concat([word(properties.length), ...properties])),
    ...Object.entries(files).flatMap(([name, bytes]) => [
      attribute(2, 0x00069002, Buffer.alloc(14)),
      attribute(2, 0x00018010, Buffer.from('SHORT~1.TXT\0')),
      attribute(2, 0x0006800f, bytes),
      attribute(2, 0x00069005, Buffer.concat([word(1), property(0x3707, 0x1f, Buffer.from(`${name}\0`, 'utf16le'))])),
    ]),
  ])
}
