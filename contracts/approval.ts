// Approvals: what is decided, and how.

/** Kinds of approvals: of a tool call, a question of a server, a sign-in. */
export type ApprovalKind = 'tool' | 'question' | 'sign_in'
export type ApprovalDecision = 'approve' | 'deny' | 'answer'

/** Signals of an activity to its call: the server has asked a question, or has got the answer. */
export const QUESTION_SIGNALS = { asked: 'asked', decided: 'decided' } as const
