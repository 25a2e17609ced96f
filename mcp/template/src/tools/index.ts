// The tools of this server.
import type { Tool } from '../tool.ts'
// <imports>
import { echoTool } from './echo.ts'
// </imports>

export const tools: readonly Tool[] = [
  // <tools>
  echoTool,
  // </tools>
]
