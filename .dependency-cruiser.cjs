// Import rules: the folder determines in which process code runs and what it may depend on.

/** A rule that restricts the files of `from` to import, of the project's folders, only those in `may`. */
const only = (from, may, options = {}) => ({
  name: `${options.name ?? from}-imports-only`,
  severity: 'error',
  comment: options.comment ?? `${from} may import: itself${may.length > 0 ? `, ${may.join(', ')}` : ''}`,
  from: { path: `^${from}/`, ...options.from },
  to: { path: OURS, pathNot: [from, ...may].map((path) => `^${path}${path.includes('.') ? '$' : '/'}`), ...options.to },
})
const OURS =
  '^(activities|agents|api|cli|client|composition|config|contracts|db|embedded|mcp|media|net|providers|publish|temporal-config|tests|vectors|web|workers|workflows)/'
/** The files that `muxi serve` keeps loaded, closed under value imports. */
const SUPERVISOR =
  '^(cli/(supervisor|announcement|app-process|check-port|data-lock|keep-running|line-writer|private-files|runtime-command|stop-signals|temporal-(keeper|place))|' +
  'config/(settings|defaults|settings-error|environment|setting-reader|temporal-settings|memory-settings|budget-settings|rate-settings|edge-settings|routing-settings)|contracts/(blob-url|hosts|main-database|networks|retry|temporal|vendors)|' +
  'temporal-config/(dev-server|health|run-program|server-[a-z]+))\\.ts$'
const VALUES = { dependencyTypesNot: ['type-only'] }
const TYPES = { dependencyTypes: ['type-only'] }

module.exports = {
  forbidden: [
    only('contracts', []),
    only('config', ['contracts']),
    // Published alone: of the other folders it has types only.
    only('client', [], { name: 'client-values', to: VALUES }),
    only('client', ['contracts'], { name: 'client-types', to: TYPES }),
    {
      name: 'composition-is-below-processes',
      severity: 'error',
      comment: 'What processes and embedders are composed from knows neither',
      from: { path: '^composition/' },
      to: { path: '^(cli|client|embedded|publish|web)/' },
    },
    only(
      'embedded',
      [
        'client',
        'composition',
        'config',
        'db/(storage|unreadable)\\.ts',
        'temporal-config/(dev-server|server-binary)\\.ts',
        'api/(app|origins|serve-socket|server-socket|server|services/access|services/context|socket-writer)\\.ts',
        'cli/(data-lock|line-writer|private-files|runtime-command|temporal-(keeper|place))\\.ts',
      ],
      {
        comment: 'The program that embeds muxi keeps its signals, output and exit: of cli/ only what leaves them alone',
      },
    ),
    {
      name: 'embedded-loads-when-it-starts',
      severity: 'error',
      comment: 'A program with the address of a server loads the client only',
      from: { path: '^embedded/(index|muxi|memory-[a-z]+|options)\\.ts$' },
      to: {
        pathNot: '^(client/|embedded/(index|muxi|memory-[a-z]+|options)\\.ts$)',
        dependencyTypesNot: ['core', 'type-only', 'dynamic-import'],
      },
    },
    // Writes what is published; never part of what runs.
    only('publish', []),
    only('workflows', ['contracts'], { name: 'workflows-values', to: VALUES }),
    only('workflows', ['contracts', 'activities'], { name: 'workflows-types', to: TYPES }),
    only('activities', ['contracts', 'db', 'vectors', 'media', 'mcp', 'providers']),
    ...['db', 'media', 'net', 'providers', 'temporal-config'].map((folder) => only(folder, ['contracts'])),
    only('vectors', ['contracts', 'db']),
    // Web pages and documents share these parsers.
    only('mcp', ['contracts', 'net', 'media/document/(html|html-parts|html-tree|to-markdown)\\.ts']),
    only(
      'api',
      [
        'contracts',
        'db',
        'vectors',
        'workflows/(messages|labels)\\.ts',
        'client/ui/ui-chunks\\.ts',
        'media/document/blocks\\.ts',
        'media/kind/(kind-of-file|media-type)\\.ts',
      ],
      {
        name: 'api-values',
        to: VALUES,
      },
    ),
    only(
      'api',
      ['contracts', 'client/ui/ui-chunks\\.ts', 'db', 'vectors', 'workflows', 'providers', 'mcp/oauth(-client)?\\.ts'],
      {
        name: 'api-types',
        to: TYPES,
      },
    ),
    {
      name: 'config-is-read-at-the-top',
      severity: 'error',
      comment: 'Only composition/, cli/ and embedded/ know the settings; everything else takes what it uses',
      from: { pathNot: '^(config/|composition/|cli/|embedded/|tests/)' },
      to: { path: '^config/' },
    },
    {
      name: 'nothing-imports-tests',
      severity: 'error',
      from: { pathNot: '^(tests/|vitest\\.config\\.ts$)' },
      to: { path: '^tests/' },
    },
    {
      name: 'workflow-bundle-stays-small',
      severity: 'error',
      comment: 'Workflow code is replayed: of packages it may have @temporalio/workflow and types only',
      from: { path: '^workflows/' },
      to: { pathNot: `${OURS}|node_modules/@temporalio/(workflow|common)/`, ...VALUES },
    },
    {
      name: 'schemas-stay-out-of-the-workflow-bundle',
      severity: 'error',
      comment: 'A value import of a schema library puts it into the bundle',
      from: { path: '^workflows/' },
      to: { path: '^contracts/schemas/', ...VALUES },
    },
    {
      name: 'supervisor-stays-small',
      severity: 'error',
      comment:
        'The supervisor stays as long as muxi runs: its files import each other and nothing else, no package either',
      from: { path: SUPERVISOR },
      to: { pathNot: SUPERVISOR, dependencyTypesNot: ['core', 'type-only'] },
    },
    {
      name: 'commands-are-imported-when-they-run',
      severity: 'error',
      from: { path: '^cli/main\\.ts$' },
      to: { pathNot: SUPERVISOR, dependencyTypesNot: ['core', 'type-only', 'dynamic-import'] },
    },
    { name: 'no-circles', severity: 'error', from: {}, to: { circular: true } },
    // numfmt 4.0.1 lacks the file that it names for `require`; imports find the right one (November 2026).
    { name: 'resolvable', severity: 'error', from: {}, to: { couldNotResolve: true, pathNot: '^numfmt$' } },
    {
      name: 'no-development-packages',
      severity: 'error',
      // The published client contains it.
      from: { pathNot: '^(tests/|publish/|vitest\\.config\\.ts$|client/streams/event-stream\\.ts$)' },
      to: { dependencyTypes: ['npm-dev'], dependencyTypesNot: ['npm', 'type-only'] },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    // The template is a separate project with its own packages. The servers of the peers use packages
    // that tests/bench/peers/install.ts installs into a cache and that muxi does not have.
    exclude: { path: '^(data|coverage|client/(dist|reference)|mcp/template|tests/bench/peers/servers)/' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: {
      extensions: ['.ts', '.mjs', '.cjs', '.js', '.json', '.d.ts'],
      exportsFields: ['exports'],
      conditionNames: ['node', 'import', 'require', 'default', 'types'],
    },
  },
}
