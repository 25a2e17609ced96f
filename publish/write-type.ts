// Writes types that come from the server's schemas as plain TypeScript, so that the published declarations need neither the schemas nor their library.
import ts from 'typescript'

/** What says whether a declaration is in the package, outside of it, or of a library. */
export type PlaceOf = (declaration: ts.Declaration) => 'package' | 'outside' | 'library'

/** What modules export, by their file. */
export type SchemaValues = ReadonlyMap<string, Record<string, unknown>>

/** Writes types out. Named types from outside the package are written once each, and referred to by their names. */
export class TypeWriter {
  readonly #checker: ts.TypeChecker
  readonly #placeOf: PlaceOf
  /** Names that are referred to, with their declarations' symbols. */
  readonly #named = new Map<string, ts.Symbol>()
  readonly #open: ts.Type[] = []
  readonly #namespace: string
  readonly #schemaValues: SchemaValues
  #isDeclaring = false

  /**
   * @param namespace under which the package's files import what `declarations()` declares
   * @param schemaValues for the descriptions of properties
   */
  constructor(checker: ts.TypeChecker, placeOf: PlaceOf, namespace: string, schemaValues: SchemaValues) {
    this.#schemaValues = schemaValues
    this.#checker = checker
    this.#placeOf = placeOf
    this.#namespace = namespace
  }

  /** A module that declares every named type that was referred to. */
  declarations(): string {
    const written = new Map<string, string>()
    this.#isDeclaring = true
    // Writing one may refer to others, which are then at the end of the map.
    for (const [name, symbol] of this.#named) {
      const type = this.#checker.getDeclaredTypeOfSymbol(symbol)
      const [declaration] = symbol.declarations ?? []
      const schemas = declaration ? this.#schemasIn(declaration) : []
      const doc = this.#docOf(symbol) || this.docOfAlias(declaration)
      written.set(name, `${doc}export type ${name} = ${this.#structure(type, schemas)}\n`)
    }
    return [...written.values()].join('\n')
  }

  /** Refers to a named type from outside the package. @returns what refers to it */
  refer(symbol: ts.Symbol): string {
    const known = this.#named.get(symbol.name)
    if (known && known !== symbol) throw new Error(`Cannot write types: two are named '${symbol.name}'`)
    this.#named.set(symbol.name, symbol)
    return this.#isDeclaring ? symbol.name : `${this.#namespace}.${symbol.name}`
  }

  /** What a type node means, as text. */
  writeNode(node: ts.TypeNode): string {
    return this.#write(this.#checker.getTypeFromTypeNode(node), this.#schemasIn(node))
  }

  /** The documentation of what an alias names: of a type, or of the one schema that it is made from. */
  docOfAlias(node: ts.Node | undefined): string {
    if (!node) return ''
    if (ts.isTypeReferenceNode(node) && !node.typeArguments) {
      const symbol = resolved(this.#checker, node.typeName)
      return symbol ? this.#docOf(symbol) || this.docOfAlias(symbol.declarations?.[0]) : ''
    }
    const [schema, another] = this.#schemaSymbolsIn(node)
    return schema && !another ? this.#docOf(schema) || descriptionIn(this.#schemasIn(node)) : ''
  }

  /** By its name when it has one outside the package, else by its structure. */
  #write(type: ts.Type, schemas: readonly unknown[]): string {
    const named = this.#nameable(type)
    return named ? this.refer(named) : this.#structure(type, schemas)
  }

  /** The schemas that `typeof` names in a node. */
  #schemaSymbolsIn(node: ts.Node): ts.Symbol[] {
    const found: ts.Symbol[] = []
    const visit = (each: ts.Node): void => {
      if (ts.isTypeQueryNode(each)) {
        const symbol = resolved(this.#checker, each.exprName)
        if (symbol) found.push(symbol)
      } else ts.forEachChild(each, visit)
    }
    visit(node)
    return found
  }

