// The start-up message: addresses, the key if it is new, and a first request to try.
import { isOurUi } from '../temporal-config/server-arguments.ts'
import type { Ready } from './app-process.ts'

/** The lines to print; without an address this process serves no API. */
export function announcement({ url, key }: Ready, temporalUi: string | undefined): string {
  if (!url) return ['muxi worker is ready', ...(temporalUi ? [`  Temporal UI  ${temporalUi}`] : [])].join('\n')
  const base = url.replace(/\/+$/, '')
  // The UI of our own server is served by the API, which shows the text of payloads to signed-in users.
  const ours = temporalUi !== undefined && isOurUi(temporalUi)
  const ui = ours
    ? [`  Temporal UI  ${base}/temporal  (sign in on the web page first)`]
    : temporalUi
      ? [`  Temporal UI  ${temporalUi}`]
      : []
  return [
    '',
    'muxi is ready',
    '',
    `  Web page     ${base}/`,
    ...(key ? [`  API key      ${key}  (shown only now; \`npm run key\` makes another)`] : []),
    ...ui,
    '',
    'Try it:',
    '',
    ...(key ? [`  KEY=${key}`] : []),
    `  curl -N -H "Authorization: Bearer $KEY" -H 'content-type: application/json' \\`,
    `    -d '{"content":"What time is it?"}' ${base}/api/v1/agents/assistant/chat/stream`,
    '',
  ].join('\n')
}
