// What a turn waits for a person to decide: a call with its arguments, a question as a form, a sign-in as a link.
import { call } from './api.js'
import { inWords, make, pretty } from './dom.js'

const TITLES = { tool: 'May this be called?', question: 'A question', sign_in: 'Please sign in' }
const ENDS = { approve: 'Approved', deny: 'Denied', answer: 'Answered', cancelled: 'No longer waited for' }

export class ApprovalCard {
  constructor(turnId, { id, kind, name, server, parameters, schema, url, message, drifted }) {
    this.path = `/turns/${turnId}/approvals/${id}`
    this.how = make('span', { className: 'how', role: 'status' }, ' waiting')
    this.error = make('p', { className: 'error', role: 'alert', hidden: true })
    this.reason = make('input', { maxLength: 2000, placeholder: 'Why not (told to the model)', ariaLabel: 'Reason' })
    this.fields = kind === 'tool' ? [argumentsField(parameters)] : schema ? fieldsOf(schema) : []
    const deny = make('button', { type: 'button', onclick: () => this.deny() }, schema ? 'Decline' : 'Deny')
    const yes = make('button', { className: 'primary' }, schema ? 'Answer' : kind === 'question' ? 'Done' : 'Approve')
    const form = make('form', {}, ...this.fields.map(({ element }) => element), this.error)
    form.append(make('div', { className: 'choices' }, ...(kind === 'sign_in' ? [] : [yes]), deny, this.reason))
    form.onsubmit = (event) => {
      event.preventDefault()
      this.accept(kind, schema)
    }
    this.form = form
    this.element = make(
      'section',
      { className: 'tool approval', ariaLabel: TITLES[kind] },
      make('p', {}, make('strong', {}, TITLES[kind]), ' ', make('code', {}, `${server}/${name}`), this.how),
      ...(message ? [make('p', {}, message)] : []),
      ...(drifted ? [make('p', { className: 'error' }, 'This tool has changed since its server was configured.')] : []),
      // Only the addresses that a browser opens, never a script.
      ...(/^https?:/.test(url ?? '')
        ? [make('p', {}, make('a', { href: url, target: '_blank', rel: 'noopener noreferrer' }, url))]
        : []),
      form,
    )
  }

  accept(kind, schema) {
    try {
      if (schema) {
        const given = this.fields.map(({ name, read }) => [name, read()]).filter(([, value]) => value !== undefined)
        return void this.decide({ decision: 'answer', answer: Object.fromEntries(given) })
      }
      const [edited] = this.fields
      const changed = edited?.read()
      void this.decide({ decision: 'approve', ...(changed !== undefined && { arguments: changed }) })
    } catch (error) {
      this.complain(error)
    }
  }

  deny() {
    const reason = this.reason.value.trim()
    void this.decide({ decision: 'deny', ...(reason !== '' && { reason }) })
  }

  async decide(decision) {
    this.error.hidden = true
    this.disable(true)
    try {
      await call(this.path, decision)
    } catch (error) {
      this.complain(error)
      this.disable(false)
    }
  }

  disable(isDisabled) {
    for (const field of this.form.elements) field.disabled = isDisabled
  }

  complain(error) {
    this.error.textContent = inWords(error)
    this.error.hidden = false
  }

  /** It was decided, here or elsewhere. */
  end(decision) {
    this.how.textContent = ` ${ENDS[decision]}`
    this.form.remove()
  }
}

/** The arguments as text; read only when they were changed. */
function argumentsField(parameters) {
  const text = pretty(parameters)
  const area = make('textarea', { value: text, rows: Math.min(12, text.split('\n').length), spellcheck: false })
  const read = () => {
    if (area.value === text) return undefined
    try {
      return JSON.parse(area.value)
    } catch {
      throw { message: 'The arguments must be JSON' }
    }
  }
  return { element: make('label', {}, 'Arguments', area), read }
}

/** The fields of a question: its schema is one object of plain values. */
function fieldsOf({ properties = {}, required = [] }) {
  return Object.entries(properties).map(([name, property]) => {
    const input = inputOf(property)
    input.element.required = required.includes(name) && property.type !== 'boolean'
    const label = `${property.title ?? name}${required.includes(name) ? ' *' : ''}`
    const element = make('label', { title: property.description ?? '' }, label, input.element)
    return { name, element, read: input.read }
  })
}

function inputOf(property) {
  const choices = choicesOf(property)
  if (choices.length > 0) {
    const multiple = property.type === 'array'
    const chosen = [property.default ?? []].flat()
    const options = choices.map(([value, title]) => make('option', { value, selected: chosen.includes(value) }, title))
    if (!multiple) options.unshift(make('option', { value: '', selected: chosen.length === 0 }, '–'))
    const element = make('select', { multiple }, ...options)
    const read = () => {
      const values = [...element.selectedOptions].map(({ value }) => value)
      return multiple ? values : values[0] || undefined
    }
    return { element, read }
  }
  if (property.type === 'boolean') {
    const element = make('input', { type: 'checkbox', checked: property.default === true })
    return { element, read: () => element.checked }
  }
  const isNumber = property.type === 'number' || property.type === 'integer'
  const type = isNumber ? 'number' : ({ email: 'email', uri: 'url', date: 'date' }[property.format] ?? 'text')
  const element = make('input', { type, value: property.default ?? '' })
  if (isNumber) element.step = property.type === 'integer' ? '1' : 'any'
  return { element, read: () => (element.value === '' ? undefined : isNumber ? Number(element.value) : element.value) }
}

/** Values and their titles, in each of the ways in which servers write them. */
function choicesOf({ enum: values, enumNames, oneOf, items }) {
  if (values) return values.map((value, index) => [value, enumNames?.[index] ?? value])
  if (oneOf) return oneOf.map(({ const: value, title }) => [value, title ?? value])
  return items ? choicesOf({ ...items, oneOf: items.oneOf ?? items.anyOf }) : []
}
