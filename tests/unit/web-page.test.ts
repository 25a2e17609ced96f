// The types of the page's elements are those of its HTML.
import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'

const read = (file: string) => readFileSync(new URL(`../../web/${file}`, import.meta.url), 'utf8')

it('every element that the scripts may ask for by its id is in the HTML, as the element that they take it for', () => {
  const tags = new Map<string, string>()
  for (const [, tag, id] of `${read('index.html')}${read('docs.html')}`.matchAll(/<(\w+)[^>]*?\sid="([^"]+)"/g))
    tags.set(id!, tag!)
  const [, listed = ''] = /interface PageElements \{([^}]+)\}/.exec(read('types.d.ts')) ?? []
  const elements = [...listed.matchAll(/'?([\w-]+)'?: HTML(\w*)Element/g)].map(([, id, type]) => ({ id: id!, type }))
  expect(elements.length).toBeGreaterThan(40)
  const names: Record<string, string> = { textarea: 'TextArea' }
  for (const { id, type } of elements) {
    const tag = tags.get(id)
    expect(tag, `#${id}`).toBeDefined()
    if (type !== '') expect(type, `#${id}`).toBe(names[tag!] ?? tag![0]!.toUpperCase() + tag!.slice(1))
  }
})
