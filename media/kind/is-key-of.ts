// Whether a string is one of the kinds that a table lists.

export function isKeyOf<T extends object>(table: T): (kind: string | undefined) => kind is keyof T & string {
  return (kind): kind is keyof T & string => kind !== undefined && Object.hasOwn(table, kind)
}
