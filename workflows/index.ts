// The workflows that a worker registers, under their names.
export { chatTurn } from './chat-turn.ts'
export { conversation } from './conversation.ts'
export { toolCall } from './tool-call.ts'
