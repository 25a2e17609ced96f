// Code as fenced blocks of Markdown.
import { cutLong } from './pages.ts'

/** A block whose fence is longer than any within it. */
export function fenced(code: string, language = ''): string {
  const longest = Math.max(2, ...[...code.matchAll(/`{3,}/g)].map(([run]) => run.length))
  const fence = '`'.repeat(longest + 1)
  return `${fence}${language}\n${code.replace(/^\n+|\s+$/g, '')}\n${fence}`
}

/** Long code as blocks within the limit of a page. */
export function fencedPages(code: string, language = ''): string[] {
  return cutLong(code)
    .filter((part) => part.trim() !== '')
    .map((part) => fenced(part, language))
}
