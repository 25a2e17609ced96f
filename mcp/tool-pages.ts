// Reads the list of tools of a server page by page, within limits of pages, tools and time.
import { shorten } from '../contracts/shorten.ts'
import { McpFailure } from './failure.ts'
import { readTools, type ToolListing } from './tool-list.ts'

/** Limits of a listing: a server that invents cursors would never end. */
const MAX_TOOLS = 1_000
const MAX_PAGES = 100
const PAGE_MS = 30_000
const LISTING_MS = 60_000

/** Requests a page, as the server sends it. @throws McpFailure, or the reason of a signal */
export type PageRequest = (cursor: string | undefined, timeoutMs: number) => Promise<Record<string, unknown>>

/**
 * Once there is a page, what was read stays, and a warning says why the rest is missing.
 * @param limits of pages and tools, and of one page and all of them in milliseconds
 */
export async function readPages(
  request: PageRequest,
  limits: { page_ms?: number; listing_ms?: number } = {},
): Promise<ToolListing> {
  const { page_ms = PAGE_MS, listing_ms = LISTING_MS } = limits
  const listing: ToolListing = { tools: [], warnings: [] }
  const end = (why: string) => {
    listing.warnings.push(`Its list of tools is not read to its end: ${why}`)
    return listing
  }
  const deadline = performance.now() + listing_ms
  const seen = new Set<string>()
  let cursor: string | undefined
  for (let page = 1; ; page += 1) {
    let result: Record<string, unknown>
    try {
      result = await request(cursor, Math.min(page_ms, Math.max(0, deadline - performance.now())))
    } catch (error) {
      const isOver = error instanceof McpFailure && (error.kind === 'answered' || error.kind === 'timeout')
      if (page === 1 || !isOver) throw error
      return end(`page ${page} failed: ${error.message}`)
    }
    const { tools, warnings } = readTools(result['tools'])
    listing.tools.push(...tools)
    listing.warnings.push(...warnings)
    const next = result['nextCursor'] ?? ''
    if (listing.tools.length > MAX_TOOLS || (listing.tools.length === MAX_TOOLS && next !== '')) {
      listing.tools.length = MAX_TOOLS
      return end(`it has more than ${MAX_TOOLS} tools`)
    }
    if (next === '') return listing
    if (typeof next !== 'string') return end(`'nextCursor' must be a string, got a ${typeof next}`)
    if (seen.has(next)) return end(`'nextCursor' must be new on each page, got '${shorten(next)}' again`)
    if (page === MAX_PAGES) return end(`it has more than ${MAX_PAGES} pages`)
    if (performance.now() >= deadline) return end(`it takes longer than ${listing_ms / 1_000} s`)
    seen.add(next)
    cursor = next
  }
}