  #schemasIn(node: ts.Node): unknown[] {
    return this.#schemaSymbolsIn(node).flatMap((symbol) => {
      const file = symbol.declarations?.[0]?.getSourceFile().fileName ?? ''
      return this.#schemaValues.get(file)?.[symbol.name] ?? []
    })
  }

  #nameable(type: ts.Type): ts.Symbol | undefined {
    if (type.aliasSymbol && !type.aliasTypeArguments && this.#isOutside(type.aliasSymbol)) return type.aliasSymbol
    const symbol = type.getSymbol()
    return symbol && symbol.flags & ts.SymbolFlags.Interface && this.#isOutside(symbol) ? symbol : undefined
  }

  /** Exported by a module that is not part of the package. */
  #isOutside(symbol: ts.Symbol): boolean {
    const [declaration] = symbol.declarations ?? []
    if (!declaration || this.#placeOf(declaration) !== 'outside') return false
    return Boolean(ts.getCombinedModifierFlags(declaration) & ts.ModifierFlags.Export)
  }

  #structure(type: ts.Type, schemas: readonly unknown[]): string {
    if (this.#open.includes(type)) throw new Error(`Cannot write '${this.#text(type)}': it refers to itself`)
    this.#open.push(type)
    try {
      return this.#unguarded(type, schemas)
    } finally {
      this.#open.pop()
    }
  }

  #unguarded(type: ts.Type, schemas: readonly unknown[]): string {
    if (type.flags & ts.TypeFlags.Boolean) return 'boolean'
    if (type.isUnion()) return this.#union(type, schemas)
    if (this.#checker.isTupleType(type))
      return `[${this.#checker
        .getTypeArguments(type as ts.TypeReference)
        .map((each) => this.#write(each, []))
        .join(', ')}]`
    if (this.#checker.isArrayType(type)) {
      const [item] = this.#checker.getTypeArguments(type as ts.TypeReference)
      const text = this.#write(item!, partsOf(schemas, 'items'))
      return /^[\w.]+$/.test(text) ? `${text}[]` : `Array<${text}>`
    }
    const isObject = Boolean(type.flags & (ts.TypeFlags.Object | ts.TypeFlags.Intersection))
    if (!isObject || this.#isOfLibrary(type)) return this.#text(type)
    return this.#object(type, schemas)
  }

  #union(type: ts.UnionType, schemas: readonly unknown[]): string {
    const texts: string[] = []
    for (const member of type.types) {
      // `boolean` is a union of two.
      const text =
        member.flags & ts.TypeFlags.BooleanLiteral && hasBoth(type) ? 'boolean' : this.#write(member, schemas)
      if (!texts.includes(text)) texts.push(text)
    }
    const isLast = (text: string) => text === 'null' || text === 'undefined'
    return [...texts.filter((text) => !isLast(text)), ...texts.filter(isLast)].join(' | ')
  }

  #object(type: ts.Type, schemas: readonly unknown[]): string {
    if (type.getCallSignatures().length > 0) throw new Error(`Cannot write '${this.#text(type)}': it is a function`)
    const variants = schemas.flatMap(alternativesOf)
    const members = inOrder(this.#checker.getPropertiesOfType(type))
    const fitting = variants.filter((schema) => members.every(({ name }) => partOf(schema, name) !== undefined))
    const properties = members.map((member) => {
      return this.#property(
        member,
        (fitting.length > 0 ? fitting : variants).map((schema) => partOf(schema, member.name)),
      )
    })
    const [index] = this.#checker.getIndexInfosOfType(type)
    if (properties.length === 0) return `Record<string, ${index ? this.#write(index.type, []) : 'unknown'}>`
    if (index) properties.push(`[name: string]: ${this.#write(index.type, [])}`)
    return `{\n${properties.join('\n').replaceAll(/^/gm, '  ')}\n}`
  }

  #property(property: ts.Symbol, schemas: readonly unknown[]): string {
    const isOptional = Boolean(property.flags & ts.SymbolFlags.Optional)
    const type = this.#checker.getTypeOfSymbol(property)
    // Without `undefined` alone, an optional type has its name again; `null` is a value and stays.
    const hasNull = type.isUnion() && type.types.some(({ flags }) => flags & ts.TypeFlags.Null)
    const text = this.#write(isOptional && !hasNull ? this.#checker.getNonNullableType(type) : type, schemas)
    const name = /^[\w$]+$/.test(property.name) ? property.name : JSON.stringify(property.name)
    return `${this.#docOf(property) || descriptionIn(schemas)}${name}${isOptional ? `?: ${text.replace(/ \| undefined$/, '')}` : `: ${text}`}`
  }

  #isOfLibrary(type: ts.Type): boolean {
    const symbol = type.aliasSymbol ?? type.getSymbol()
    const [declaration] = symbol?.declarations ?? []
    if (!declaration || !ts.isInterfaceDeclaration(declaration)) return false
    return this.#placeOf(declaration) === 'library'
  }

  #docOf(symbol: ts.Symbol): string {
    return comment(ts.displayPartsToString(symbol.getDocumentationComment(this.#checker)))
  }

  #text(type: ts.Type): string {
    return this.#checker.typeToString(type, undefined, ts.TypeFormatFlags.NoTruncation)
  }
}

/** What a name means, through imports. */
export function resolved(checker: ts.TypeChecker, name: ts.Node): ts.Symbol | undefined {
  const symbol = checker.getSymbolAtLocation(name)
  return symbol && symbol.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(symbol) : symbol
}

/** As they are declared, when one file declares them all. */
function inOrder(properties: ts.Symbol[]): ts.Symbol[] {
  const placed = properties.map((property) => ({ property, at: property.declarations?.[0] }))
  if (new Set(placed.map(({ at }) => at?.getSourceFile())).size !== 1) return properties
  return placed.toSorted((a, b) => (a.at?.pos ?? 0) - (b.at?.pos ?? 0)).map(({ property }) => property)
}

function hasBoth(type: ts.UnionType): boolean {
  return type.types.filter(({ flags }) => flags & ts.TypeFlags.BooleanLiteral).length === 2
}

function comment(text: string): string {
  return text === '' ? '' : `/** ${text.replaceAll('*/', '*\\/').replaceAll('\n', ' ')} */\n`
}

interface AnySchema {
  anyOf?: unknown[]
  properties?: Record<string, unknown>
  items?: unknown
  description?: string
}

/** The alternatives of a schema, those of alternatives too. */
function alternativesOf(schema: unknown): AnySchema[] {
  if (typeof schema !== 'object' || schema === null) return []
  const { anyOf } = schema as AnySchema
  return anyOf ? anyOf.flatMap(alternativesOf) : [schema]
}

function partsOf(schemas: readonly unknown[], name: 'items'): unknown[] {
  return schemas.flatMap(alternativesOf).flatMap((schema) => schema[name] ?? [])
}

/** What a schema, or a table of schemas, says of a property. */
function partOf(schema: unknown, name: string): unknown {
  const { properties } = schema as AnySchema
  return (properties ?? (schema as Record<string, unknown>))[name]
}

function descriptionIn(schemas: readonly unknown[]): string {
  const described = schemas.flatMap((schema) => (schema as AnySchema | undefined)?.description ?? [])
  return comment(described[0] ?? '')
}
