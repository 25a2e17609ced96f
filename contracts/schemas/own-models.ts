// What an operator says of models in MUXI_MODELS_FILE: it replaces what muxi knows of them.
import { type Static, Type } from '@sinclair/typebox'

const closed = { additionalProperties: false }
const Price = Type.Number({ minimum: 0, maximum: 1_000_000 })

const OwnModelSchema = Type.Object(
  {
    /** In US dollars per million tokens. */
    price: Type.Optional(Type.Object({ input: Price, output: Price, cached_input: Type.Optional(Price) }, closed)),
    /** In US dollars for a minute of sound that is transcribed. */
    price_per_minute: Type.Optional(Price),
    /** In US dollars for a million characters that are spoken. */
    price_per_million_characters: Type.Optional(Price),
    /** In tokens. */
    context_window: Type.Optional(Type.Integer({ minimum: 1, maximum: 1_000_000_000 })),
    /** Whether it takes pictures. */
    pictures: Type.Optional(Type.Boolean()),
    /** Whether it calls tools. */
    tools: Type.Optional(Type.Boolean()),
    /** Whether its server enforces a JSON Schema of the answer. */
    response_schema: Type.Optional(Type.Boolean()),
  },
  closed,
)

/** By `<provider>:<model>`. */
export const OwnModelsSchema = Type.Record(Type.String(), OwnModelSchema)
export type OwnModel = Static<typeof OwnModelSchema>
export type OwnModels = Readonly<Record<string, OwnModel>>
