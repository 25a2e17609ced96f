// The lines of calendars (RFC 5545) and of cards (RFC 6350): a name, parameters and a value.

export interface ContentLine {
  /** In capitals. */
  name: string
  /** By name in capitals: `WORK` of `TYPE`. A parameter without a name is a `TYPE`. */
  parameters: Map<string, string[]>
  /** Decoded, with escapes. */
  value: string
}

/** A component, such as an event: its lines and the components within it. */
export interface Component {
  name: string
  lines: ContentLine[]
  components: Component[]
}

/** The outermost components; a missing end is where the file ends. */
export function componentsOf(text: string): Component[] {
  const root: Component = { name: '', lines: [], components: [] }
  const open = [root]
  for (const line of unfolded(text)) {
    const parsed = parseLine(line)
    if (!parsed) continue
    if (parsed.name === 'BEGIN') {
      const component: Component = { name: parsed.value.trim().toUpperCase(), lines: [], components: [] }
      open.at(-1)!.components.push(component)
      open.push(component)
    } else if (parsed.name === 'END') {
      if (open.length > 1) open.pop()
    } else open.at(-1)!.lines.push(parsed)
  }
  return root.components
}

/** Escaped commas, semicolons and line ends. */
export function unescaped(value: string): string {
  return value.replaceAll(/\\([\\;,nN])/g, (_, escaped: string) => (/n/i.test(escaped) ? '\n' : escaped))
}

/** A value of several parts; empty ones stay. */
export function partsOf(value: string, separator = ';'): string[] {
  return value.split(new RegExp(String.raw`(?<!\\)${separator}`)).map((part) => unescaped(part).trim())
}

/** Long lines go on in the next, after a space, or with `=` at the end in quoted-printable. */
function unfolded(text: string): string[] {
  const lines: string[] = []
  for (const line of text.replaceAll(/\r\n?/g, '\n').split('\n')) {
    const last = lines.at(-1) ?? ''
    if (/^[ \t]/.test(line) && lines.length > 0) lines[lines.length - 1] = last + line.slice(1)
    else if (last.endsWith('=') && /;ENCODING=QUOTED-PRINTABLE/i.test(last))
      lines[lines.length - 1] = last.slice(0, -1) + line
    else lines.push(line)
  }
  return lines
}

function parseLine(line: string): ContentLine | undefined {
  const found = /^(?:[\w-]+\.)?([\w-]+)((?:;(?:[^":;]|"[^"]*")*)*):(.*)$/s.exec(line)
  if (!found) return undefined
  const [, name = '', rest = '', value = ''] = found
  const parameters = new Map<string, string[]>()
  for (const [, key = '', given = ''] of rest.matchAll(/;([\w-]+)(?:=((?:[^";]|"[^"]*")*))?/g)) {
    const [to, from] = given === '' ? ['TYPE', key] : [key.toUpperCase(), given]
    const values = [...from.matchAll(/"([^"]*)"|([^",]+)/g)].map(([, quoted, plain]) => quoted ?? plain!)
    parameters.set(to, [...(parameters.get(to) ?? []), ...values])
  }
  const isQuoted = /[;=]QUOTED-PRINTABLE(?:;|$)/i.test(rest)
  const charset = parameters.get('CHARSET')?.[0] ?? 'UTF-8'
  return { name: name.toUpperCase(), parameters, value: isQuoted ? fromQuotedPrintable(value, charset) : value }
}

function fromQuotedPrintable(text: string, charset: string): string {
  const bytes = text.replaceAll(/=([\dA-F]{2})/gi, (_, code: string) => String.fromCharCode(Number.parseInt(code, 16)))
  try {
    return new TextDecoder(charset).decode(Buffer.from(bytes, 'latin1'))
  } catch {
    return new TextDecoder().decode(Buffer.from(bytes, 'latin1'))
  }
}
