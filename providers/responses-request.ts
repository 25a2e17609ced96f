// A neutral request in the form of OpenAI's responses.
import type {
  ResponseCreateParamsStreaming,
  ResponseFunctionCallOutputItem,
  ResponseInputContent,
  ResponseInputItem,
} from 'openai/resources/responses/responses'
import type { AssistantPart, ModelMessage, UserPart } from '../contracts/model-messages.ts'
import { leftOut, type GenerateRequest } from './provider.ts'
import type { ItemMetadata } from './responses-reader.ts'
import { NO_OUTPUT, sentArguments, sentName, USUAL_ID, withUniqueIds } from './sent-calls.ts'
import { strictSchema } from './strict-schema.ts'

/** Models that reason: only they give their reasoning encrypted, and others refuse to be asked for it. */
const REASONS = /^(o\d|gpt-[5-9](?!-chat)|codex)/

/** Nothing is stored at OpenAI: the whole conversation is sent, with the encrypted reasoning of the current turn. */
export function toResponsesParams(request: GenerateRequest): {
  params: ResponseCreateParamsStreaming
  warnings: string[]
} {
  const { model, system, tools, tool_choice, reasoning, temperature, top_p, max_output_tokens, response_schema } =
    request
  const warnings = leftOut(request, ['stop', 'seed', 'frequency_penalty', 'presence_penalty'])
  const reasons = reasoning !== undefined || REASONS.test(model)
  return {
    params: {
      model,
      stream: true,
      store: false,
      ...(reasons && { include: ['reasoning.encrypted_content'] }),
      ...(system !== '' && { instructions: system }),
      input: withUniqueIds(request.messages, USUAL_ID).flatMap((message) => toItems(message, warnings)),
      ...(tools.length > 0 && {
        tools: tools.map(({ name, description, parameters, strict = false }) => ({
          type: 'function' as const,
          name,
          description,
          parameters,
          strict,
        })),
        ...(tool_choice !== undefined && {
          tool_choice: tool_choice === 'required' ? tool_choice : { type: 'function' as const, ...tool_choice },
        }),
      }),
      ...(reasoning !== undefined && {
        reasoning: { effort: reasoning, ...(reasoning !== 'none' && { summary: 'auto' as const }) },
      }),
      ...(temperature !== undefined && { temperature }),
      ...(top_p !== undefined && { top_p }),
      ...(max_output_tokens !== undefined && { max_output_tokens }),
      ...(response_schema !== undefined && {
        text: {
          format: {
            type: 'json_schema' as const,
            name: 'answer',
            schema: strictSchema(response_schema, true),
            strict: true,
          },
        },
      }),
    },
    warnings,
  }
}

function toItems(message: ModelMessage, warnings: string[]): ResponseInputItem[] {
  switch (message.role) {
    case 'user': {
      const content = message.parts.flatMap((part) => toContent(part, warnings))
      return content.length === 0 ? [] : [{ role: 'user', content }]
    }
    case 'assistant':
      return message.parts.flatMap((part, index) => toItem(part, message.parts.length - 1 === index))
    case 'tool':
      return message.parts.map(({ call_id, content }) => ({
        type: 'function_call_output' as const,
        call_id,
        output: toOutput(content.flatMap((part) => toContent(part, warnings))),
      }))
  }
}

function toOutput(content: ResponseInputContent[]): string | ResponseFunctionCallOutputItem[] {
  const texts = content.map((part) => (part.type === 'input_text' ? part.text : ''))
  return content.every(({ type }) => type === 'input_text')
    ? texts.join('') || NO_OUTPUT
    : (content as ResponseFunctionCallOutputItem[])
}

function toContent(part: UserPart, warnings: string[]): ResponseInputContent[] {
  switch (part.type) {
    case 'text':
      return part.text === '' ? [] : [{ type: 'input_text', text: part.text }]
    case 'image':
      return [{ type: 'input_image', image_url: `data:${part.media_type};base64,${part.base64}`, detail: 'auto' }]
    case 'audio':
      warnings.push(`A recording of type '${part.media_type}' was left out`)
      return [{ type: 'input_text', text: `[A recording of type ${part.media_type} was left out.]` }]
  }
}

/** Reasoning is sent back in front of what it led to; without anything after it, it is refused. */
function toItem(part: AssistantPart, isLast: boolean): ResponseInputItem[] {
  switch (part.type) {
    case 'text':
      return part.text === '' ? [] : [{ role: 'assistant', content: part.text }]
    case 'reasoning': {
      const { item, encrypted } = (part.metadata ?? {}) as ItemMetadata
      if (isLast || typeof item !== 'string' || typeof encrypted !== 'string') return []
      const summary = part.text === '' ? [] : [{ type: 'summary_text' as const, text: part.text }]
      return [{ type: 'reasoning', id: item, summary, encrypted_content: encrypted }]
    }
    case 'tool_call':
      return [
        {
          type: 'function_call',
          call_id: part.id,
          name: sentName(part.name),
          arguments: sentArguments(part.arguments),
        },
      ]
  }
}
