// The word check of `npm run lint`: prints file, line, phrase and suggestion, and fails when a phrase of the list is used.
import { globSync, readFileSync } from 'node:fs'
import { findPhrases } from './support/word-list.ts'

const FILES =
  '{*,.ci/**/*,.github/**/*,{activities,agents,api,cli,client,config,contracts,db,docs,mcp,media,net,providers,temporal-config,tests,web,workers,workflows}/**/*}'
const CODE = /\.(ts|mjs|cjs|js)$/
const TEXT = /\.(md|ya?ml)$|(^|\/)Dockerfile$/
/** Packages, test data, and the list itself. */
const EXCLUDED =
  /(^|\/)node_modules\/|^tests\/(histories|fixtures)\/|^tests\/support\/(documents|word-list|search-services)\.ts|^tests\/(unit\/word-list|check-words)|^tests\/bench\/corpus/
/** Words of test data. */
const DATA = new Set([
  'tests/e2e/cancel.test.ts nobody',
  'tests/e2e/refusals.test.ts nobody',
  'tests/e2e/summaries.test.ts Nobody',
  'tests/e2e/summaries.test.ts Everybody',
  'tests/e2e/web-page.test.ts somebody',
  'tests/integration/client-package.test.ts nobody',
  'tests/integration/ocr.test.ts Nobody',
  'tests/integration/search.test.ts nobody',
])

const files = globSync(FILES).filter((file) => !EXCLUDED.test(file) && (CODE.test(file) || TEXT.test(file)))
const hits = files.flatMap((file) =>
  findPhrases(readFileSync(file, 'utf8'), CODE.test(file))
    .filter(({ phrase }) => !DATA.has(`${file} ${phrase}`))
    .map(({ line, phrase, suggestion }) => `${file}:${line}: '${phrase}'; use instead: ${suggestion}`),
)
for (const hit of hits) console.log(hit)
console.log(`${hits.length} phrases to replace in ${files.length} files`)
// A run without files is a mistake in the patterns, not a success.
process.exit(hits.length > 0 || files.length === 0 ? 1 : 0)
