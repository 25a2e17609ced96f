// What a key may do.
export const SCOPES = ['chat', 'read', 'manage', 'admin'] as const
export type Scope = (typeof SCOPES)[number]
