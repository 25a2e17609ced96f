// The declarations of the package: of its sources, with types of the server's schemas written out.
import { dirname, join, relative, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import ts from 'typescript'
import { resolved, type SchemaValues, TypeWriter } from './write-type.ts'

const OPTIONS: ts.CompilerOptions = {
  target: ts.ScriptTarget.ESNext,
  module: ts.ModuleKind.Preserve,
  moduleResolution: ts.ModuleResolutionKind.Bundler,
  lib: ['lib.esnext.d.ts', 'lib.dom.d.ts', 'lib.dom.asynciterable.d.ts'],
  types: [],
  strict: true,
  noUncheckedIndexedAccess: true,
  skipLibCheck: true,
  verbatimModuleSyntax: true,
  allowImportingTsExtensions: true,
  declaration: true,
  emitDeclarationOnly: true,
  stripInternal: true,
}
/** Where the types of the wire are written to, beside the package's own files. */
const WIRE = 'wire.ts'

/**
 * @param root the folder of the package's sources
 * @returns the text of each declaration file that the entries need, by its name relative to `root`
 */
export async function declarationsOf(root: string, entries: string[]): Promise<Map<string, string>> {
  const names = entries.map((entry) => join(root, entry))
  const original = ts.createProgram(names, OPTIONS)
  const sources = expandSources(original, root, await valuesOf(original))
  const disk = ts.createCompilerHost(OPTIONS)
  const host: ts.CompilerHost = {
    ...disk,
    fileExists: (file) => sources.has(file) || disk.fileExists(file),
    readFile: (file) => sources.get(file) ?? disk.readFile(file),
    getSourceFile: (file, ...rest) => {
      const text = sources.get(file)
      if (text === undefined) return original.getSourceFile(file) ?? disk.getSourceFile(file, ...rest)
      return ts.createSourceFile(file, text, ts.ScriptTarget.ESNext)
    },
  }
  const program = ts.createProgram(names, { ...OPTIONS, rootDir: root, outDir: root }, host)
  const written = new Map<string, string>()
  const { diagnostics } = program.emit(undefined, (file, text) => written.set(file, withJsNames(text)))
  assertNone([...program.getSemanticDiagnostics(), ...diagnostics])
  return reachable(root, entries, written)
}

/** What the modules of schemas export. */
async function valuesOf(program: ts.Program): Promise<SchemaValues> {
  const files = program.getSourceFiles().map(({ fileName }) => fileName)
  const modules = files
    .filter((file) => file.includes('/contracts/schemas/'))
    .map(async (file) => [file, (await import(pathToFileURL(file).href)) as Record<string, unknown>] as const)
  return new Map(await Promise.all(modules))
}

/** The package's sources with references to types outside of it written out, and a further module for named ones. */
function expandSources(program: ts.Program, root: string, values: SchemaValues): Map<string, string> {
  const checker = program.getTypeChecker()
  const isOwn = (file: ts.SourceFile) =>
    file.fileName.startsWith(`${root}/`) && !file.fileName.includes('/node_modules/')
  const placeOf = (declaration: ts.Declaration) => {
    const file = declaration.getSourceFile()
    if (isOwn(file)) return 'package'
    return program.isSourceFileDefaultLibrary(file) || file.fileName.includes('/node_modules/') ? 'library' : 'outside'
  }
  const writer = new TypeWriter(checker, placeOf, 'wire', values)
  const sources = new Map<string, string>()
  for (const file of program.getSourceFiles().filter(isOwn)) {
    const edits = editsOf(file, checker, writer, placeOf, root)
    if (edits.length > 0) sources.set(file.fileName, applyEdits(file.text, edits))
  }
  const declarations = writer.declarations()
  for (const [file, text] of sources) {
    sources.set(file, `import type * as wire from '${upFrom(file, root)}/${WIRE}'\n${text}`)
  }
  sources.set(join(root, WIRE), declarations)
  return sources
}

function upFrom(file: string, root: string): string {
  return relative(dirname(file), root) || '.'
}

interface Edit {
  start: number
  end: number
  text: string
}

/** What must change in a file so that it needs nothing from outside the package. */
function editsOf(
  file: ts.SourceFile,
  checker: ts.TypeChecker,
  writer: TypeWriter,
  placeOf: (declaration: ts.Declaration) => string,
  root: string,
): Edit[] {
  const edits: Edit[] = []
  const up = upFrom(file.fileName, root)
  const replace = (node: ts.Node, text: string): void => {
    edits.push({ start: node.getStart(file), end: node.getEnd(), text })
  }
  const symbolAt = (name: ts.Node) => resolved(checker, name)
  const isForeign = (symbol: ts.Symbol | undefined) =>
    (symbol?.declarations ?? []).some(
      (declaration) =>
        placeOf(declaration) === 'outside' || declaration.getSourceFile().fileName.includes(SCHEMA_LIBRARY),
    )
  const some = (node: ts.Node, holds: (symbol: ts.Symbol | undefined) => boolean): boolean =>
    ts.isIdentifier(node)
      ? holds(symbolAt(node))
      : Boolean(ts.forEachChild(node, (child) => some(child, holds) || undefined))
  /** Such as `type Of<S extends TSchema> = Static<S>`: cannot be written out, its uses can. */
  const isShorthand = (node: ts.Node) =>
    ts.isTypeAliasDeclaration(node) && node.typeParameters !== undefined && some(node.type, isForeign)
  /** The package's own, declared elsewhere than in the node itself. */
  const isOwnBeside = (symbol: ts.Symbol | undefined, node: ts.Node) =>
    (symbol?.declarations ?? []).some((each) => {
      const isWithin = each.getSourceFile() === file && each.pos >= node.pos && each.end <= node.end
      return placeOf(each) === 'package' && !isWithin && !isShorthand(each)
    })

  const visit = (node: ts.Node): void => {
    if (ts.isImportDeclaration(node) || ts.isExportDeclaration(node)) return visitModule(node)
    if (isShorthand(node)) return replace(node, '')
    if (
      ts.isTypeAliasDeclaration(node) &&
      ts.getJSDocCommentsAndTags(node).length === 0 &&
      some(node.type, isForeign)
    ) {
      const at = node.getStart(file)
      edits.push({ start: at, end: at, text: writer.docOfAlias(node.type) })
    }
    const isWritten =
      ts.isTypeNode(node) &&
      !ts.isUnionTypeNode(node) &&
      !ts.isIntersectionTypeNode(node) &&
      !ts.isTypeLiteralNode(node) &&
      !ts.isFunctionTypeNode(node)
    if (isWritten && some(node, isForeign) && !some(node, (symbol) => isOwnBeside(symbol, node))) {
      const named = ts.isTypeReferenceNode(node) && !node.typeArguments ? symbolAt(node.typeName) : undefined
      if (named && placeOf(named.declarations![0]!) === 'outside') return replace(node, writer.refer(named))
      const isBare = ts.isExpressionWithTypeArguments(node) && !node.typeArguments
      const text = isBare ? writer.refer(symbolAt(node.expression)!) : writer.writeNode(node)
      return replace(node, needsBrackets(node, text) ? `(${text})` : text)
    }
    ts.forEachChild(node, visit)
  }
  const visitModule = (node: ts.ImportDeclaration | ts.ExportDeclaration): void => {
    const from = node.moduleSpecifier && checker.getSymbolAtLocation(node.moduleSpecifier)
    if (ts.isImportDeclaration(node)) return isForeign(from) ? replace(node, '') : undefined
    if (!node.exportClause || !ts.isNamedExports(node.exportClause)) {
      if (isForeign(from)) throw new Error(`Cannot write the declarations: '${node.getText(file)}' must list its names`)
      return
    }
    const { elements } = node.exportClause
    const foreign = elements.flatMap((element) => {
      const symbol = symbolAt(element.name)
      return symbol && isForeign(symbol) ? [{ element, symbol }] : []
    })
    if (foreign.length === 0) return
    if (foreign.length < elements.length)
      throw new Error(
        `Cannot write the declarations: '${node.getText(file)}' must not mix names of the package and others`,
      )
    const names = foreign.map(({ element, symbol }) => {
      writer.refer(symbol)
      return element.name.text === symbol.name ? symbol.name : `${symbol.name} as ${element.name.text}`
    })
    replace(node, `export type { ${names.join(', ')} } from '${up}/${WIRE}'`)
  }
  visit(file)
  return edits
}

const SCHEMA_LIBRARY = '/node_modules/@sinclair/typebox/'

/** Whether a union in the place of a node would be read otherwise, as in `Name[]`. */
function needsBrackets(node: ts.Node, text: string): boolean {
  return text.includes(' | ') && (ts.isArrayTypeNode(node.parent) || ts.isIndexedAccessTypeNode(node.parent))
}

function applyEdits(text: string, edits: Edit[]): string {
  const ordered = edits.toSorted((a, b) => b.start - a.start)
  return ordered.reduce((changed, edit) => changed.slice(0, edit.start) + edit.text + changed.slice(edit.end), text)
}

const SPECIFIER = /(?<=from |import\()(['"])(\.[^'"]*)\.ts\1/g

/** With the names of the files that are published. */
function withJsNames(text: string): string {
  return text.replaceAll(SPECIFIER, '$1$2.js$1')
}

/** Those that the entries need. */
function reachable(root: string, entries: string[], written: Map<string, string>): Map<string, string> {
  const found = new Map<string, string>()
  const queue = entries.map((entry) => resolve(root, entry.replace(/\.ts$/, '.d.ts')))
  for (const file of queue) {
    const text = written.get(file)
    if (text === undefined) throw new Error(`Cannot write the declarations: there is no '${relative(root, file)}'`)
    found.set(relative(root, file), text)
    for (const { fileName } of ts.preProcessFile(text).importedFiles) {
      if (!fileName.startsWith('.'))
        throw new Error(`Cannot publish '${relative(root, file)}': its types need '${fileName}'`)
      const next = resolve(dirname(file), fileName.replace(/\.js$/, '.d.ts'))
      if (!queue.includes(next)) queue.push(next)
    }
  }
  return found
}

function assertNone(diagnostics: readonly ts.Diagnostic[]): void {
  if (diagnostics.length === 0) return
  const host = { getCanonicalFileName: String, getCurrentDirectory: () => '.', getNewLine: () => '\n' }
  throw new Error(`Cannot write the declarations:\n${ts.formatDiagnostics(diagnostics, host)}`)
}
