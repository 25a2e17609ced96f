// A tool result for a model: text, and images for models that accept them.
import type { CallToolResult } from '@modelcontextprotocol/sdk/types.js'

const MAX_IMAGES = 8
const MAX_IMAGE_BYTES = 5 * 2 ** 20
const SHOWABLE = new Set(['image/png', 'image/jpeg', 'image/gif', 'image/webp'])

export interface ToolAnswer {
  text: string
  images: { media_type: string; bytes: Buffer }[]
  is_error: boolean
}

/** Every part of the result in order; unsupported parts are named. */
export function readAnswer({ content, structuredContent, isError }: CallToolResult): ToolAnswer {
  const images: ToolAnswer['images'] = []
  const show = (media_type: string, base64: string, what: string): string => {
    const bytes = Buffer.from(base64, 'base64')
    const size = `${what}: ${media_type}, ${bytes.length} bytes`
    if (!SHOWABLE.has(media_type)) return `[${size}, not shown]`
    if (bytes.length > MAX_IMAGE_BYTES || images.length === MAX_IMAGES) return `[${size}, too much to be shown]`
    images.push({ media_type, bytes })
    return `[${size}]`
  }
  const parts = content.map((part) => {
    switch (part.type) {
      case 'text':
        return part.text
      case 'image':
      case 'audio':
        return show(part.mimeType, part.data, part.type)
      case 'resource_link':
        return `[resource: ${part.name}, ${part.uri}]`
      case 'resource': {
        const { resource } = part
        if ('text' in resource) return `[resource: ${resource.uri}]\n${resource.text}`
        return show(resource.mimeType ?? 'application/octet-stream', resource.blob, `resource ${resource.uri}`)
      }
    }
  })
  // Servers should repeat structured content as text; some do not.
  if (structuredContent !== undefined && !content.some(({ type }) => type === 'text'))
    parts.push(JSON.stringify(structuredContent))
  return { text: parts.join('\n\n'), images, is_error: isError === true }
}
