// Relations between the parts of an Office document.
import type { Archive } from './archive.ts'
import { attribute, childrenOf, parseXml, resolvePart } from './xml.ts'

export interface Relation {
  id: string
  type: string
  part: string
}

/** Relations of a part to others of the document; links that lead outside are excluded. @throws MediaFailure */
export async function relationsOf(archive: Archive, part: string): Promise<Relation[]> {
  const name = part.replace(/([^/]*)$/, '_rels/$1.rels')
  if (!archive.has(name)) return []
  return childrenOf(parseXml(await archive.xml(name)), 'Relationship')
    .filter((relation) => attribute(relation, 'TargetMode') !== 'External')
    .map((relation) => ({
      id: attribute(relation, 'Id') ?? '',
      type: attribute(relation, 'Type') ?? '',
      part: resolvePart(part, attribute(relation, 'Target') ?? ''),
    }))
}

/** Parts of pictures by relation. @throws MediaFailure */
export async function imagesOf(archive: Archive, part: string): Promise<Map<string, string>> {
  const images = (await relationsOf(archive, part)).filter(
    (each) => each.type.endsWith('/image') && archive.has(each.part),
  )
  return new Map(images.map(({ id, part: image }) => [id, image]))
}
