// Subtitles (SubRip, WebVTT): a line for each cue, with its times.
import { readFile } from 'node:fs/promises'
import { decodeText } from '../text-encoding.ts'
import { cutLong } from './pages.ts'
import type { UnnumberedPage } from './table.ts'

const TIMES = /^\s*((?:\d+:)?\d{1,2}:\d{2})[,.]\d{1,3}\s*-->\s*((?:\d+:)?\d{1,2}:\d{2})[,.]\d{1,3}/
/** Positions and effects, within `{}` or as tags. */
const STYLE = /\{\\[^}]*\}|<\/?(?:[cbiu]|ruby|rt|lang|font|\d[\d:.]*)\b[^>]*>/gi
const SPEAKER = /<v(?:\.[^\s>]*)?\s+([^>]+)>/gi
const ENTITIES: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', nbsp: ' ', lrm: '', rlm: '' }

export async function readSubtitles(path: string): Promise<UnnumberedPage[]> {
  const blocks = decodeText(await readFile(path))
    .replaceAll(/\r\n?/g, '\n')
    .split(/\n(?:[ \t]*\n)+/)
  const isWebVtt = /^\uFEFF?WEBVTT/.test(blocks[0] ?? '')
  const cues = blocks.flatMap((block) => cueOf(block, isWebVtt))
  return cutLong(cues.join('\n')).map((text) => ({ text }))
}

function cueOf(block: string, isWebVtt: boolean): string[] {
  const lines = block.split('\n')
  const at = lines.findIndex((line) => TIMES.test(line))
  // What has no times is a note, a style, or the rest of a cue with an empty line.
  if (at < 0) return isWebVtt || lines.every((line) => line.trim() === '') ? [] : [`- ${wordsOf(lines)}`]
  const [, from = '', to = ''] = TIMES.exec(lines[at]!)!
  const words = wordsOf(lines.slice(at + 1))
  return words === '' ? [] : [`- ${withHours(from)}–${withHours(to)}: ${words}`]
}

function withHours(time: string): string {
  const parts = time.split(':')
  return [...(parts.length === 2 ? ['00'] : []), ...parts].map((part) => part.padStart(2, '0')).join(':')
}

function wordsOf(lines: string[]): string {
  return lines
    .join(' ')
    .replaceAll(SPEAKER, '$1: ')
    .replaceAll(/<\/v>/gi, '')
    .replaceAll(STYLE, '')
    .replaceAll(/&(\w+);/g, (whole, name: string) => ENTITIES[name] ?? whole)
    .replaceAll(/\s+/g, ' ')
    .trim()
}
