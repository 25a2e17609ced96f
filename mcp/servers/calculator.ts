#!/usr/bin/env node
// MCP server: a calculator with units, big numbers and matrices, whose work is bounded.
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js'
import * as z from 'zod'
import { BoundedWorker, WorkerFault } from './bounded-worker.ts'
import type { Calculated } from './calculate.ts'
import type { CalculatorRequest } from './calculator-worker.ts'
import { serve, VERSION } from './serve.ts'

const MAX_EXPRESSION = 4_000
const MAX_PRECISION = 1_000
const LIMITS = { time_ms: 1_000, memory_mb: 256, waiting: 16 }
const worker = new BoundedWorker<CalculatorRequest, Calculated>(
  new URL('./calculator-worker.ts', import.meta.url),
  LIMITS,
)

const annotations = { readOnlyHint: true, idempotentHint: true, destructiveHint: false, openWorldHint: false }
const outputSchema = {
  result: z.string().describe('The result as text; lines of an expression give lines of results'),
}

function createServer(): McpServer {
  const server = new McpServer({ name: 'muxi-calculator', version: VERSION })
  server.registerTool(
    'calculate',
    {
      title: 'Calculate',
      description:
        'Evaluates a mathematical expression exactly: arithmetic, percentages (8% * 200), big integers (2^200), units (72 kg * 9.81 m/s^2 to N), ' +
        'trigonometry (sin(45 deg)), complex numbers, matrices ([1,2;3,4]), statistics (mean, std, median), combinatorics, several lines with variables. ' +
        'Numbers have a decimal point and no thousands separators.',
      inputSchema: {
        expression: z.string().min(1).max(MAX_EXPRESSION).describe('For example: (3.5 km + 200 m) / 25 min to km/hour'),
        precision: z
          .int()
          .min(1)
          .max(MAX_PRECISION)
          .optional()
          .describe('Significant digits to show; 15 by default, whole numbers in full'),
      },
      outputSchema,
      annotations,
    },
    ({ expression, precision }, { signal }) => answer({ calculate: { expression, precision } }, signal),
  )
  server.registerTool(
    'convert',
    {
      title: 'Convert units',
      description:
        'Converts a quantity from one unit to another: lengths, masses, times, temperatures (degC, degF, K), speeds, pressures, data sizes.',
      inputSchema: {
        value: z.number().describe('How much'),
        from: z.string().min(1).max(100).describe('The unit it is in, for example mph or kg/m^3'),
        to: z.string().min(1).max(100).describe('The unit it shall be in'),
      },
      outputSchema,
      annotations,
    },
    (conversion, { signal }) => answer({ convert: conversion }, signal),
  )
  return server
}

async function answer(request: CalculatorRequest, signal: AbortSignal) {
  try {
    const calculated = await worker.ask(request, signal)
    return { structuredContent: { ...calculated }, content: [{ type: 'text' as const, text: calculated.result }] }
  } catch (error) {
    if (error instanceof WorkerFault) throw new Error(`Cannot calculate: ${error.message}`, { cause: error })
    throw error
  }
}

await serve({ name: 'muxi-calculator', port: 3101, createServer, close: () => worker.close() })
