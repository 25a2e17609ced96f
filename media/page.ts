// A page of a document, and what OCR read of one.
import type { Notice } from '../contracts/notices.ts'

/** The OCR result of an image; confidences are from 0 to 100. */
export interface Recognized {
  /** Paragraphs with an empty line between them. */
  text: string
  confidence: number
  /** Applied rotation, clockwise, in degrees. */
  turned: number
  /**
   * Per paragraph in order: confidence, and bounding box in the upright image (left, top, right, bottom; a page has 300 dots
   * per inch).
   */
  paragraphs: { confidence: number; box: number[] }[]
}

export interface Page {
  /** From 1. */
  page: number
  /** Markdown, headings kept. */
  text: string
  /** Its label, if it is not its number: `Sheet Costs`. */
  label?: string
  /** What was left out of it; without places, the place is the page. */
  notices?: Notice[]
  /** Whether OCR is to read it: its content is a picture, or its text cannot be used. */
  scanned?: true
  /** Its own text cannot be used: its fonts do not tell their characters. */
  garbled?: true
  /** Pictures on it whose text is not read yet: the names of their parts in the document. */
  pictures?: string[]
  /** Of the OCR result. */
  ocr?: Omit<Recognized, 'text'>
}
