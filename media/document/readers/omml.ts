// Formulas of Office (OMML) as TeX.
import { TEX_SIGNS } from './tex-signs.ts'
import { attribute, childAt, childrenOf, nameOf } from './xml.ts'

const LARGE: Record<string, string> = {
  '∑': '\\sum',
  '∏': '\\prod',
  '∫': '\\int',
  '∬': '\\iint',
  '∭': '\\iiint',
  '∮': '\\oint',
  '⋃': '\\bigcup',
  '⋂': '\\bigcap',
}
const ACCENTS: Record<string, string> = {
  '̂': '\\hat',
  '̃': '\\tilde',
  '̄': '\\bar',
  '̅': '\\overline',
  '⃗': '\\vec',
  '̇': '\\dot',
  '̈': '\\ddot',
  '̌': '\\check',
  '́': '\\acute',
  '̀': '\\grave',
  '̆': '\\breve',
}
const FUNCTIONS =
  /^(?:arccos|arcsin|arctan|cos|cosh|cot|coth|csc|deg|det|dim|exp|gcd|inf|ker|lg|lim|ln|log|max|min|sec|sin|sinh|sup|tan|tanh)$/
const BRACKETS: Record<string, string> = {
  '{': '\\{',
  '}': '\\}',
  '|': '\\vert',
  '‖': '\\Vert',
  '⟨': '\\langle',
  '⟩': '\\rangle',
  '〈': '\\langle',
  '〉': '\\rangle',
  '': '.',
}

/** @param math `oMath`, or any part of it */
export function ommlToTex(math: Element): string {
  return childrenOf(math).map(element).join('').trim()
}

function element(at: Element): string {
  const part = (name: string) => group(childAt(at, name))
  const bare = (name: string) => tex(childAt(at, name))
  const base = () => (/^\w$/.test(bare('e')) ? bare('e') : part('e'))
  const property = (name: string) => attribute(childAt(at, `${nameOf(at)}Pr`, name), 'val')
  const has = (name: string) =>
    childAt(at, `${nameOf(at)}Pr`, name) !== undefined && !/^(0|off|false)$/.test(property(name) ?? '')
  switch (nameOf(at)) {
    case 'r':
      return run(at)
    case 'f':
      if (property('type') === 'lin') return `${part('num')}/${part('den')}`
      if (property('type') === 'noBar') return `\\binom${part('num')}${part('den')}`
      return `\\frac${part('num')}${part('den')}`
    case 'sSup':
      return `${base()}^${part('sup')}`
    case 'sSub':
      return `${base()}_${part('sub')}`
    case 'sSubSup':
      return `${base()}_${part('sub')}^${part('sup')}`
    case 'sPre':
      return `{}_${part('sub')}^${part('sup')}${part('e')}`
    case 'rad':
      return has('degHide') || bare('deg') === '' ? `\\sqrt${part('e')}` : `\\sqrt[${bare('deg')}]${part('e')}`
    case 'nary': {
      const sign = property('chr') ?? '∫'
      const sub = has('subHide') || bare('sub') === '' ? '' : `_${part('sub')}`
      const sup = has('supHide') || bare('sup') === '' ? '' : `^${part('sup')}`
      return `${LARGE[sign] ?? sign}${sub}${sup} ${part('e')}`
    }
    case 'd': {
      const inner = childrenOf(at, 'e')
        .map(tex)
        .join(separator(property('sepChr') ?? '|'))
      return `\\left${bracket(property('begChr') ?? '(')} ${inner} \\right${bracket(property('endChr') ?? ')')}`
    }
    case 'm': {
      const rows = childrenOf(at, 'mr').map((row) => childrenOf(row, 'e').map(tex).join(' & '))
      return `\\begin{matrix}${rows.join(' \\\\ ')}\\end{matrix}`
    }
    case 'eqArr':
      if (childrenOf(at, 'e').length === 1) return bare('e')
      return `\\begin{aligned}${childrenOf(at, 'e').map(tex).join(' \\\\ ')}\\end{aligned}`
    case 'func': {
      const name = bare('fName')
      return `${FUNCTIONS.test(name) ? `\\${name}` : name} ${part('e')}`
    }
    case 'acc':
      return `${ACCENTS[property('chr') ?? '̂'] ?? '\\hat'}${part('e')}`
    case 'bar':
      return `${property('pos') === 'top' ? '\\overline' : '\\underline'}${part('e')}`
    case 'groupChr':
      return `${property('pos') === 'top' ? '\\overbrace' : '\\underbrace'}${part('e')}`
    case 'limLow':
      return `${functionOr(bare('e'))}_${part('lim')}`
    case 'limUpp':
      return `${functionOr(bare('e'))}^${part('lim')}`
    default:
      return nameOf(at).endsWith('Pr') ? '' : ommlToTex(at)
  }
}

function functionOr(text: string): string {
  return FUNCTIONS.test(text) ? `\\${text}` : `{${text}}`
}

function tex(at: Element | undefined): string {
  return at ? ommlToTex(at) : ''
}

function group(at: Element | undefined): string {
  return `{${tex(at)}}`
}

function bracket(sign: string): string {
  return BRACKETS[sign] ?? sign
}

/** `|` would end a cell of a table. */
function separator(sign: string): string {
  return sign === '|' ? ' \\mid ' : sign
}

function run(at: Element): string {
  const text = childrenOf(at, 't')
    .map((each) => each.textContent ?? '')
    .join('')
  const escaped = text.replaceAll(
    /[\\{}$%#_^~|]/g,
    (sign) => BRACKETS[sign] ?? (sign === '\\' ? '\\backslash ' : `\\${sign}`),
  )
  const isPlain = childAt(at, 'rPr', 'nor') !== undefined
  if (isPlain && text.trim() !== '') return `\\text{${escaped}}`
  return Array.from(escaped, (sign) => (TEX_SIGNS[sign] === undefined ? sign : `\\${TEX_SIGNS[sign]} `)).join('')
}
