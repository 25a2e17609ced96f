// The parts of a model's reply as they are stored with a step: text, reasoning, and where each call stood.
import { type Static, Type } from '@sinclair/typebox'

const metadata = Type.Optional(Type.Record(Type.String(), Type.Unknown()))

export const StoredPartsSchema = Type.Array(
  Type.Union([
    Type.Object({ type: Type.Literal('text'), text: Type.String(), metadata }),
    Type.Object({ type: Type.Literal('reasoning'), text: Type.String(), metadata }),
    // The call itself has a row of its own.
    Type.Object({ type: Type.Literal('tool_call'), call_id: Type.String(), metadata }),
  ]),
)

export type StoredPart = Static<typeof StoredPartsSchema>[number]
