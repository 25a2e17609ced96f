import { expect, it } from 'vitest'
import { announcement } from '../../cli/announcement.ts'

it('shows a new key once, and uses it in the line to try', () => {
  const text = announcement({ url: 'http://127.0.0.1:5050', key: 'muxi_secret' }, 'http://127.0.0.1:8233')
  expect(text).toContain('API key      muxi_secret')
  expect(text).toContain('KEY=muxi_secret')
  expect(text).toContain('Temporal UI  http://127.0.0.1:8233')
  expect(text).toContain('http://127.0.0.1:5050/api/v1/agents/assistant/chat/stream')
})

it('shows no key when there is none to show', () => {
  const text = announcement({ url: 'http://127.0.0.1:5050' }, undefined)
  expect(text).not.toContain('API key')
  expect(text).not.toMatch(/^ *KEY=/m)
  expect(text).toContain('Bearer $KEY')
})

it('reports only readiness without an API', () => {
  expect(announcement({}, undefined)).toBe('muxi worker is ready')
})
